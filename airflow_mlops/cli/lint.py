"""``airflow-mlops lint``: every problem of every file, with line, column and a hint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from airflow_mlops.cli.lint_formats import FORMATS, Findings
from airflow_mlops.config.load import find_configs, load_model
from airflow_mlops.config.problems import InvalidConfig, Problem


@click.command("lint")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="How problems are printed: for people, for programs, for code scanners (SARIF 2.1.0), or as "
    "annotations of a GitHub workflow.",
)
@click.pass_context
def command(ctx: click.Context, paths: tuple[Path, ...], form: str) -> None:
    """Check YAML files, and those with our apiVersion in folders.

    All problems of all files are printed to standard output, and one line that counts them to standard
    error. Ends with 0 if all is well, 1 if there are problems, 2 if it was called wrongly. Needs no Airflow
    and runs none of the models' code.
    """
    files = _files(paths)
    problems = lint(files)
    findings = Findings(len(files), tuple(problems), _summary(paths, files, problems))
    if printed := FORMATS[form](findings):
        click.echo(printed)
    click.echo(findings.summary, err=True)
    ctx.exit(1 if problems or not files else 0)


def lint(files: Iterable[Path]) -> list[Problem]:
    """All problems of the files, in their order. The second of two files with one model is a problem:
    their DAGs would have the same ids."""
    problems: list[Problem] = []
    owners: dict[str, Path] = {}
    for path in files:
        try:
            model = load_model(path).config.model
        except InvalidConfig as error:
            problems.extend(error.problems)
            continue
        if model in owners:
            problems.append(_taken_name(path, model, owners[model]))
        owners.setdefault(model, path)
    return problems


def _taken_name(path: Path, model: str, first: Path) -> Problem:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    number = next((n for n, line in enumerate(lines, 1) if line.startswith("model:")), 1)
    message = f"{model!r} is described in {first} already"
    return Problem(
        str(path), number, 1, "model", message, "give one of the two another name", lines[number - 1]
    )


def _files(paths: Iterable[Path]) -> list[Path]:
    """A file that is named is checked whatever it holds; a folder is searched for ours."""
    found = (path for given in paths for path in (find_configs(given) if given.is_dir() else [given]))
    return list(dict.fromkeys(found))


def _summary(paths: Iterable[Path], files: Sequence[Path], problems: Sequence[Problem]) -> str:
    if not files:
        return f"no file with apiVersion airflow-mlops/... in {', '.join(map(str, paths))}"
    if not problems:
        return f"{_count(len(files), 'file')}, no problems"
    bad = len({problem.path for problem in problems})
    return f"{_count(len(problems), 'problem')} in {bad} of {_count(len(files), 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
