"""Drift beyond single columns: of scores, of labels, of several columns at once, and what explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.shift.distributions import of_labels, prediction_shift
from airflow_mlops.backends.shift.pictures import picture
from airflow_mlops.backends.shift.samples import ANSWER, answered, own_rows
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_beyond import Multivariate
from airflow_mlops.core.shift.beyond import Beyond, Counting, TargetShift
from airflow_mlops.core.shift.distribution import Shift
from airflow_mlops.core.shift.multivariate import Together, judged
from airflow_mlops.core.shift.picture import Picture
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.champion_scores import SEED, KeptScores, kept_scores
from airflow_mlops.steps.drift_explained import explained
from airflow_mlops.steps.labels import landed_labels
from airflow_mlops.steps.requests import CollectedRequest

if TYPE_CHECKING:
    import pandas as pd

ROWS = 20_000
"""Of the window, at most: what is drawn to be explained."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Rows drawn at random: of what the champion was trained and evaluated on, and of the window, with the
    features of ``kinds`` and in the same columns."""

    reference: pd.DataFrame
    window: pd.DataFrame
    kinds: Mapping[str, ColumnKind]

    @property
    def pictures(self) -> dict[str, Picture]:
        """What can be drawn of the columns."""
        drawn = {
            name: picture(name, kind, self.reference[name], self.window[name])
            for name, kind in self.kinds.items()
        }
        return {name: one for name, one in drawn.items() if one is not None}


def beyond_columns(
    request: CollectedRequest, samples: Samples, ranked: Sequence[str], backends: Backends
) -> Beyond:
    """``ranked`` are the features, those that moved most first. What cannot be said is named, and stops no
    monitoring."""
    drift, champion = request.config.monitor.drift, request.collected.champion
    counting = Counting(
        multivariate=drift.multivariate is not None and drift.multivariate.counts,
        predictions=drift.predictions.counts,
        target=drift.target.counts,
    )
    together, unsaid = _together(request.config, samples, backends)
    window = ParquetRows("window's", (backends.datasets.file(request.collected.uri),))
    kept = kept_scores(champion, request.config, backends)
    if kept is None:
        unsaid += (f"scores: {champion} keeps none of its holdout, so there are none to compare with",)
        return Beyond(together=together, counting=counting, unsaid=unsaid)
    own = own_rows(window, champion.version, kept.features, ROWS)
    if not own.rows:
        unsaid += (f"scores: no row of the window was answered by {champion}",)
        return Beyond(together=together, counting=counting, unsaid=unsaid)
    told = explained(request, kept, own, ranked, backends)
    several = request.config.task == "multiclass_classification"
    target, unlike = _target(request, kept, window, own.rows, backends)
    return Beyond(
        predictions=prediction_shift(kept.scores, own.served, drift.predictions.threshold, told.answers),
        target=target,
        together=together,
        attribution=told.attribution,
        slices=told.slices,
        counting=counting,
        scores=picture(
            "scores", "categorical" if several else "numeric", kept.sample[ANSWER], own.sample[ANSWER]
        ),
        unsaid=(*unsaid, *told.unsaid, *unlike),
    )


def _together(
    config: ModelConfig, rows: Samples, backends: Backends
) -> tuple[tuple[Together, ...], tuple[str, ...]]:
    """All named features at once, and each group by itself; and what could not be measured."""
    settings = config.monitor.drift.multivariate
    if settings is None:
        return (), ()
    measure, found, unsaid = backends.multivariate(settings.method), [], []
    for name, columns in _groups(settings, rows.kinds).items():
        try:
            found.append(measure(name, rows.reference, rows.window, columns, rows=settings.rows, seed=SEED))
        except DataRefused as error:
            unsaid.append(f"{name} together: {error}")
    return judged(found, settings.threshold), tuple(unsaid)


def _groups(settings: Multivariate, kinds: Mapping[str, ColumnKind]) -> dict[str, dict[str, ColumnKind]]:
    wanted = settings.columns or tuple(kinds)
    everything = {name: kind for name, kind in kinds.items() if name in wanted}
    groups = {
        name: {column: kinds[column] for column in kinds if _matches(column, columns)}
        for name, columns in settings.groups.items()
    }
    return {"all features" if not settings.columns else f"{len(everything)} features": everything, **groups}


def _matches(column: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(column, pattern) for pattern in patterns)


def _target(
    request: CollectedRequest, kept: KeptScores, window: ParquetRows, answers: int, backends: Backends
) -> tuple[TargetShift | None, tuple[str, ...]]:
    """None where the YAML names no labels, or none has landed for what the champion answered; and what could
    not be compared."""
    config, monitor = request.config, request.config.monitor
    if monitor.labels is None:
        return None, ()
    by = monitor.labels.join
    landed = landed_labels(config, monitor.labels, request.collected.window, backends, (by,))
    if by == "key":  # a request may have several rows, and a label for each
        landed = landed.drop_duplicates("key")
    own = landed.loc[answered(window, request.collected.champion.version, by, landed[by]), "label"]
    try:
        labels = of_labels(own, config.task, kept.scores.labels)
    except DataRefused as error:
        return None, (f"labels: {error}",)
    if not labels.rows:
        return None, ()
    return TargetShift(Shift(kept.scores.labels, labels, monitor.drift.target.threshold), answers), ()
