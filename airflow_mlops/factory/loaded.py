"""What came of the files that were looked for: DAGs, and problems."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from airflow.sdk import DAG

PLACEHOLDER = ".config_error"  # how the id of the DAG ends that stands for a broken file


@dataclass(frozen=True, slots=True)
class Problem:
    """A YAML that gave no DAGs, and why, with line, column and what to do about it."""

    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The DAGs by their id, and the files that gave none. ``compiled`` counts the files that were read and
    checked anew; the others were found in the cache."""

    dags: dict[str, DAG] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    compiled: int = 0
