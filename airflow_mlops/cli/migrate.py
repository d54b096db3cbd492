"""``airflow-mlops migrate``: YAML files of an older apiVersion to the newest, in place."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from airflow_mlops.cli.overwrite import overwrite
from airflow_mlops.config.migration.migrate import Migrated, migrate
from airflow_mlops.config.models import API_VERSION
from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.text import decoded, read_body
from airflow_mlops.config.tree import find_files


@click.command("migrate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file is of an older version.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, as a unified diff.")
@click.pass_context
def command(ctx: click.Context, paths: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Carry YAML files, and those with our apiVersion in folders, to the newest apiVersion.

    Keys are moved where the newer version has them. Comments, blank lines, quotes and the order of keys stay,
    and a line that the migration is not about stays as it is to the byte. Where a person must decide, the
    problem is printed with its line, and that file is left alone.

    Ends with 0 if all is well, 1 if there are problems, 2 if it was called wrongly. Look at the change with
    --diff first, or let version control show it.
    """
    files = _files(paths)
    behind, problems = 0, list[Problem]()
    for path, folder in files.items():
        try:
            behind += _migrate(path, folder, check=check, diff=diff)
        except InvalidConfig as error:
            problems.extend(error.problems)
    for problem in problems:
        click.echo(problem)
    bad = len({problem.path for problem in problems})
    click.echo(_summary(len(files), behind, bad, is_dry=check or diff), err=True)
    ctx.exit(1 if problems or not files or (check and behind) else 0)


def _files(paths: Iterable[Path]) -> dict[Path, Path]:
    """Each file with the folder that it must not lead out of. Of two names of one file the first counts."""
    found: dict[Path, tuple[Path, Path]] = {}
    for given in paths:
        is_folder = given.is_dir()
        for path in find_files(given) if is_folder else [given]:
            found.setdefault(path.resolve(), (path, given if is_folder else given.parent))
    return dict(found.values())


def _migrate(path: Path, folder: Path, *, check: bool, diff: bool) -> bool:
    """Whether the file was (or is, where nothing is to be written) of an older version."""
    body = read_body(path)
    text = decoded(body, path)
    done = migrate(text, str(path))
    if not done.is_changed:
        return False
    if diff:
        click.echo("".join(_diff(path, text, done)), nl=False)
    elif check:
        click.echo(f"{path}: {done.was}, {done.now} is newer")
    else:
        bom = codecs.BOM_UTF8 if body.startswith(codecs.BOM_UTF8) else b""
        overwrite(path, bom + done.text.encode("utf-8"), folder)
        click.echo(f"{path}: {done.was} -> {done.now}")
    return True


def _diff(path: Path, text: str, done: Migrated) -> Iterator[str]:
    # Not splitlines(): a diff knows no end of a line but this.
    old, new = ([f"{line}\n" for line in side.split("\n")] for side in (text, done.text))
    for lines in (old, new):
        last = lines.pop().removesuffix("\n")
        if last:
            lines.append(last)
    for line in difflib.unified_diff(old, new, str(path), str(path)):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _summary(files: int, behind: int, bad: int, *, is_dry: bool) -> str:
    if not files:
        return "no file with apiVersion airflow-mlops/... there"
    counts = {
        f"{API_VERSION} already": files - behind - bad,
        "to migrate" if is_dry else "migrated": behind,
        "left alone because of problems": bad,
    }
    return ", ".join(f"{_count(number)} {what}" for what, number in counts.items() if number)


def _count(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"
