"""Two files that describe one model: their DAGs would have the same ids."""

from __future__ import annotations

from pathlib import Path

from airflow_mlops.config.problems import Problem
from airflow_mlops.config.source import read_source


def described_twice(path: Path, model: str, first: Path) -> Problem:
    """The second file's problem, at its ``model``; the file has been read without a problem before."""
    document = read_source(path.read_text(encoding="utf-8-sig"), str(path))
    message = f"{model!r} is described in {first} already"
    hint = "give one of the two another name, or remove it"
    return document.problem(document.key_place(("model",)), ("model",), message, hint)
