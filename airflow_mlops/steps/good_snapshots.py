"""Snapshots that passed their validation: what a run falls back on where its own rows are refused."""

from __future__ import annotations

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.healing import last_good_snapshot
from airflow_mlops.core.values import DatasetRef, RunInfo
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.record import entry

_DATASET = TypeAdapter(DatasetRef)


def note_good(config: ModelConfig, run: RunInfo, dataset: DatasetRef, backends: Backends) -> None:
    """Write down that a snapshot passed; the same on every retry."""
    backends.ledger.append(
        entry(
            config,
            run,
            "validated",
            dataset.version,
            window=dataset.window,
            data_version=dataset.version,
            data={"dataset": _DATASET.dump_python(dataset, mode="json")},
        )
    )


def last_good(
    config: ModelConfig, window: Window, refused: str | None, backends: Backends
) -> DatasetRef | None:
    """The latest one up to the end of the window, if it has the columns that the YAML has now, is still in
    the store and as it was saved; else None. ``refused`` is the version that it is to stand in for."""
    entries = backends.ledger.entries(config.model, ["validated"])
    found = last_good_snapshot(entries, window.end, but=refused)
    if found is None:
        return None
    dataset = _DATASET.validate_python(found.data["dataset"])
    try:
        schema = backends.datasets.schema(dataset.uri)
        backends.datasets.proven_file(dataset)
    except DataRefused:
        return None
    return dataset if schema is not None and set(config.columns) <= schema.keys() else None
