"""A model's file as it was at a git revision."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.source import read_source


def model_at(file: Path, revision: str) -> LoadedModel | None:
    """The model that the file described at a revision; None if there was no such file yet.

    The file's text is laid into an empty folder with the suite that it names, as both were then. Raises
    ``InvalidConfig`` with its problems if it was wrong then, and ``ClickException`` where git cannot tell.
    """
    # Resolved first: what a caller writes may look like an option to git, a hash never does.
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    commit = _git(file.parent, *asked)
    if commit is None:
        where = _git(file.parent, "rev-parse", "--show-toplevel")
        if where is None:
            raise click.ClickException(f"{file} lies in no git repository; there is nothing to compare with")
        known = where.decode().strip()
        raise click.ClickException(f"{revision!r} is no revision of {known}; git log shows what there is")
    with TemporaryDirectory() as folder:
        copy = Path(folder, file.name)
        if not _lay_out(file, copy, commit.decode().strip(), file.name):
            return None
        _lay_out_suite(file, copy, commit.decode().strip())
        try:
            return replace(load_model(copy), path=file)
        except InvalidConfig as error:
            then = f"{revision}:{file}"
            raise InvalidConfig(replace(problem, path=then) for problem in error.problems) from error


def _lay_out(file: Path, copy: Path, commit: str, name: str) -> bool:
    body = _git(file.parent, "cat-file", "blob", f"{commit}:./{name}")
    if body is None:
        return False
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(body)
    return True


def _lay_out_suite(file: Path, copy: Path, commit: str) -> None:
    """Where there is none, or its name leads out of the folder, the loader says so."""
    try:
        value = read_source(copy.read_text(encoding="utf-8-sig"), str(copy)).root.value
    except (InvalidConfig, UnicodeDecodeError):
        return
    validation = value.get("validation") if isinstance(value, dict) else None
    suite = validation.get("suite") if isinstance(validation, dict) else None
    if isinstance(suite, str) and (copy.parent / suite).resolve().is_relative_to(copy.parent.resolve()):
        _lay_out(file, copy.parent / suite, commit, suite)


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git answers; None if it refuses."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise click.ClickException("git is not installed; --diff needs it") from error
    return done.stdout if done.returncode == 0 else None
