"""The part of a partition that the inference log keeps, in the columns that the model server writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.batch_answers import Answers, errors_of
from airflow_mlops.backends.batch_sample import SmallestHashes
from airflow_mlops.backends.batch_shadow import Shadowed
from airflow_mlops.backends.predictions import Piece, ScoreJob
from airflow_mlops.core.rollout import rollout_id
from airflow_mlops.core.values import Role

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# No feature is called like these, for their names are the log's own or begin with two underscores.
_SHOWN, _THEIRS, _THEIR_ERROR = "__shown", "__theirs", "__their_error"


class BatchLog:
    """A sample of the rows with the champion's answers and, for those that a challenger was shown, with its
    own under one request id: drift, performance and paired comparisons read them like any other."""

    def __init__(self, job: ScoreJob) -> None:
        self._job = job
        self._sample = SmallestHashes(job.log_rows)

    def add(self, piece: Piece, found: Answers, drawn: Any, shadowed: Shadowed | None) -> None:
        """Take up those of a piece's rows that may be in the sample."""
        import numpy as np

        wanted = self._sample.wanted(drawn)
        if not wanted.any():
            return
        rows, features, count = piece.rows[wanted], piece.features[wanted], len(piece.rows)
        shown, theirs, error = np.zeros(count, dtype=bool), np.full(count, np.nan), None
        if shadowed is not None:
            shown = shadowed.rows
            theirs[shown], error = shadowed.prediction, shadowed.error
        frame = features.assign(
            key=_texts(rows[self._job.key]),
            event_time=rows[self._job.time],
            prediction=found.prediction[wanted],
            **{_SHOWN: shown[wanted], _THEIRS: theirs[wanted], _THEIR_ERROR: error},
        )
        self._sample.add(frame, drawn[wanted])

    def as_parquet(self) -> bytes:
        """The rows of the champion and of the challenger, as one file."""
        import pandas as pd
        import pyarrow as pa

        frames = list(self._sample.frames())
        if not frames:
            return parquet_bytes.to_bytes(pa.table(_own_columns(self._job, "champion", "", [], [], [], [])))
        sample = pd.concat(frames, ignore_index=True)
        tables = [self._table(sample, "champion", self._job.champion.ref.version, sample["prediction"])]
        shown = sample[sample[_SHOWN]]
        if self._job.challenger is not None and len(shown):
            tables.append(self._table(shown, "shadow", self._job.challenger.ref.version, shown[_THEIRS]))
        return parquet_bytes.to_bytes(pa.concat_tables(tables, promote_options="default"))

    def _table(self, sample: pd.DataFrame, role: Role, version: str, answers: pd.Series) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        answers = answers.to_numpy()
        errors = errors_of(np.isnan(answers))
        if role == "shadow":
            raised = sample[_THEIR_ERROR]
            errors = np.where(raised.notna(), raised, errors)
        own = _own_columns(
            self._job, role, version, list(sample["key"]), sample["event_time"], answers, errors
        )
        left_out = {"key", "event_time", "prediction", _SHOWN, _THEIRS, _THEIR_ERROR}
        features = {str(name): _feature(sample[name]) for name in sample.columns if name not in left_out}
        return pa.table({**own, **features})


def _own_columns(
    job: ScoreJob, role: Role, version: str, keys: list[Any], times: Any, answers: Any, errors: Any
) -> dict[str, Any]:
    import pyarrow as pa

    count, time = len(keys), pa.timestamp("us", tz="UTC")
    challenger = job.challenger
    stage = "none" if challenger is None else "shadow"
    rollout = None if challenger is None else rollout_id(job.model, challenger.ref.version)
    return {
        "request_id": pa.array([f"{job.partition.name}/{key}" for key in keys], pa.string()),
        "key": pa.array(keys, pa.string()),
        "event_time": pa.array(times, time),
        "received_at": pa.array([job.scored_at] * count, time),
        "version": pa.array([version] * count, pa.string()),
        "role": pa.array([role] * count, pa.string()),
        "mode": pa.array([stage] * count, pa.string()),
        "weight": pa.array([0.0] * count, pa.float64()),
        "rollout_id": pa.array([rollout] * count, pa.string()),
        "prediction": pa.array(answers, pa.float64(), from_pandas=True),
        "error": pa.array(errors, pa.string()),
        "latency_seconds": pa.array([None] * count, pa.float64()),
    }


def _texts(column: pd.Series) -> pd.Series:
    """Keys as the model server logs them: ``7``, not ``7.0``."""
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iu":
        return column.astype("int64" if not column.isna().any() else "Int64").astype("string").astype(object)
    return column.astype(object).where(column.notna(), None).map(str, na_action="ignore")


def _feature(column: pd.Series) -> pa.Array:
    import pyarrow as pa

    if getattr(column.dtype, "kind", "O") in "biuf":
        return pa.array(column.astype("float64"), pa.float64(), from_pandas=True)
    return pa.array(column.astype(object).where(column.notna(), None), pa.string())
