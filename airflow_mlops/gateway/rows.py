"""Rows of a request as columns: what the models predict from and what the log keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Rows:
    """Checked rows. ``columns`` has one array per feature: float64 with NaN for a missing number, or
    object with None for a missing category and "" for a missing text. ``event_times`` is None where the
    row did not say.
    """

    keys: Sequence[str]
    event_times: Sequence[datetime | None]
    columns: Mapping[str, np.ndarray[Any, Any]]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, numbers: Sequence[int]) -> Rows:
        """These rows, in this order; all of them without a copy."""
        if len(numbers) == len(self.keys):
            return self
        chosen = list(numbers)
        return Rows(
            [self.keys[n] for n in chosen],
            [self.event_times[n] for n in chosen],
            {name: values[chosen] for name, values in self.columns.items()},
        )


def frame_of(parts: Sequence[Rows], columns: Mapping[str, ColumnKind]) -> pd.DataFrame:
    """One frame of the parts' rows with exactly a model's columns, in its order.

    Raises ``KeyError`` if the rows lack a column of the model: they were checked against another version.
    """
    import numpy as np
    import pandas as pd

    def joined(name: str) -> Any:
        arrays = [part.columns[name] for part in parts]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    if all(kind == "numeric" for kind in columns.values()):
        # One two-dimensional block: ten times cheaper than a dict of columns for a single row.
        return pd.DataFrame(np.column_stack([joined(name) for name in columns]), columns=list(columns))
    return pd.DataFrame({name: joined(name) for name in columns}, copy=False)
