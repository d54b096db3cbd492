"""The command: what it asks, what it refuses, what it says at the end."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

import click

from airflow_mlops.cli.init.files import Start, files_of
from airflow_mlops.cli.init.names import fault_of_name
from airflow_mlops.core.values import TaskKind

_LEVELS = {1: "a person approves each model", 2: "models ship by themselves", 3: "drift and decay retrain"}
_TASKS: tuple[TaskKind, ...] = get_args(TaskKind)


@click.command("init")
@click.argument("name")
@click.option("--level", type=click.IntRange(1, 3), help="How much goes by itself; 1 if not given.")
@click.option(
    "--task", type=click.Choice(_TASKS), help="What is predicted; binary_classification if not given."
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="the working folder",
    help="Where dags, plugins and tests are, such as $AIRFLOW_HOME. It is made if it is not there.",
)
def command(name: str, level: int | None, task: TaskKind | None, folder: Path) -> None:
    """Begin a model: its YAML, its code and a test, which load, train and pass as they are.

    NAME becomes dags/NAME.yaml, plugins/NAME and tests/test_NAME.py; from level 2 on also plugins/NAME/tests,
    which each training begins with. The rows are made up, the same on every
    call, until you put your own query in their place. On a terminal it asks for the level and the task that
    were not given. A file that exists is never touched: one of the model's own ends the command before
    anything is written, one that all models share is kept.
    """
    if fault := fault_of_name(name):
        raise click.BadParameter(fault, param_hint="NAME")
    if level is None:
        level = _asked_level() if sys.stdin.isatty() else 1
    if task is None:
        task = _asked_task() if sys.stdin.isatty() else "binary_classification"
    start = Start(name, level, task, datetime.now(timezone.utc).year)
    made = files_of(start, folder)
    if taken := [path for path in made.own if path.exists() or path.is_symlink()]:
        listed = ", ".join(map(str, taken))
        raise click.ClickException(f"{listed} is there already, and nothing was written; take another name")
    try:
        for path, text in made.own.items():
            _write(path, text)
        for path, text in made.shared.items():
            _write_if_new(path, text)
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename}: {error.strerror}") from error
    _say_what_is_next(start, folder, made.needs_switch)


def _asked_level() -> int:
    for level, meaning in _LEVELS.items():
        click.echo(f"  {level}  {meaning}")
    answer: int = click.prompt("Level", type=click.IntRange(1, 3), default=1)
    return answer


def _asked_task() -> TaskKind:
    for number, task in enumerate(_TASKS, 1):
        click.echo(f"  {number}  {task}")
    answer: int = click.prompt("What is predicted", type=click.IntRange(1, len(_TASKS)), default=1)
    return _TASKS[answer - 1]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:  # refuses to overwrite, whoever was faster
        file.write(text)
    click.echo(f"wrote {path}")


def _write_if_new(path: Path, text: str) -> None:
    if path.exists() or path.is_symlink():
        click.echo(f"kept  {path}")
    else:
        _write(path, text)


def _say_what_is_next(start: Start, folder: Path, needs_switch: bool) -> None:
    switch = " --mlops-airflow" if needs_switch else ""
    click.echo("\nTry it:")
    click.echo(f"  airflow-mlops lint {folder / 'dags'}")
    click.echo(f"  airflow-mlops plan {folder / 'dags' / start.model}.yaml")
    click.echo(f"  pytest{switch} {folder / 'tests' / f'test_{start.model}.py'}")
    click.echo(f"\nThen read your own rows in {folder / 'plugins' / start.model / 'data.py'}.")
