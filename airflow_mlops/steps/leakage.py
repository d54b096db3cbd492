"""Leakage: what a model must not know at prediction time, looked for before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.one_feature import Told, halves, told_by
from airflow_mlops.backends.rows import drawn, group_numbers, is_time
from airflow_mlops.backends.twins import twins_of
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.leakage import LeakageSeverity
from airflow_mlops.config.parts.splits import NewestHoldout
from airflow_mlops.core.values import DatasetRef, TaskKind, is_classification
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.columns import as_text

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Leak:
    """What was found, in words and numbers, and a few of the rows at fault, which only a report may show."""

    severity: LeakageSeverity
    what: str
    rows: pd.DataFrame | None = None

    def __str__(self) -> str:
        return self.what


def leaks_of(config: ModelConfig, dataset: DatasetRef, backends: Backends) -> list[Leak]:
    """Every leak that ``validation.leakage`` looks for.

    Raises ``DataRefused`` where a column of ``data.known_at`` holds no times.
    """
    settings = config.validation.leakage
    by_label, by_time = settings.label.enabled, settings.future.enabled and bool(config.data.known_at)
    found: list[Leak] = []
    if by_label or by_time:
        frame = backends.datasets.load(dataset, "all")
        found += _label_in_features(config, frame) if by_label else []
        found += _from_the_future(config, frame) if by_time else []
    if settings.twins.enabled:
        found += _twins(config, dataset, backends)
    return found


def _label_in_features(config: ModelConfig, frame: pd.DataFrame) -> Iterator[Leak]:
    data, settings = config.data, config.validation.leakage.label
    rows = drawn(frame, settings.sample_rows)
    half = halves(
        len(rows),
        groups=None if data.group is None else group_numbers(rows[data.group]),
        by_time=isinstance(data.holdout, NewestHoldout),
    )
    threshold = settings.threshold or _threshold(config.task)
    for name, kind in data.features.items():
        if name in config.validation.leakage.ignore or name == data.group:
            continue
        told = told_by(rows[name], kind, rows[data.label], half, classes=is_classification(config.task))
        if told is not None and told.explained >= threshold:
            said = _said(
                name, data.label, told, bool((as_text(rows[name]) == as_text(rows[data.label])).all())
            )
            shown = rows[[data.key, data.time_column, name, data.label]].head(SHOWN_ROWS)
            yield Leak(settings.severity, said, shown)


def _threshold(task: TaskKind) -> float:
    if is_classification(task):
        return 0.98
    return 0.999 if task == "regression" else 0.9999


def _said(name: str, label: str, told: Told, is_equal: bool) -> str:
    if is_equal:
        return f"{name} is {label} itself: they are equal in all of {told.rows} rows"
    if told.wrong is None:
        return f"{name} alone explains {100 * told.explained:.4g} % of {label} (by rank, {told.rows} rows)"
    return (
        f"{name} alone tells {label}: {told.wrong} of {told.rows} rows are guessed wrong by it, "
        f"{told.wrong_without} without it"
    )


def _from_the_future(config: ModelConfig, frame: pd.DataFrame) -> Iterator[Leak]:
    data, settings = config.data, config.validation.leakage
    for name, column in data.known_at_of.items():
        if name in settings.ignore:
            continue
        known = frame[column]
        if not is_time(known):
            raise DataRefused(
                f"data.known_at says that {column!r} tells when {name!r} was known, but it holds "
                f"{known.dtype}, not times; convert it where the data is made"
            )
        later = (known > frame[data.time_column]) & frame[name].notna()
        if count := int(later.sum()):
            longest = (known - frame[data.time_column])[later].max()
            said = (
                f"{name} is from the future: in {count} of {len(frame)} rows it was known ({column}) only "
                f"after the row's {data.time_column}, by up to {longest}"
            )
            columns = list(dict.fromkeys([data.key, data.time_column, column, name]))
            yield Leak(settings.future.severity, said, frame.loc[later, columns].head(SHOWN_ROWS))


def _twins(config: ModelConfig, dataset: DatasetRef, backends: Backends) -> Iterator[Leak]:
    data, settings = config.data, config.validation.leakage.twins
    training = backends.datasets.load(dataset, "train").tail(settings.sample_rows)
    holdout = backends.datasets.load(dataset, "holdout").tail(settings.sample_rows)
    columns = [*data.features, data.label]
    by_time = isinstance(data.holdout, NewestHoldout)
    twins = twins_of(training, holdout, columns, group=data.group, by_time=by_time)
    if twins is None or not twins.are_too_many(settings.threshold):
        return
    said = (
        f"{int(twins.found.sum())} of {len(holdout)} holdout rows have an exact twin in training, features "
        f"and label; within training {100 * twins.usual:.3g} % of the rows have one"
    )
    yield Leak(settings.severity, said, holdout[twins.found].head(SHOWN_ROWS))
