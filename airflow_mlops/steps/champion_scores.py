"""A model's scores on its holdout: kept with its training run, and found again when it is champion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.shift.distributions import reference_scores, shown
from airflow_mlops.backends.shift.encoding import sampled
from airflow_mlops.backends.shift.samples import ANSWER
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.shift.reference import ReferenceScores
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.run_files import PREDICTIONS_FILE

if TYPE_CHECKING:
    import pandas as pd

SCORES_FILE = "scores.json"
SAMPLE_FILE = "scores_sample.parquet"
SAMPLE_ROWS = 20_000
SEED = 0
LABEL = "mlops_label"


@dataclass(frozen=True, slots=True, eq=False)
class KeptScores:
    """``sample`` are holdout rows, features, label (``LABEL``) and the model's answer (of several classes the
    most probable one's number), at most ``SAMPLE_ROWS`` drawn at random; ``scores`` are of all holdout rows.
    """

    scores: ReferenceScores
    sample: pd.DataFrame

    @property
    def features(self) -> list[str]:
        """What the model was asked with."""
        return [str(name) for name in self.sample.columns if name not in (ANSWER, LABEL)]


def keep_scores(
    run_id: str, config: ModelConfig, rows: pd.DataFrame, answers: Any, backends: Backends
) -> None:
    """Write down what a model answered to its holdout, for the day on which it is champion."""
    data = config.data
    kept = KeptScores(
        reference_scores(answers, rows[data.label], config.task),
        sampled(
            rows[list(data.features)].assign(
                **{ANSWER: shown(answers, config.task), LABEL: rows[data.label]}
            ),
            SAMPLE_ROWS,
            SEED,
        ),
    )
    _write(run_id, kept, backends.tracking)


def kept_scores(champion: ModelRef, config: ModelConfig, backends: Backends) -> KeptScores | None:
    """The champion's own scores; None where its run has none, and too little is left to make them anew.

    A champion of an earlier release has the answers, row by row, but not these files, or no labels in
    the sample: they are made once and kept with it.
    """
    run_id = backends.tracking.run_of(champion).run_id
    try:
        scores = backends.tracking.read_file(run_id, SCORES_FILE)
        sample = backends.tracking.read_file(run_id, SAMPLE_FILE)
    except KeyError:
        return _made_and_kept(run_id, config, backends)
    kept = KeptScores(TypeAdapter(ReferenceScores).validate_json(scores), parquet_bytes.from_bytes(sample))
    return kept if LABEL in kept.sample else _made_and_kept(run_id, config, backends) or kept


def _made_and_kept(run_id: str, config: ModelConfig, backends: Backends) -> KeptScores | None:
    made = _made_anew(run_id, config, backends)
    if made is not None:
        _write(run_id, made, backends.tracking)
    return made


def _write(run_id: str, kept: KeptScores, tracking: Tracking) -> None:
    plain = TypeAdapter(ReferenceScores).dump_python(kept.scores, mode="json")
    sample = parquet_bytes.to_bytes(parquet_bytes.as_table(kept.sample))
    tracking.log_file(run_id, SAMPLE_FILE, sample)
    # Last: whoever finds it finds the other.
    tracking.log_file(run_id, SCORES_FILE, json.dumps(plain).encode())


def _made_anew(run_id: str, config: ModelConfig, backends: Backends) -> KeptScores | None:
    """From the answers that the evaluation kept, and the snapshot's features of the same keys."""
    tags, data = backends.tracking.tags_of(run_id), config.data
    try:
        answered = parquet_bytes.from_bytes(backends.tracking.read_file(run_id, PREDICTIONS_FILE))
    except KeyError:
        return None
    own = [name for name in answered if name == "challenger" or name.startswith("challenger_")]
    if not own or "mlops.dataset_uri" not in tags:
        return None
    uri, at = tags["mlops.dataset_uri"], [data.key, data.time_column]
    there = backends.datasets.schema(uri) or data.features
    features = [name for name in data.features if name in there]
    try:
        rows = backends.datasets.load_frame(uri, columns=[*at, *features])
    except DataRefused:  # the snapshot is gone
        return None
    # A key comes again and again, in training rows and in the holdout: its time says which row is meant.
    joined = answered.merge(rows.drop_duplicates(at), on=at)
    if not len(joined) or data.label not in joined:
        return None
    answers = joined[own[0]].to_numpy() if own == ["challenger"] else joined[own].to_numpy()
    sample = joined[features].assign(**{ANSWER: shown(answers, config.task), LABEL: joined[data.label]})
    return KeptScores(
        reference_scores(answers, joined[data.label], config.task), sampled(sample, SAMPLE_ROWS, SEED)
    )
