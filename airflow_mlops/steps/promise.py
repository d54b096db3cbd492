"""The promise: what a version showed on its holdout, from the files that its training run keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.class_chances import kept_answers
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import Estimate, Evaluation, ModelRef
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.run_files import EVALUATION_FILE, PREDICTIONS_FILE

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Promise:
    """``estimate`` is of the watched metric, None where the run's evaluation has none. ``holdout`` has the
    holdout's rows under the inference log's names (``key``, ``event_time``, ``prediction``) and their
    ``label``; None where the run keeps no such file. Of several classes the answer is the most probable
    one's number, as in the log, and each has its probability beside it (``probability_0``...)."""

    model: ModelRef
    estimate: Estimate | None
    holdout: pd.DataFrame | None


def promise_of(model: ModelRef, metric: str, config: ModelConfig, backends: Backends) -> Promise:
    """What a version promised at promotion."""
    data = config.data
    names = {data.key: "key", data.time_column: "event_time", data.label: "label", "challenger": "prediction"}
    run_id = backends.tracking.run_of(model).run_id
    estimate: Estimate | None = None
    holdout: pd.DataFrame | None = None
    try:
        kept = backends.tracking.read_file(run_id, EVALUATION_FILE)
        estimate = TypeAdapter(Evaluation).validate_json(kept).challenger.get(metric)
        rows = parquet_bytes.from_bytes(backends.tracking.read_file(run_id, PREDICTIONS_FILE))
        if set(names) <= set(rows.columns):
            holdout = rows[list(names)].rename(columns=names)
        elif config.task == "multiclass_classification":
            del names["challenger"]
            answers = [name for name in rows if str(name).startswith("challenger_")]
            if answers and set(names) <= set(rows.columns):
                holdout = kept_answers(rows, answers, names)
    except KeyError:
        pass  # an older release kept less: what is missing is judged without
    return Promise(model, estimate, holdout)


def holdout_with(
    promise: Promise, columns: Sequence[str], config: ModelConfig, backends: Backends
) -> pd.DataFrame | None:
    """The holdout's rows with more of their columns, from the snapshot; None where that is gone, or never had
    these columns."""
    if promise.holdout is None:
        return None
    tags = backends.tracking.tags_of(backends.tracking.run_of(promise.model).run_id)
    uri, key, time = tags.get("mlops.dataset_uri"), config.data.key, config.data.time_column
    if uri is None:
        return None
    try:
        rows = backends.datasets.load_frame(uri, columns=[key, time, *columns])
    except DataRefused:
        return None
    rows = rows.rename(columns={key: "key", time: "event_time"}).drop_duplicates(["key", "event_time"])
    return promise.holdout.merge(rows, on=["key", "event_time"])
