"""``airflow-mlops lint``: every problem of every file, with line, column and a hint."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from airflow_mlops.cli.lint_formats import FORMATS, Findings
from airflow_mlops.cli.site import profile_option, profiles_for, site_around
from airflow_mlops.config.duplicates import described_twice
from airflow_mlops.config.layers import check_layer
from airflow_mlops.config.load import load_model
from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.site import Site
from airflow_mlops.config.tree import find_files, is_layer_file


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
@profile_option
@click.pass_context
def command(ctx: click.Context, paths: tuple[Path, ...], form: str, profile: str | None) -> None:
    """Check YAML files, and those with our apiVersion in folders.

    All problems of all files are printed to standard output, and one line that counts them to standard
    error. Ends with 0 if all is well, 1 if there are problems, 2 if it was called wrongly. Needs no Airflow
    and runs none of the models' code. Without --profile each file is checked with every profile there is.
    """
    files = _files(paths, profile)
    problems = lint(files, every_profile=profile is None)
    findings = Findings(len(files), tuple(problems), _summary(paths, files, problems))
    if printed := FORMATS[form](findings):
        click.echo(printed)
    click.echo(findings.summary, err=True)
    ctx.exit(1 if problems or not files else 0)


def lint(files: Mapping[Path, Site], *, every_profile: bool = False) -> list[Problem]:
    """All problems of the files, in their order, each once. The second of two files with one model is a
    problem: their DAGs would have the same ids. ``every_profile``: try each that there is, else the site's.
    """
    problems: dict[Problem, None] = {}
    owners: dict[str, Path] = {}
    for path, site in files.items():
        if is_layer_file(path):
            problems |= dict.fromkeys(check_layer(path, site))
            continue
        profiles = (profiles_for(path, site) if every_profile else ()) or (site.profile,)
        for profile in profiles:
            try:
                model = load_model(path, replace(site, profile=profile)).config.model
            except InvalidConfig as error:
                problems |= dict.fromkeys(error.problems)
                continue
            if (first := owners.setdefault(model, path)) != path:
                problems[described_twice(path, model, first)] = None
    return list(problems)


def _files(paths: Iterable[Path], profile: str | None) -> dict[Path, Site]:
    """A file that is named is checked whatever it holds; a folder is searched for ours, layers first."""
    files: dict[Path, Site] = {}
    for given in paths:
        site = site_around(given, profile)
        found = find_files(given, site) if given.is_dir() else [given]
        files |= {path: site for path in found if path not in files}
    return files


def _summary(paths: Iterable[Path], files: Collection[Path], problems: Sequence[Problem]) -> str:
    if not files:
        return f"no file with apiVersion airflow-mlops/... in {', '.join(map(str, paths))}"
    if not problems:
        return f"{_count(len(files), 'file')}, no problems"
    bad = len({problem.path for problem in problems})
    return f"{_count(len(problems), 'problem')} in {bad} of {_count(len(files), 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
