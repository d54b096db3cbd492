"""Snapshots: immutable Parquet objects whose version is the hash of what they hold."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import PART_COLUMN, DatasetRef, SnapshotPart
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused, StoreUnavailable

if TYPE_CHECKING:
    import pandas as pd

_PIECE = 1 << 20


class ParquetDatasets:
    """``snapshots/<model>/<version>.parquet`` and its manifest ``<version>.json``.

    The version is the sha256 of the manifest, the manifest holds the sha256 of the bytes: whoever knows
    the version can prove the rows. Equal rows give the equal version with one version of pyarrow; another
    pyarrow may write other bytes for the same rows, and then the version differs although nothing else does.

    Where the time alone does not tell a row's part, a column of our own does, which no reader sees.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def save(
        self,
        frame: pd.DataFrame,
        *,
        model: str,
        window: Window,
        time_column: str,
        holdout_start: datetime,
        parts: Sequence[SnapshotPart] | None = None,
    ) -> DatasetRef:
        """Keep a frame. Raises ``DataRefused`` where its times are missing or are no times, and
        ``ValueError`` where ``parts`` are not as many as its rows."""
        if PART_COLUMN in frame:
            raise DataRefused(f"{PART_COLUMN!r} is a snapshot's own column; call yours otherwise")
        table = parquet_bytes.as_table(frame)
        from_start = _rows_from(table, time_column, holdout_start)
        if parts is None:
            body, sizes = parquet_bytes.to_bytes(table), {"holdout_rows": from_start}
        else:
            body = parquet_bytes.to_bytes(_with_parts(table, parts))
            count = Counter(parts)
            sizes = {"holdout_rows": count["holdout"], "left_out_rows": count["left_out"]}
        manifest = {
            "sha256": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "rows": table.num_rows,
            **sizes,
            "schema": {field.name: str(field.type) for field in table.schema},
            "schema_hash": parquet_bytes.schema_hash(table),
            "window": [_utc(window.start), _utc(window.end)],
            "time_column": time_column,
            "holdout_start": _utc(holdout_start),
        }
        version = content_hash(manifest)
        uri = self._store.put(f"snapshots/{model}/{version}.parquet", body)
        self._store.put(f"snapshots/{model}/{version}.json", json.dumps(manifest, indent=2).encode())
        return DatasetRef(
            uri=uri,
            version=version,
            rows=table.num_rows,
            holdout_rows=sizes["holdout_rows"],
            window=window,
            holdout_start=holdout_start,
            schema_hash=manifest["schema_hash"],
            left_out_rows=sizes.get("left_out_rows", 0),
        )

    def load(self, dataset: DatasetRef, part: Literal["all"] | SnapshotPart) -> pd.DataFrame:
        """The rows as they were saved, proven by the version, numbered from 0.

        Raises ``DataRefused`` where the object or its manifest was changed or is gone.
        """
        manifest = self._manifest(dataset)
        body = self._read(dataset.uri)
        if hashlib.sha256(body).hexdigest() != manifest["sha256"]:
            raise _changed(dataset, "its bytes are not the ones that were saved")
        frame = parquet_bytes.from_bytes(body)
        parts = frame.pop(PART_COLUMN) if PART_COLUMN in frame else None
        if part == "all":
            return frame
        if parts is not None:
            return frame[parts == part].reset_index(drop=True)
        is_holdout = frame[manifest["time_column"]] >= dataset.holdout_start
        wanted = {"holdout": is_holdout, "train": ~is_holdout}.get(part, is_holdout & False)
        return frame[wanted].reset_index(drop=True)

    def schema(self, uri: str) -> dict[str, str] | None:
        """Column to Arrow type of a snapshot, from its manifest; None where that is gone or no manifest."""
        try:
            manifest = json.loads(self._store.local_path(uri.removesuffix(".parquet") + ".json").read_bytes())
            return {str(name): str(kind) for name, kind in manifest["schema"].items()}
        except (KeyError, OSError, ValueError, TypeError, AttributeError):
            return None

    def extent(self, uri: str) -> tuple[int, Window] | None:
        """A snapshot's rows and window, from its manifest; None where that is gone or no manifest."""
        try:
            manifest = json.loads(self._store.local_path(uri.removesuffix(".parquet") + ".json").read_bytes())
            start, end = (datetime.fromisoformat(moment) for moment in manifest["window"])
            return int(manifest["rows"]), Window(start, end)
        except (KeyError, OSError, ValueError, TypeError, AttributeError):
            return None

    def proven_file(self, dataset: DatasetRef) -> Path:
        """The snapshot's own file, proven by the version. Raises ``DataRefused`` as ``load`` does."""
        path, proof = self._path(dataset.uri), hashlib.sha256()
        sha256 = self._manifest(dataset)["sha256"]
        try:
            with path.open("rb") as body:
                while piece := body.read(_PIECE):
                    proof.update(piece)
        except OSError as error:
            raise _unreadable(dataset.uri, error) from error
        if proof.hexdigest() != sha256:
            raise _changed(dataset, "its bytes are not the ones that were saved")
        return path

    def save_frame(self, key: str, frame: pd.DataFrame) -> str:
        """Keep any frame under a key; its URI."""
        return self._store.put(key, parquet_bytes.to_bytes(parquet_bytes.as_table(frame)))

    def load_frame(self, uri: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A frame kept by ``save`` or ``save_frame``, not proven; or some of its columns, without reading the
        others. Raises ``DataRefused`` where it is gone, cannot be read, or has no such column."""
        import pyarrow as pa

        path = self._path(uri)
        try:
            with path.open("rb") as file:
                frame = parquet_bytes.from_file(file, columns)
        except (pa.ArrowInvalid, OSError) as error:
            if getattr(error, "errno", None) is not None:  # the disk's own error, not that of what it holds
                raise _unreadable(uri, error) from error
            raise DataRefused(f"{uri} cannot be read as Parquet: {raised(error)}") from None
        if PART_COLUMN in frame:
            del frame[PART_COLUMN]
        return frame

    def file(self, uri: str) -> Path:
        """The Parquet file of a frame, not proven. Raises ``DataRefused`` where it is gone."""
        return self._path(uri)

    def _manifest(self, dataset: DatasetRef) -> dict[str, Any]:
        body = self._read(dataset.uri.removesuffix(".parquet") + ".json")
        try:
            manifest: dict[str, Any] = json.loads(body)
        except ValueError as error:
            raise _changed(dataset, "its manifest is not JSON") from error
        if content_hash(manifest) != dataset.version:
            raise _changed(dataset, "its manifest is not the one that was saved")
        return manifest

    def _read(self, uri: str) -> bytes:
        path = self._path(uri)
        try:
            return path.read_bytes()
        except OSError as error:
            raise _unreadable(uri, error) from error

    def _path(self, uri: str) -> Path:
        try:
            return self._store.local_path(uri)
        except KeyError as error:
            raise _gone(uri) from error
        except OSError as error:
            raise _unreadable(uri, error) from error


def _unreadable(uri: str, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"{uri} cannot be read: {error}. Is the disk healthy?")


def _with_parts(table: Any, parts: Sequence[SnapshotPart]) -> Any:
    import pyarrow as pa

    if len(parts) != table.num_rows:
        raise ValueError(f"{len(parts)} parts do not fit {table.num_rows} rows")
    return table.append_column(PART_COLUMN, pa.array(parts, pa.string()))


def _rows_from(table: Any, time_column: str, moment: datetime) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if time_column not in table.column_names:
        raise DataRefused(f"no time column {time_column!r}; there are: {', '.join(table.column_names)}")
    times = table[time_column]
    if not pa.types.is_timestamp(times.type):
        raise DataRefused(f"the time column {time_column!r} holds {times.type}, not times")
    if times.null_count:
        raise DataRefused(f"{times.null_count} of {len(times)} rows have no {time_column!r}")
    later = pc.greater_equal(times, pa.scalar(moment, times.type))
    return int(pc.sum(later).as_py() or 0)


def _gone(uri: str) -> DataRefused:
    return DataRefused(
        f"{uri} is gone from the store; run the step that made it again, or restore it from a backup"
    )


def _changed(dataset: DatasetRef, what: str) -> DataRefused:
    return DataRefused(
        f"snapshot {dataset.version[:12]} at {dataset.uri} was changed after it was saved: {what}. "
        "Take a new snapshot (clear the run from its snapshot task on); never edit one"
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat()
