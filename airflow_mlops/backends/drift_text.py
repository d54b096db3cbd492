"""Prose as numbers that can be compared: no two comments are equal, so a text drifts by what it is like."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_mlops.core.values import ColumnDrift, ColumnKind

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("words", "unseen words")
_WORD = re.compile(r"\w\w+")


def measured(
    reference: pd.DataFrame, current: pd.DataFrame, texts: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both frames with two numbers in the place of each text: how many words it has, and which share of
    them the reference does not know; the share is missing where there is no word.

    Every word of the reference is known to it, so half of its rows (every other one) are the dictionary and
    the other half are measured by it, as the current rows are. Words that change their meaning, or their
    mix, go unnoticed: that is for labels to tell. Words have two letters or more; case is ignored.
    """
    for name in texts:
        ours, theirs = _words(reference[name]), _words(current[name])
        known = {word for words in ours[::2] for word in words}
        measured_rows = [words if row % 2 else [] for row, words in enumerate(ours)]
        counts, share = (measure_name(name, measure) for measure in MEASURES)
        reference = reference.drop(columns=name).assign(
            **{counts: list(map(len, ours)), share: _unseen(measured_rows, known)}
        )
        current = current.drop(columns=name).assign(
            **{counts: list(map(len, theirs)), share: _unseen(theirs, known)}
        )
    return reference, current


def measured_kinds(columns: Mapping[str, ColumnKind]) -> dict[str, ColumnKind]:
    """The columns of ``measured`` frames and their kinds."""
    kinds: dict[str, ColumnKind] = {}
    for name, kind in columns.items():
        names = [measure_name(name, measure) for measure in MEASURES] if kind == "text" else [name]
        kinds.update(dict.fromkeys(names, "numeric" if kind == "text" else kind))
    return kinds


def measure_name(column: str, measure: str) -> str:
    """``comment: unseen words``, as the page calls it."""
    return f"{column}: {measure}"


def of_text(column: str, scores: Mapping[str, ColumnDrift]) -> ColumnDrift:
    """A text has moved as far as the measure of it that moved most; ``method`` says which."""
    found = [(scores[measure_name(column, measure)], measure) for measure in MEASURES]
    worst, measure = max(found, key=lambda pair: pair[0].score)
    return ColumnDrift(column, f"{worst.method} of {measure}", worst.score, worst.threshold)


def _words(texts: pd.Series) -> list[list[str]]:
    return [_WORD.findall(text.lower()) if isinstance(text, str) else [] for text in texts]


def _unseen(rows: Sequence[Sequence[str]], known: Collection[str]) -> list[float]:
    return [
        sum(word not in known for word in words) / len(words) if words else float("nan") for words in rows
    ]
