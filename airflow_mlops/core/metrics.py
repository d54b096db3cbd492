"""The metrics there are, what each is for, and how a configured one is told apart from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from airflow_mlops.core.values import TaskKind

Direction = Literal["higher", "lower"]
IntervalMethod = Literal["auto", "influence", "bootstrap"]

_BINARY: tuple[TaskKind, ...] = ("binary_classification",)
_MANY: tuple[TaskKind, ...] = ("multiclass_classification",)
_CLASSES: tuple[TaskKind, ...] = (*_BINARY, *_MANY)
_FORECAST: tuple[TaskKind, ...] = ("forecasting",)
_NUMBERS: tuple[TaskKind, ...] = ("regression", *_FORECAST)
_RANKING: tuple[TaskKind, ...] = ("ranking",)


@dataclass(frozen=True, slots=True)
class KnownMetric:
    """``low`` and ``high`` are the ends of what the metric can be; ``params`` are the ones it takes, each
    with its default. ``has_influence`` is False where only a bootstrap gives an interval.
    """

    direction: Direction
    tasks: tuple[TaskKind, ...]
    low: float = float("-inf")
    high: float = float("inf")
    params: Mapping[str, float] = field(default_factory=dict)
    has_influence: bool = True


def _share(*tasks: TaskKind, **params: float) -> KnownMetric:
    return KnownMetric("higher", tasks, 0.0, 1.0, params)


def _error(*tasks: TaskKind, high: float = float("inf"), **params: float) -> KnownMetric:
    return KnownMetric("lower", tasks, 0.0, high, params)


METRICS: Mapping[str, KnownMetric] = {
    "roc_auc": _share(*_BINARY),
    "average_precision": _share(*_BINARY),
    "log_loss": _error(*_CLASSES),
    "brier_score": _error(*_BINARY, high=1.0),
    "accuracy": _share(*_CLASSES),
    "balanced_accuracy": _share(*_CLASSES),
    "f1": _share(*_CLASSES),
    "precision": _share(*_BINARY),
    "recall": _share(*_BINARY),
    "jaccard": _share(*_BINARY),
    "matthews_corrcoef": KnownMetric("higher", _CLASSES, -1.0, 1.0),
    "f1_macro": _share(*_MANY),
    "f1_weighted": _share(*_MANY),
    "precision_macro": _share(*_MANY),
    "recall_macro": _share(*_MANY),
    "roc_auc_ovr": _share(*_MANY),
    "top_k_accuracy": _share(*_MANY, k=2),
    "mean_absolute_error": _error(*_NUMBERS),
    "mean_squared_error": _error(*_NUMBERS),
    "root_mean_squared_error": _error(*_NUMBERS),
    "median_absolute_error": _error(*_NUMBERS),
    "max_error": KnownMetric("lower", _NUMBERS, 0.0, has_influence=False),
    "mean_absolute_percentage_error": _error(*_NUMBERS),
    "mean_squared_log_error": _error(*_NUMBERS),
    "root_mean_squared_log_error": _error(*_NUMBERS),
    "mean_pinball_loss": _error(*_NUMBERS, alpha=0.5),
    "r2": KnownMetric("higher", _NUMBERS, high=1.0),
    "explained_variance": KnownMetric("higher", _NUMBERS, high=1.0),
    "d2_absolute_error_score": KnownMetric("higher", _NUMBERS, high=1.0),
    "symmetric_mean_absolute_percentage_error": _error(*_FORECAST, high=2.0),
    "weighted_absolute_percentage_error": _error(*_FORECAST),
    "mean_absolute_scaled_error": _error(*_FORECAST, season=1),
    "ndcg": _share(*_RANKING, k=0),
    "dcg": KnownMetric("higher", _RANKING, 0.0, params={"k": 0}),
    "mean_reciprocal_rank": _share(*_RANKING, k=0),
    "mean_average_precision": _share(*_RANKING, k=0),
}
"""By scikit-learn's names of scorers, without ``neg_``. ``k=0`` means all places."""

HIGHER_IS_BETTER: frozenset[str] = frozenset(
    name for name, known in METRICS.items() if known.direction == "higher"
)
LOWER_IS_BETTER: frozenset[str] = frozenset(METRICS) - HIGHER_IS_BETTER


_MEANS_OF_ROWS: frozenset[str] = frozenset(
    {
        "log_loss", "brier_score", "accuracy", "mean_absolute_error", "mean_squared_error",
        "mean_absolute_percentage_error", "mean_squared_log_error", "mean_pinball_loss",
        "symmetric_mean_absolute_percentage_error",
    }
)  # fmt: skip


def is_mean_of_rows(metric: str) -> bool:
    """Whether each row has a value of its own, and the metric is their mean: then it can be followed row by
    row as labels land. Of a metric of the table."""
    return metric in _MEANS_OF_ROWS


def direction_of(metric: str, given: Direction | None = None) -> Direction:
    """Whether more or less of a metric is better; ``given`` is that of a metric of somebody's own.

    Raises ``ValueError`` for a metric whose direction is unknown.
    """
    if given is not None:
        return given
    if metric in METRICS:
        return METRICS[metric].direction
    raise ValueError(
        f"nobody knows whether more or less {metric!r} is better; use one of {', '.join(sorted(METRICS))}"
    )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each outcome of a decision costs, or is worth: a number, or the column that has it. ``times``
    is a column that all of it is multiplied by."""

    true_positive: float | str = 0.0
    false_positive: float | str = 0.0
    false_negative: float | str = 0.0
    true_negative: float | str = 0.0
    times: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is read from, each once."""
        parts = (self.true_positive, self.false_positive, self.false_negative, self.true_negative, self.times)
        return tuple(dict.fromkeys(part for part in parts if isinstance(part, str)))

    @property
    def span(self) -> float | None:
        """How far apart two rows can be at most; None where columns decide, or nothing does."""
        worths = (self.true_positive, self.false_positive, self.false_negative, self.true_negative)
        numbers = [worth for worth in worths if not isinstance(worth, str)]
        if self.columns or max(numbers) == min(numbers):
            return None
        return max(numbers) - min(numbers)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric as a model uses it, under the ``name`` that gates and reports call it by.

    One of three: ``metric`` of the table above with its ``params``; ``callable``, the import path of a
    function of the user's; or ``outcomes`` of the decision at the threshold. ``direction`` must be given for
    the last two.
    """

    name: str
    metric: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    callable: str | None = None
    outcomes: Outcomes | None = None
    direction: Direction | None = None

    @property
    def known(self) -> KnownMetric | None:
        """Its line in the table, if it has one."""
        return None if self.metric is None else METRICS[self.metric]

    @property
    def span(self) -> float | None:
        """The distance between the best and the worst that one row can be, where there is one."""
        if self.known is not None:
            width = self.known.high - self.known.low
            return width if isfinite(width) else None
        return None if self.outcomes is None else self.outcomes.span


@dataclass(frozen=True, slots=True)
class Scoring:
    """How predictions are judged: the ``metrics`` that are no plain names of the table, from which
    probability on a row counts as positive, and how intervals are made. Equal seeds give equal intervals.
    """

    metrics: tuple[MetricSpec, ...] = ()
    decision_threshold: float = 0.5
    method: IntervalMethod = "auto"
    resamples: int = 1_000
    seed: int = 0

    def spec(self, name: str) -> MetricSpec | None:
        """What a name stands for, or None."""
        for one in self.metrics:
            if one.name == name:
                return one
        return MetricSpec(name, metric=name) if name in METRICS else None


AS_IT_IS = Scoring()
"""Names of the table, at a threshold of one half, with automatic intervals."""
