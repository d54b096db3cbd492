"""What is known of rows without their values: counts, quantiles, and hashes of the common categories.

A backend makes these of a table, in one pass; the rules of this package read nothing else. Numbers leave the
backend as aggregates only; a category or a row leaves it as a hash that nobody can turn back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_mlops.core.values import ColumnKind

LEVELS: tuple[float, ...] = (
    0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99,
)  # fmt: skip
"""The levels of ``Numbers.quantiles``."""
QUANTILES_OF = 5_000
"""On so many numbers of a column, drawn at random, quantiles are estimated at most."""
SENTINELS: tuple[float, ...] = (
    0.0, -1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0,
    9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0, 99999999.0,
    -32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, 4294967295.0, 1e20, -1e20, 1e30, -1e30,
)  # fmt: skip
"""Numbers that programs write where they have none."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a column, missing and infinite ones left out. ``quantiles`` are at ``LEVELS``.

    ``at_minimum`` and ``at_maximum`` count the rows that have just that value; ``sentinels`` counts those of
    ``SENTINELS``, by their text; ``decimals`` is how many decimal places 99 of 100 values can be written
    with, None for more than eight; ``distinct`` and ``most_common`` (a share) may be estimated on a sample.
    """

    count: int
    minimum: float
    maximum: float
    quantiles: tuple[float, ...]
    at_minimum: int
    at_maximum: int
    whole: int
    distinct: int
    most_common: float
    decimals: int | None = None
    sentinels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Category:
    """``name`` and ``folded`` are hashes; two spellings of one word (case, spaces, leading zeros, a trailing
    ``.0``) have the same ``folded``."""

    name: str
    folded: str
    count: int


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of a column, most common first. ``complete`` is False where there are more than are
    listed. Of prose there are none, only ``lengths`` (characters to rows) and ``broken``, the rows whose text
    shows the marks of a wrong encoding."""

    count: int
    listed: tuple[Category, ...] = ()
    complete: bool = True
    lengths: Mapping[int, int] = field(default_factory=dict)
    broken: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Rows by the category's hash."""
        return {one.name: one.count for one in self.listed}


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column. ``nulls`` counts blank texts and words such as ``NULL`` as well, and infinite numbers;
    ``as_text`` counts the values of a numeric column that came as text, ``commas`` those of them that are
    numbers with a decimal comma."""

    name: str
    kind: ColumnKind
    rows: int
    nulls: int
    as_text: int = 0
    commas: int = 0
    numbers: Numbers | None = None
    categories: Categories | None = None

    @property
    def null_share(self) -> float:
        """0 to 1; 0 of no rows."""
        return self.nulls / self.rows if self.rows else 0.0

    @property
    def there(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls


@dataclass(frozen=True, slots=True)
class RowHashes:
    """The smallest hashes of whole rows with how often each came, all up to ``below``: a sample of the
    different rows that is the same in every table (Bar-Yossef et al., Counting Distinct Elements in a Data
    Stream, 2002). Of a table with few different rows it has them all."""

    below: int
    counts: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableSummary:
    """Many rows. ``first`` and ``last`` are times in seconds since 1970, ``longest_gap`` the longest stretch
    without a row, in seconds; ``hours`` counts rows by the UTC hour of their time; ``backwards`` counts rows
    that are older than the one before them.

    ``missing_together`` says which columns are null in the same rows, and in how many. ``repeated`` counts
    rows beyond the first that are equal in all columns, key and time included. ``hashes`` are of the features
    alone.
    """

    rows: int
    columns: Mapping[str, ColumnSummary]
    first: float | None = None
    last: float | None = None
    longest_gap: float = 0.0
    hours: tuple[int, ...] = ()
    backwards: int = 0
    missing_together: tuple[tuple[tuple[str, ...], int], ...] = ()
    repeated: int = 0
    hashes: RowHashes | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """What is normal: the rows as a whole, and cut into stretches as long as the window that is held against
    them, newest first. How these differ among each other is how much change is no news. There may be none,
    where the reference is no longer than the window."""

    whole: TableSummary
    blocks: tuple[TableSummary, ...] = ()

    def of(self, column: str) -> tuple[ColumnSummary, ...]:
        """A column as a whole, then in each block that has enough values of it."""
        found = [table.columns[column] for table in (self.whole, *self.blocks) if column in table.columns]
        return tuple(one for place, one in enumerate(found) if place == 0 or one.rows >= FEWEST_ROWS)


FEWEST_ROWS = 30
"""Of fewer rows nothing is said."""
