"""One look at a slice: the metric there, and how sure it is that the bound is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_mlops.backends.gates.decisions import labels
from airflow_mlops.backends.gates.groups import Grouping
from airflow_mlops.backends.gates.tails import Tails, tails_of
from airflow_mlops.backends.material import Material
from airflow_mlops.backends.scoring import NOTHING, Beside
from airflow_mlops.core.gates import loss
from airflow_mlops.core.metrics import METRICS
from airflow_mlops.core.values import Estimate
from airflow_mlops.exceptions import DataRefused


@dataclass(frozen=True, slots=True)
class Look:
    """A slice that was looked at; ``p_value`` is of this look alone."""

    slice: str
    columns: tuple[str, ...]
    rows: int
    value: float
    tails: Tails
    p_value: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a slice's number is held to; at least one is there."""

    minimum: float | None
    maximum: float | None

    @property
    def sides(self) -> int:
        """In how many ways a slice can be bad."""
        return (self.minimum is not None) + (self.maximum is not None)

    def p_value(self, tails: Tails) -> float:
        """One-sided, of the null that the bounds are held; corrected for both where there are two."""
        below = [] if self.minimum is None else [tails.p_below(self.minimum)]
        above = [] if self.maximum is None else [tails.p_above(self.maximum)]
        return min(1.0, self.sides * min(below + above))

    def badness(self, look: Look) -> tuple[float, float]:
        """Sorts looks, the worst first; the value tells apart those that are all far from being proven."""
        return look.p_value, look.value if self.maximum is None else -look.value


class Looker:
    """Looks at slices of the holdout: the challenger's metric, or how much it loses against the champion."""

    def __init__(self, settings: Mapping[str, Any], material: Material) -> None:
        import numpy as np

        self._metric, self._confidence, self._metrics = (
            settings["metric"],
            material.confidence,
            material.metrics,
        )
        self._holdout, self._group = material.holdout, material.columns.group
        self._against_champion = settings["margin"] is not None
        self._minimum_rows = settings["minimum_rows"]
        two = material.task == "binary_classification"
        self._minimum_of_each_class = settings["minimum_of_each_class"] if two else 0
        self._label, self._answers = labels(material), np.asarray(material.answers)
        self._champion_answers: Any = None
        if self._against_champion:
            if material.champion_answers is None:
                raise DataRefused("there is no champion whose answers could be compared, slice by slice")
            self._champion_answers = np.asarray(material.champion_answers)
        self.bounds = (
            Bounds(None, settings["margin"])
            if self._against_champion
            else Bounds(settings["minimum"], settings["maximum"])
        )
        self.too_small = 0
        self.refused: list[str] = []

    def whole(self) -> Estimate:
        """The same number of all rows, at the evaluation's confidence."""
        return self._estimate(slice(None))

    def looks(self, grouping: Grouping, smaller_than: Sequence[Grouping] = ()) -> list[Look]:
        """A look at each group that is large enough, and smaller than the groups of ``smaller_than`` that it
        is in: a condition that takes no row away makes no slice of its own."""
        found = []
        sizes = [parent.sizes for parent in smaller_than]
        for name, rows in zip(grouping.names, grouping.rows_of_each(), strict=True):
            parents = [
                int(size[parent.codes[rows[0]]])
                for parent, size in zip(smaller_than, sizes, strict=True)
                if len(rows)
            ]
            if len(rows) in parents:
                continue
            if (look := self._look(name, grouping.columns, rows)) is not None:
                found.append(look)
        return found

    def _look(self, name: str, columns: tuple[str, ...], rows: Any) -> Look | None:
        if not self._is_large_enough(rows):
            self.too_small += 1
            return None
        try:
            estimate = self._estimate(rows)
        except DataRefused as error:
            self.refused.append(f"{name}: {error}")
            return None
        tails = tails_of(estimate, self._confidence, len(rows))
        return Look(name, columns, len(rows), estimate.value, tails, self.bounds.p_value(tails))

    def _is_large_enough(self, rows: Any) -> bool:
        if len(rows) < self._minimum_rows:
            return False
        if not self._minimum_of_each_class:
            return True
        positives = int(self._label[rows].sum())
        return min(positives, len(rows) - positives) >= self._minimum_of_each_class

    def _estimate(self, rows: Any) -> Estimate:
        label, answers, metric = self._label[rows], self._answers[rows], self._metric
        beside, confidence = self._beside(rows), self._confidence
        if not self._against_champion:
            return self._metrics.score([metric], label, answers, confidence, beside=beside)[metric]
        theirs = self._champion_answers[rows]
        gap = self._metrics.difference([metric], label, answers, theirs, confidence, beside=beside)
        return loss(metric, gap[metric], self._metrics.direction(metric))

    def _beside(self, rows: Any) -> Beside:
        """Copying whole rows of each slice is dear: done only for who reads them."""
        if self._group is None and self._metric in METRICS:
            return NOTHING
        return Beside.of(self._holdout.iloc[rows], self._group)
