"""A model's file as it was at a git revision."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from airflow_mlops.config.layers import layer_names
from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import read_source


def model_at(file: Path, revision: str, site: Site) -> LoadedModel | None:
    """The model that the file described at a revision; None if there was no such file yet.

    The file's text is laid into an empty folder with its layers and the suite that it names, all as they were
    then. Raises ``InvalidConfig`` with its problems if it was wrong then, and ``ClickException`` where git
    cannot tell.
    """
    commit = _commit(file.parent, revision)
    folders = site.folders(file.absolute())
    top = folders[0]
    layers = [folder / name for folder in folders for name in layer_names(site.profile)]
    with TemporaryDirectory() as made:
        root = Path(made)
        copy = root / file.absolute().relative_to(top)
        if not _lay_out(file, copy, commit):
            return None
        for layer in layers:
            _lay_out(layer, root / layer.relative_to(top), commit)
        _lay_out_suite(file, copy, commit)
        try:
            return replace(load_model(copy, replace(site, root=root)), path=file)
        except InvalidConfig as error:
            then = {copy: file} | {root / one.relative_to(top): one for one in layers}
            told = (
                replace(problem, path=f"{revision}:{then.get(Path(problem.path), problem.path)}")
                for problem in error.problems
            )
            raise InvalidConfig(told) from error


def _commit(folder: Path, revision: str) -> str:
    """Resolved first: what a caller writes may look like an option to git, a hash never does."""
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    commit = _git(folder, *asked)
    if commit is not None:
        return commit.decode().strip()
    where = _git(folder, "rev-parse", "--show-toplevel")
    if where is None:
        raise click.ClickException(f"{folder} lies in no git repository; there is nothing to compare with")
    known = where.decode().strip()
    raise click.ClickException(f"{revision!r} is no revision of {known}; git log shows what there is")


def _lay_out(file: Path, copy: Path, commit: str) -> bool:
    """Git is asked in the nearest folder that is there today, by the way from it to the file."""
    folder = next(one for one in file.absolute().parents if one.is_dir())
    way = os.path.relpath(file.absolute(), folder)
    body = _git(folder, "cat-file", "blob", f"{commit}:./{way}")
    if body is None:
        return False
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(body)
    return True


def _lay_out_suite(file: Path, copy: Path, commit: str) -> None:
    """Where there is none, or its name leads out of the folder, the loader says so. A suite that only a layer
    names is not looked for."""
    try:
        value = read_source(copy.read_text(encoding="utf-8-sig"), str(copy)).root.value
    except (InvalidConfig, UnicodeDecodeError):
        return
    validation = value.get("validation") if isinstance(value, dict) else None
    suite = validation.get("suite") if isinstance(validation, dict) else None
    if isinstance(suite, str) and (copy.parent / suite).resolve().is_relative_to(copy.parent.resolve()):
        _lay_out(file.parent / suite, copy.parent / suite, commit)


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git answers; None if it refuses."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise click.ClickException("git is not installed; --diff needs it") from error
    return done.stdout if done.returncode == 0 else None
