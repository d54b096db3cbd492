"""How predictions are scored: the Protocol, and what may stand beside a row's label and answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlops.core.metrics import Direction
from airflow_mlops.core.proportions import Sided
from airflow_mlops.core.values import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of scored rows beside label and prediction: ``rows`` for the metrics that read columns,
    and ``groups``, of which rows of one are not independent (and one query, in a ranking). Both line by line.
    """

    rows: pd.DataFrame | None = None
    groups: Any = None

    @classmethod
    def of(cls, rows: pd.DataFrame, group: str | None) -> Beside:
        """The rows, and their groups where the column is there."""
        return cls(rows, rows[group] if group is not None and group in rows else None)


NOTHING = Beside()


class Metrics(Protocol):
    """Scores predictions, with confidence intervals. A metric is named as in ``evaluation.metrics``.

    Equal input gives equal output, intervals included. All raise ``DataRefused`` where a metric is undefined
    (one class only, a column that is not there), and ``TrainingFailed`` where a user's metric raises.
    """

    def score(
        self,
        metrics: Sequence[str],
        label: Any,
        prediction: Any,
        confidence: float,
        *,
        beside: Beside = NOTHING,
    ) -> dict[str, Estimate]:
        """Each metric's estimate."""

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
        """Challenger minus champion, paired by row."""

    def by_row(self, metric: str, label: Any, prediction: Any, *, beside: Beside = NOTHING) -> Any:
        """The metric's value of each row, as an array whose mean is the metric. Predictions are as the
        inference log keeps them: of a multiclass model the class's number. Raises ``DataRefused`` for a
        metric that is no mean over rows; one class among the labels is enough here."""

    def direction(self, metric: str) -> Direction:
        """Whether more or less of it is better."""

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
        """One-sided p-values of the metric's true value and ``bound`` or, with ``against``, of the true
        difference (prediction minus against) and ``bound``. They belong to the intervals above: an end beyond
        the bound at 95 % goes with a p-value under 0.025."""
