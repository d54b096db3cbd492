"""GitHub's Markdown, which Airflow and MLflow show: what comes from outside makes no markup of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

# An underscore inside a word is no emphasis, and the names of columns and metrics are full of them.
_MARKS = re.compile(r"[\\`*\[\]<>#|]|(?<!\w)_|_(?!\w)")


def plain(text: str) -> str:
    """One line that is read as it is written."""
    return " ".join(_MARKS.sub(r"\\\g<0>", text).split())


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; None is an empty cell."""
    lines = [_row(header), f"| {' | '.join(['---'] * len(header))} |", *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join('' if cell is None else plain(str(cell)) for cell in cells)} |"
