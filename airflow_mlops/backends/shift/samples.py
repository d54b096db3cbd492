"""What one version answered in a window of any size: all its scores, and some of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.drift.sample import Sampler

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ANSWER = "prediction"
_OWN = ["version", ANSWER]


@dataclass(frozen=True, slots=True, eq=False)
class OwnRows:
    """``served`` is the score of every row; ``sample`` are some rows, features and ``prediction``."""

    served: np.ndarray[Any, Any]
    sample: pd.DataFrame

    @property
    def rows(self) -> int:
        return len(self.served)


def own_rows(window: ParquetRows, version: str, features: Sequence[str], rows: int) -> OwnRows:
    """The rows that ``version`` answered with a number, read once; at most ``rows`` of them in the sample,
    which has those of the features that the window has."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    there = window.names
    known = [name for name in features if name in there]
    sampler, served = Sampler([*known, ANSWER], rows), [np.zeros(0)]
    for batch in window.batches([*known, *_OWN]):
        own = pc.and_(pc.equal(batch.column("version"), version), pc.is_finite(batch.column(ANSWER)))
        kept = batch.filter(pc.fill_null(own, False))
        served.append(kept.column(ANSWER).cast(pa.float64()).to_numpy(zero_copy_only=False))
        if kept.num_rows:
            sampler.add(kept)
    return OwnRows(np.concatenate(served), sampler.table().to_pandas())


def answered(window: ParquetRows, version: str, column: str, values: pd.Series) -> np.ndarray[Any, Any]:
    """Which of these values are in a column of the version's answers."""
    import numpy as np
    import pandas as pd
    import pyarrow.compute as pc

    codes, unique = pd.factorize(values)
    index, seen = pd.Index(unique), np.zeros(len(unique), dtype=bool)
    for batch in window.batches(["version", column]):
        own = batch.column(column).filter(pc.fill_null(pc.equal(batch.column("version"), version), False))
        places = index.get_indexer(own.to_pandas())
        seen[places[places >= 0]] = True
    found: np.ndarray[Any, Any] = seen[codes]
    return found
