"""Hashes of rows by columns: what a row is drawn by, and what a set of rows is known by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlops.core.identity import content_hash

if TYPE_CHECKING:
    import pandas as pd

_MIX = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses nothing (the golden ratio, as in splitmix64)


def hashes(column: pd.Series) -> Any:
    """A number of 64 bits a value, the same in every process: equal values of one type give equal numbers."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        times = column.astype("datetime64[us, UTC]") if getattr(column.dt, "tz", None) else column
        values = times.to_numpy(dtype="datetime64[us]")
    elif getattr(column.dtype, "kind", "O") == "f":
        values = column.to_numpy(dtype="float64", na_value=float("nan"))
    elif getattr(column.dtype, "kind", "O") in "biu":
        return _whole(column)
    else:
        values = column.astype(object).where(column.notna(), None).to_numpy()
    return pd.util.hash_array(values)


def _whole(column: pd.Series) -> Any:
    """Whole numbers and flags, which may have holes: a hole elsewhere in its piece changes no other hash."""
    import pandas as pd

    missing = column.isna().to_numpy(dtype=bool)
    found = pd.util.hash_array(column.fillna(0).to_numpy(dtype="int64"))
    found[missing] = _MIX
    return found


class RowsVersion:
    """What a set of rows is known by, whatever their order and the pieces they come in.

    The sum of the rows' hashes does not depend on an order, and can be taken piece by piece. It tells data
    that changed from data that did not; against somebody who forges rows to an equal sum it proves nothing.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0
        self._columns: list[str] = []

    def add(self, frame: pd.DataFrame) -> None:
        """Take up the rows of a piece; each has the same columns."""
        import numpy as np

        self._columns = [str(name) for name in frame.columns]
        row = np.zeros(len(frame), dtype="uint64")
        for name in frame.columns:
            row = row * np.uint64(_MIX) + hashes(frame[name])
        self.rows += len(frame)
        self._sum = (self._sum + int(row.sum(dtype="uint64"))) % 2**64

    @property
    def version(self) -> str:
        """sha256 over the number of rows, the columns' names and the sum."""
        return content_hash([self.rows, self._columns, self._sum])
