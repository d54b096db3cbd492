"""Predictions as Parquet: one file a partition, swapped in whole, with its lineage inside and beside it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.batch_shadow import counts_json, shadow_key
from airflow_mlops.backends.log_folder import log_folder
from airflow_mlops.backends.partition_file import PartitionFile, footer
from airflow_mlops.backends.predictions import Piece, ScoreJob
from airflow_mlops.core.scored import ScoredPartition

DATA_FILE = "predictions.parquet"
MANIFEST_FILE = "_manifest.json"
"""Who reads a folder leaves out what begins with an underscore."""
_SCORED = TypeAdapter(ScoredPartition)


class ParquetPredictions:
    """``<folder>/predictions.parquet`` and ``<folder>/_manifest.json``.

    The one file is the partition: it gets its name when it is whole, so a reader sees the rows of one run,
    never some of them or all of them twice. Its footer tells what it was made of. The manifest says the same
    for people and is written last: where a crash left it out, the partition counts as not scored.
    ``log_location`` is where the inference log is, if not in the store.
    """

    def __init__(self, store: ObjectStore, log_location: str | None = None) -> None:
        self._store = store
        self._log_location = log_location

    def score(self, job: ScoreJob, pieces: Iterable[Piece]) -> ScoredPartition:
        """See ``Predictions.score``. A crash at any point is mended by the next run, which writes all of it
        again; only the file that consumers read changes before it is whole everywhere."""
        key = f"{job.folder}/{DATA_FILE}"
        with self._store.exclusive(job.folder):
            with self._store.writing(key) as path, PartitionFile(path, job, self._store.uri(key)) as file:
                for piece in pieces:
                    file.add(piece)
                scored = file.finish()
            self._keep_log(job, file.log.as_parquet())
            if scored.shadow is not None:
                kept = shadow_key(job.model, scored.shadow.challenger.version, job.partition.name)
                self._store.put(kept, counts_json(scored.shadow))
            self._store.put(f"{job.folder}/{MANIFEST_FILE}", _SCORED.dump_json(scored, indent=2))
        return scored

    def kept(self, folder: str) -> ScoredPartition | None:
        """What the manifest says, if the file beside it says the same."""
        try:
            told = _SCORED.validate_json(self._store.get(f"{folder}/{MANIFEST_FILE}"))
            file = self._store.local_path(f"{folder}/{DATA_FILE}")
        except (KeyError, ValidationError):
            return None
        return told if footer(file) == told else None

    def _keep_log(self, job: ScoreJob, body: bytes) -> None:
        """One file a partition, whatever run wrote it: scoring it again leaves no row twice. It lies where
        the model server's Parquet files do, outside of the days that are compacted and removed."""
        name = f"scored/{job.partition.name}.parquet"
        if self._log_location is None:
            self._store.put(f"inference/{job.model}/{name}", body)
            return
        with log_folder(self._log_location, job.model).writing(name) as file:
            file.write(body)
