"""What measures several columns at once must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from airflow_mlops.core.shift.multivariate import Together
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd


class TogetherMeasure(Protocol):
    """Says how far two samples of rows lie apart in several columns at once; a plain function is one."""

    def __call__(
        self,
        name: str,
        reference: pd.DataFrame,
        current: pd.DataFrame,
        columns: Mapping[str, ColumnKind],
        *,
        rows: int,
        seed: int,
    ) -> Together:
        """``name`` is what the columns are called together. At most ``rows`` of each side are used; equal
        arguments give an equal answer. Raises ``DataRefused`` where there is too little to measure."""
