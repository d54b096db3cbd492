"""One column in one pass, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlops.backends.faults.numbers import NumberScan
from airflow_mlops.backends.faults.texts import TextScan
from airflow_mlops.backends.faults.values import Read, read_numbers, read_texts
from airflow_mlops.core.faults.summary import ColumnSummary
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(slots=True)
class ColumnScan:
    """One column, whatever its kind."""

    name: str
    kind: ColumnKind
    rows: int = 0
    nulls: int = 0
    as_text: int = 0
    commas: int = 0
    numbers: NumberScan | None = None
    texts: TextScan | None = None

    def add(self, column: pd.Series) -> Read:
        """More of its values; what was read of them."""
        read = read_numbers(column) if self.kind == "numeric" else read_texts(column)
        self.rows += len(column)
        self.nulls += int(read.nulls.sum())
        self.as_text += read.as_text
        self.commas += read.commas
        if self.numbers is not None and read.numbers is not None:
            self.numbers.add(read.numbers)
        if self.texts is not None:
            self.texts.add(read.texts)
        return read

    def absorb(self, other: ColumnScan) -> None:
        """What another scan has seen."""
        for count in ("rows", "nulls", "as_text", "commas"):
            setattr(self, count, getattr(self, count) + getattr(other, count))
        if self.numbers is not None and other.numbers is not None:
            self.numbers.absorb(other.numbers)
        if self.texts is not None and other.texts is not None:
            self.texts.absorb(other.texts)

    def summary(self, salt: str) -> ColumnSummary:
        """What leaves this process."""
        return ColumnSummary(
            self.name,
            self.kind,
            self.rows,
            self.nulls,
            self.as_text,
            self.commas,
            None if self.numbers is None else self.numbers.summary(),
            None if self.texts is None else self.texts.summary(salt),
        )
