"""Metrics with confidence intervals, and the paired difference of two models on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_mlops.backends.bootstrap import deviations
from airflow_mlops.backends.intervals import (
    Judged,
    from_deviations,
    paired,
    paired_test,
    single,
    single_test,
    tail_shares,
)
from airflow_mlops.backends.metric_forms import Answers, statistic
from airflow_mlops.backends.metric_inputs import checked, checked_scores, numbered_groups
from airflow_mlops.backends.metric_own import from_function, from_outcomes
from airflow_mlops.backends.metric_rows import by_row
from airflow_mlops.backends.scoring import NOTHING, Beside
from airflow_mlops.backends.statistic import Statistic, Units
from airflow_mlops.backends.statistic_other import Maximum
from airflow_mlops.core.metrics import AS_IT_IS, METRICS, Direction, MetricSpec, Scoring, direction_of
from airflow_mlops.core.proportions import Sided, certain, quantile
from airflow_mlops.core.values import Estimate, TaskKind, is_classification
from airflow_mlops.exceptions import ConfigError, DataRefused


class InfluenceMetrics:
    """Values are scikit-learn's; intervals come from the rows' influences, a score test or a bootstrap.

    Binary labels are booleans, 0 or 1, and the prediction is the probability of 1; it counts as 1 from the
    decision threshold on. Multiclass predictions have one column per class in the order of the sorted labels.
    Without groups, rows are taken as independent: where they come in groups all the same (flights of one
    storm) the intervals are too narrow.
    """

    def __init__(self, task: TaskKind, scoring: Scoring = AS_IT_IS) -> None:
        self._task = task
        self._scoring = scoring

    def score(
        self,
        metrics: Sequence[str],
        label: Any,
        prediction: Any,
        confidence: float,
        *,
        beside: Beside = NOTHING,
    ) -> dict[str, Estimate]:
        """Each metric's estimate. An interval of a share (AUC, F1...) is symmetric on the logit scale, or
        Wilson's where the share is one of independent rows, so that it stays between 0 and 1."""
        sample = self._sample(metrics, label, beside)
        own = sample.of(prediction)
        z = quantile(confidence)
        drawn = self._drawn(sample, [(one,) for one in own])
        return {
            spec.name: single(judged, z)
            if spec.name not in drawn
            else from_deviations(judged, drawn[spec.name], confidence)
            for spec, judged in sample.judged(own)
        }

    def difference(
        self,
        metrics: Sequence[str],
        label: Any,
        challenger: Any,
        champion: Any,
        confidence: float,
        *,
        beside: Beside = NOTHING,
    ) -> dict[str, Estimate]:
        """Challenger minus champion, paired by row. Two models that answer alike differ by exactly 0."""
        sample = self._sample(metrics, label, beside)
        ours, theirs = sample.of(challenger), sample.of(champion)
        if sample.equal(challenger, champion):
            return {name: Estimate(0.0, 0.0, 0.0) for name in metrics}
        z = quantile(confidence)
        drawn = self._drawn(sample, list(zip(ours, theirs, strict=True)))
        found = {}
        for (spec, one), other in zip(sample.judged(ours), theirs, strict=True):
            if spec.name in drawn:
                found[spec.name] = from_deviations(one, drawn[spec.name], confidence, against=other)
            else:
                found[spec.name] = paired(one, other, z)
        return found

    def by_row(self, metric: str, label: Any, prediction: Any, *, beside: Beside = NOTHING) -> Any:
        """The metric's value of each row; see ``metric_rows``."""
        return by_row(self._task, self._scoring, self._spec(metric), label, prediction, beside)

    def direction(self, metric: str) -> Direction:
        spec = self._spec(metric)
        return direction_of(spec.metric or spec.name, spec.direction)

    def test(
        self,
        metric: str,
        label: Any,
        prediction: Any,
        bound: float,
        *,
        against: Any = None,
        beside: Beside = NOTHING,
    ) -> Sided:
        """Both one-sided p-values, by the test that the interval inverts; of a bootstrap, the resamples'
        share on the other side of the bound."""
        sample = self._sample([metric], label, beside)
        own = sample.of(prediction)
        other = None if against is None else sample.of(against)
        if other is not None and sample.equal(prediction, against):
            return certain(0.0, bound)
        drawn = self._drawn(sample, [(own[0],) if other is None else (own[0], other[0])])
        ((_, judged),) = sample.judged(own)
        gap = own[0].value - (0.0 if other is None else other[0].value)
        if metric in drawn:
            return tail_shares(gap, drawn[metric], bound)
        return single_test(judged, bound) if other is None else paired_test(judged, other[0], bound)

    def _sample(self, metrics: Sequence[str], label: Any, beside: Beside) -> _Sample:
        import numpy as np

        specs = [self._spec(name) for name in metrics]
        labels = np.asarray(label)
        group = numbered_groups(beside.groups, len(labels), self._task)
        return _Sample(self._task, self._scoring, specs, labels, label, beside, group)

    def _spec(self, name: str) -> MetricSpec:
        spec = self._scoring.spec(name)
        if spec is None:
            own = [one.name for one in self._scoring.metrics]
            raise DataRefused(f"no metric {name!r}; there are: {', '.join(dict.fromkeys([*METRICS, *own]))}")
        if spec.known is not None and self._task not in spec.known.tasks:
            raise DataRefused(f"the metric {spec.metric!r} is not for {self._task}")
        return spec

    def _drawn(self, sample: _Sample, models: Sequence[tuple[Statistic, ...]]) -> dict[str, Any]:
        """The resampled deviations (of the difference, where there are two models) of the metrics that are to
        be resampled, by name."""
        method, wanted = self._scoring.method, {}
        for spec, statistics in zip(sample.specs, models, strict=True):
            if isinstance(statistics[0], Maximum):
                continue
            has_influence = statistics[0].has_influence
            if method == "influence" and not has_influence:
                raise ConfigError(
                    f"{spec.name} has no influence function; give evaluation.intervals.method auto or "
                    "bootstrap"
                )
            if method == "bootstrap" or not has_influence:
                wanted[spec.name] = statistics
        if not wanted:
            return {}
        flat = [one for statistics in wanted.values() for one in statistics]
        found = deviations(
            flat,
            sample.units,
            resamples=self._scoring.resamples,
            seed=self._scoring.seed,
            rarest=sample.rarest,
        )
        drawn, at = {}, 0
        for name, statistics in wanted.items():
            own = found[:, at : at + len(statistics)]
            drawn[name] = own[:, 0] if len(statistics) == 1 else own[:, 0] - own[:, 1]
            at += len(statistics)
        return drawn


@dataclass(frozen=True, slots=True)
class _Sample:
    """The rows on which models are scored. ``label`` is as it was given, for functions of the user's."""

    task: TaskKind
    scoring: Scoring
    specs: Sequence[MetricSpec]
    labels: Any
    label: Any
    beside: Beside
    group: Any

    @property
    def units(self) -> Units:
        """Queries count one by one, as their metrics do; all else by row or group."""
        return Units(len(self.labels), self.group)

    @property
    def rarest(self) -> int:
        """Rows of the rarest class, or all."""
        import numpy as np

        if not is_classification(self.task):
            return len(self.labels)
        return int(np.unique(self.labels, return_counts=True)[1].min())

    def of(self, prediction: Any) -> list[Statistic]:
        """One statistic for each metric."""
        scores = checked_scores(prediction, self.labels)
        labels, scores = checked(self.task, self.specs, self.labels, scores, self.group)
        answers = Answers(labels, scores, self.scoring.decision_threshold, self.group)
        return [self._statistic(spec, answers, prediction) for spec in self.specs]

    def judged(self, statistics: Sequence[Statistic]) -> list[tuple[MetricSpec, Judged]]:
        units, rarest = self.units, self.rarest
        return [
            (spec, Judged(one, spec.known, units, min(rarest, units.count)))
            for spec, one in zip(self.specs, statistics, strict=True)
        ]

    def equal(self, one: Any, other: Any) -> bool:
        import numpy as np

        return bool(np.array_equal(np.asarray(one), np.asarray(other)))

    def _statistic(self, spec: MetricSpec, answers: Answers, prediction: Any) -> Statistic:
        if spec.callable is not None:
            return from_function(spec.callable, spec.params, self.label, prediction, self.beside.rows)
        if spec.outcomes is not None:
            return from_outcomes(spec.name, spec.outcomes, answers, self.beside.rows)
        if spec.known is None or spec.metric is None:
            raise ConfigError(f"{spec.name} says neither metric, nor callable, nor outcomes")
        return statistic(spec.metric, answers, {**spec.known.params, **spec.params})
