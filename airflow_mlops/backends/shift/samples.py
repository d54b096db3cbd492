"""Bounded samples of Parquet objects of any size: read batch by batch, the same rows each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_BATCH = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class OwnRows:
    """What one version answered: ``served`` of every row, and some of the rows with ``prediction`` beside
    their features."""

    served: np.ndarray[Any, Any]
    sample: pd.DataFrame

    @property
    def rows(self) -> int:
        return len(self.served)


def columns_of(path: Path) -> list[str]:
    """The names of its columns. Raises ``DataRefused`` where the file is no Parquet."""
    import pyarrow.parquet as pq

    with _readable(path):
        return [str(name) for name in pq.read_schema(path).names]


def drawn(path: Path, columns: Sequence[str], rows: int, seed: int) -> pd.DataFrame:
    """At most so many rows of a file, in its order."""
    import numpy as np
    import pyarrow.parquet as pq

    with _readable(path):
        there = pq.read_metadata(path).num_rows
    return _rows(path, columns, _places(np.arange(there), rows, seed))


def own_rows(path: Path, version: str, features: Sequence[str], rows: int, seed: int) -> OwnRows:
    """The window's rows that ``version`` answered with a number."""
    import numpy as np

    served, places, start = [], [], 0
    for batch in _batches(path, ["version", "prediction"]):
        frame = batch.to_pandas()
        numbers = frame["prediction"].to_numpy(dtype="float64", na_value=np.nan)
        own = (frame["version"] == version).to_numpy() & np.isfinite(numbers)
        served.append(numbers[own])
        places.append(np.flatnonzero(own) + start)
        start += len(frame)
    found = np.concatenate(served) if served else np.zeros(0)
    there = np.concatenate(places) if places else np.zeros(0, dtype="int64")
    return OwnRows(found, _rows(path, [*features, "prediction"], _places(there, rows, seed)))


def answered(path: Path, version: str, keys: pd.Series) -> np.ndarray[Any, Any]:
    """Which of these keys the version has answered. A key that comes twice counts at its first place."""
    import numpy as np
    import pandas as pd

    index = pd.Index(keys)
    first = ~index.duplicated()
    unique = index[first]
    seen = np.zeros(len(unique), dtype=bool)
    for batch in _batches(path, ["version", "key"]):
        frame = batch.to_pandas()
        places = unique.get_indexer(frame.loc[frame["version"] == version, "key"])
        seen[places[places >= 0]] = True
    found = np.zeros(len(index), dtype=bool)
    found[np.flatnonzero(first)] = seen
    return found


def _places(there: Any, rows: int, seed: int) -> Any:
    import numpy as np

    if len(there) <= rows:
        return there
    return np.sort(np.random.default_rng(seed).choice(there, rows, replace=False))


def _rows(path: Path, columns: Sequence[str], places: Any) -> pd.DataFrame:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts, start = [], 0
    for batch in _batches(path, columns):
        low, high = np.searchsorted(places, (start, start + batch.num_rows))
        if high > low:
            parts.append(pa.table(batch).take(pa.array(places[low:high] - start)))
        start += batch.num_rows
    table = pa.concat_tables(parts) if parts else pq.read_schema(path).empty_table().select(list(columns))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with _readable(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(columns)):
            # A nested or repeated name would come in another order, or twice.
            yield batch.select(list(columns))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Says which object is at fault where Arrow only says what is."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise DataRefused(
            f"{path} cannot be read as Parquet: {error}. Run the step that made it again"
        ) from error
