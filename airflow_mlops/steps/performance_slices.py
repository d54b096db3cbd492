"""Slices: the metric in parts of the rows, each against what the champion's holdout showed in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.gates_groups import SlicesGate
from airflow_mlops.core.decay import JudgedSlice, SlicePerformance, judge_slices
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.columns import typed
from airflow_mlops.steps.labels import Joined
from airflow_mlops.steps.promise import Promise, holdout_with
from airflow_mlops.steps.window_score import measure, watched


@dataclass(frozen=True, slots=True)
class _Cut:
    columns: tuple[str, ...]
    bins: int
    edges: Mapping[str, Sequence[float]]


def judged_slices(
    config: ModelConfig, joined: Joined, promise: Promise, backends: Backends
) -> list[JudgedSlice]:
    """Every slice that both the holdout and the labelled answers have rows enough of, the worst first."""
    settings = watched(config)
    return judge_slices(
        settings.metric,
        list(_measured(config, joined, promise, backends)),
        tolerance=settings.tolerance,
        confidence=config.evaluation.confidence,
        correction=settings.slices.correction,
        direction=config.evaluation.direction(settings.metric),
    )


def slice_columns(config: ModelConfig) -> list[str]:
    """The columns that slices are cut by."""
    return list(dict.fromkeys(name for cut in _cuts(config) for name in cut.columns))


def _measured(
    config: ModelConfig, joined: Joined, promise: Promise, backends: Backends
) -> Iterator[SlicePerformance]:
    from airflow_mlops.backends.slice_pairs import slice_pairs

    cuts, columns = list(_cuts(config)), slice_columns(config)
    least = watched(config).slices.minimum_rows
    if not cuts or len(joined.labelled) < least:
        return
    holdout = holdout_with(promise, columns, config, backends)
    if holdout is None:
        return
    kinds = {name: config.data.features[name] for name in columns}
    try:
        holdout, served = typed(holdout, kinds), typed(joined.labelled, kinds)
    except DataRefused:  # the column was of another kind when the champion was trained
        return
    for cut in cuts:
        for pair in slice_pairs(
            holdout, served, cut.columns, bins=cut.bins, edges=cut.edges, minimum_rows=least
        ):
            try:
                yield SlicePerformance(
                    pair.name,
                    measure(config, pair.served, backends),
                    measure(config, pair.holdout, backends),
                    len(pair.served),
                )
            except DataRefused:  # one class only: nothing can be said of it
                continue


def _cuts(config: ModelConfig) -> Iterator[_Cut]:
    """Those that the file names, else those of its gates. The inference log keeps features only."""
    own = watched(config).slices
    if own.by:
        yield from (_Cut(columns, own.bins, own.edges) for columns in own.by)
        return
    for rule in config.gates.rules:
        if isinstance(rule, SlicesGate):
            for columns in rule.by:
                if set(columns) <= config.data.features.keys():
                    yield _Cut(columns, rule.bins, rule.edges)
