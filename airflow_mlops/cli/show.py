"""``airflow-mlops show``: one file's whole configuration, what it leaves out filled in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from airflow_mlops.cli.site import profile_option, site_around
from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.scalars import resolve


@click.command("show")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@profile_option
def command(file: Path, profile: str | None) -> None:
    """Print what FILE means as YAML: its layers merged, presets of its level, defaults and its suite's
    expectations filled in.

    The output is a model's file itself and becomes the same DAGs.
    """
    for line in lines(load_model(file, site_around(file, profile))):
        click.echo(line)


def lines(loaded: LoadedModel) -> Iterator[str]:
    """The comment that says what this is, then the YAML."""
    config = loaded.config.model_dump(mode="json")
    yield f"# {loaded.path} with the presets of level {loaded.config.level}, and all defaults."
    if (suite := config["validation"]["suite"]) is not None:
        # Named here as well, its expectations would be checked twice.
        config["validation"]["suite"] = None
        yield f"# The expectations of {suite} are written out."
    yield f"# digest: {loaded.digest}"
    written = yaml.dump(_plain(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    yield written.rstrip("\n")


def _plain(value: Any) -> Any:
    """With ``${`` in values written so that it stays what it is."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    """Writes what our own reader takes as the same value: it quotes by that reader's rules, too."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the signature is PyYAML's)
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # PyYAML leaves some line ends of Unicode as they are in every other style.
        quoted = resolve(text) != text or not text.isprintable()
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


_Dumper.add_representer(str, _Dumper.represent_text)
