"""What a fault is: which columns, of what kind, and in which numbers it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "missing_column", "type", "decimal_comma", "null", "join_lost", "constant", "sentinel", "encoding",
    "truncated", "rewritten", "renamed", "recoded", "category_lost", "swapped", "sign", "unit", "offset",
    "magnitude", "rounded", "volume", "duplicated", "stale", "late", "out_of_order", "time_zone",
]  # fmt: skip

MEANINGS: dict[FaultKind, str] = {
    "missing_column": "the column is not there",
    "type": "numbers came as text, or as something else",
    "decimal_comma": "decimals are written with a comma",
    "null": "all or most values are missing",
    "join_lost": "several columns are missing in the same rows: a join found nothing",
    "constant": "every row has one and the same value",
    "sentinel": "one number stands for a missing value",
    "encoding": "letters were read in the wrong encoding",
    "truncated": "texts were cut at a length",
    "rewritten": "a category is spelled otherwise: case, spaces, leading zeros",
    "renamed": "a category has another name",
    "recoded": "most categories were never seen before",
    "category_lost": "a common category is gone",
    "swapped": "the column holds what another one held",
    "sign": "the sign was flipped",
    "unit": "the unit changed",
    "offset": "a number was added to all values",
    "magnitude": "a part of the values is many times too large or too small",
    "rounded": "decimals were lost",
    "volume": "rows are missing",
    "duplicated": "rows came more than once",
    "stale": "the same rows came again",
    "late": "the newest rows have not come",
    "out_of_order": "rows are not in the order of their time",
    "time_zone": "times were shifted by whole hours",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """``columns`` are those at fault, the first one most; ``said`` is in numbers, never in values of rows."""

    columns: tuple[str, ...]
    kind: FaultKind
    said: str

    def __str__(self) -> str:
        return f"{', '.join(self.columns)}: {self.said}"
