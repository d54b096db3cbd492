"""Write docs/reference from the code: the YAML's types, the click commands, the operators' docstrings, the
public names; the JSON Schemas, which are shipped with the package; and the Grafana dashboard in docker/.

    .venv/bin/python docs/generate.py

``pages()`` gives the same texts in memory, for the test that compares them with what is on disk.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import textwrap
from pathlib import Path

import click
from generate_operators import operators_page
from generate_public import names_page, public_api
from generate_yaml import yaml_page

from airflow_mlops.cli.dashboard import dashboard_text
from airflow_mlops.config.schema import SCHEMA_FILES, schema_text

FOLDER = Path(__file__).resolve().parent / "reference"
DASHBOARD = FOLDER.parents[1] / "docker" / "grafana" / "airflow-mlops.json"


def main() -> None:
    """Write every page that is not as it should be."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("AIRFLOW_HOME", home)  # Airflow writes its configuration where it is imported
        made = pages()
    FOLDER.mkdir(exist_ok=True)
    for name, text in made.items():
        _write(FOLDER / name, text)
    for language, file in SCHEMA_FILES.items():
        _write(file, schema_text(language))
    DASHBOARD.parent.mkdir(exist_ok=True)
    _write(DASHBOARD, dashboard_text())


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path.relative_to(FOLDER.parents[1])}")


def pages() -> dict[str, str]:
    """File name to text."""
    return {
        "yaml.md": yaml_page(),
        "cli.md": cli_page(),
        "operators.md": operators_page(),
        "public-api.md": names_page(),
        "public-api.txt": public_api(),
    }


CLI_INTRO = """\
# The command line

<!-- Written by docs/generate.py from airflow_mlops/cli. Change the commands, then run `make docs`. -->

`airflow-mlops COMMAND --help` says the same. Only `demo` starts Airflow; the others need none that runs.
"""


def cli_page() -> str:
    """Each command's purpose, arguments and options."""
    from airflow_mlops.cli.main import COMMANDS, main

    context = click.Context(main, info_name="airflow-mlops")
    parts = [CLI_INTRO]
    for name in COMMANDS:
        command = main.get_command(context, name)
        if command is None:
            raise click.ClickException(f"airflow-mlops {name} is not installed here")
        parts.append(_command(name, command, context))
    return "\n".join(parts)


def _command(name: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent)
    pieces = " ".join(command.collect_usage_pieces(context))
    lines = [f"## {name}", "", "```text", f"airflow-mlops {name} {pieces}".rstrip(), "```", ""]
    lines += [_paragraphs(command.help or ""), ""]
    if name == "step":
        from airflow_mlops.steps.catalog import STEPS

        lines += [f"The steps are {', '.join(f'`{step}`' for step in STEPS)}.", ""]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    if options:
        lines += ["| option | meaning |", "|---|---|", *(_option(option, context) for option in options), ""]
    return "\n".join(lines)


def _paragraphs(text: str) -> str:
    """A click help text; what stands after click's ``\\b`` is kept as it is."""
    parts = []
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b\n"):
            parts.append(f"```text\n{textwrap.dedent(part.removeprefix(chr(8) + chr(10)))}\n```")
        else:
            parts.append(part)
    return "\n\n".join(parts)


def _option(option: click.Option, context: click.Context) -> str:
    spelled = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    default = option.get_default(context)
    if isinstance(option.show_default, str):
        notes = [f"Default: {option.show_default}."]
    else:
        notes = [f"Default: `{default}`."] if option.show_default and default is not None else []
    notes += ["Required."] if option.required else []
    notes += [f"Read from `{option.envvar}` where it is not given."] if option.envvar else []
    meaning = " ".join([option.help or "", *notes]).strip()
    return f"| {_cell(f'`{spelled}{value}`')} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    """A bar would end the cell, in code too."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
