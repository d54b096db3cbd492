"""Taken features: which of the YAML's features a version takes, as numbers or as text like today's YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.material import ANSWERS_FILE
from airflow_mlops.core.values import ColumnKind, ModelRef
from airflow_mlops.exceptions import ModelRefused


def taken_features(model: ModelRef, kinds: Mapping[str, ColumnKind], backends: Backends) -> tuple[str, ...]:
    """By the training rows whose answers a run keeps; of a run that keeps none by its snapshot, which may
    have more columns than the model takes. All of them where nobody knows."""
    try:
        run_id = backends.tracking.run_of(model).run_id
    except ModelRefused:  # deleted from the registry, or of no run
        return tuple(kinds)
    known = _by_answers(run_id, backends)
    known = _by_snapshot(run_id, backends) if known is None else known
    if known is None:
        return tuple(kinds)
    return tuple(
        name for name, kind in kinds.items() if name in known and known[name] in (None, kind != "numeric")
    )


def _by_answers(run_id: str, backends: Backends) -> dict[str, bool | None] | None:
    """Each feature, and whether it is text; None of one without a value in these few rows."""
    try:
        rows = json.loads(backends.tracking.read_file(run_id, ANSWERS_FILE))["rows"]
        return {name: _is_text([row[name] for row in rows]) for name in rows[0]}
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _is_text(values: list[Any]) -> bool | None:
    there = [value for value in values if value is not None and value == value]
    return isinstance(there[0], str) if there else None


def _by_snapshot(run_id: str, backends: Backends) -> dict[str, bool | None] | None:
    uri = backends.tracking.tags_of(run_id).get("mlops.dataset_uri")
    schema = None if uri is None else backends.datasets.schema(uri)
    return None if schema is None else {name: "string" in kind for name, kind in schema.items()}
