"""All that a drift report says beyond single columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_mlops.core.quality import Spread
from airflow_mlops.core.shift.attribution import Attribution, SliceTable
from airflow_mlops.core.shift.distribution import LEVELS, PredictionShift, Shift
from airflow_mlops.core.shift.multivariate import Together
from airflow_mlops.core.shift.picture import Picture

_FEATURES, _SLICES, _TELLS = 10, 5, 5


@dataclass(frozen=True, slots=True)
class TargetShift:
    """Labels that have landed for the window's answers, against those of the reference."""

    labels: Shift
    answers: int

    @property
    def coverage(self) -> float:
        """The share of the answers whose label has landed."""
        return min(1.0, self.labels.window.rows / self.answers) if self.answers else 0.0


@dataclass(frozen=True, slots=True)
class Counting:
    """Which of these make the data drifted, and are not only reported."""

    multivariate: bool = True
    predictions: bool = False
    target: bool = False


@dataclass(frozen=True, slots=True)
class Beyond:
    """``unsaid`` is what could not be said, each with its reason."""

    predictions: PredictionShift | None = None
    target: TargetShift | None = None
    together: tuple[Together, ...] = ()
    attribution: Attribution | None = None
    slices: tuple[SliceTable, ...] = ()
    counting: Counting = Counting()
    scores: Picture | None = None
    unsaid: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether any of what counts has drifted."""
        found = [self.counting.multivariate and any(one.drifted for one in self.together)]
        if self.predictions is not None:
            found.append(self.counting.predictions and self.predictions.scores.drifted)
        if self.target is not None:
            found.append(self.counting.target and self.target.labels.drifted)
        return any(found)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences in names of columns and numbers, without a value of the data."""
        return tuple(self._reasons())

    def _reasons(self) -> Iterator[str]:
        yield from (one.said for one in self.together if one.drifted)
        for name, shift in (
            ("predictions", self.predictions.scores if self.predictions else None),
            ("labels", self.target.labels if self.target else None),
        ):
            if shift is not None and shift.drifted:
                yield (
                    f"{name} drifted: psi {shift.index:.4f}, threshold {shift.threshold:g} and "
                    f"{shift.by_chance:.4f} by chance; mean {shift.reference.spread.mean:.4g}, now "
                    f"{shift.window.spread.mean:.4g}"
                )
        told = self.attribution
        if told is not None:
            parts = [
                f"{part.name} {share:+.0%}"
                for part in told.features[:3]
                if (share := told.share(part.change)) is not None
            ]
            if parts:
                yield f"{told.score} {told.change.value:+.4g}, explained by {', '.join(parts)}"

    @property
    def summary(self) -> dict[str, Any]:
        """Small numbers for whoever decides: names of columns, and no value of the data."""
        target = self.target
        return {
            "prediction_drift": _predictions(self.predictions),
            "target_drift": None
            if target is None
            else {**_shift(target.labels), "labels": target.labels.window.rows, "coverage": target.coverage},
            "multivariate": [_together(one) for one in self.together],
            "explained": _explained(self.attribution),
            "explained_slices": [
                {"column": one.column, "mix": one.mix, "within": one.within} for one in self.slices[:_SLICES]
            ],
            "unsaid": list(self.unsaid),
        }


def _predictions(found: PredictionShift | None) -> dict[str, Any] | None:
    if found is None:
        return None
    scores = found.scores
    quantiles = zip(LEVELS, scores.reference.quantiles, scores.window.quantiles, strict=False)
    return {
        **_shift(scores),
        "entropy": _means(found.entropy),
        "confidence": _means(found.confidence),
        "quantiles": {f"{level:g}": [before, after] for level, before, after in quantiles},
    }


def _shift(shift: Shift) -> dict[str, Any]:
    return {
        "drifted": shift.drifted,
        "psi": shift.index,
        "by_chance": shift.by_chance,
        "threshold": shift.threshold,
        "mean": [shift.reference.spread.mean, shift.window.spread.mean],
    }


def _means(pair: tuple[Spread, Spread] | None) -> list[float] | None:
    return None if pair is None else [one.mean for one in pair]


def _together(found: Together) -> dict[str, Any]:
    return {
        "name": found.name,
        "method": found.method,
        "drifted": found.drifted,
        "effect": found.effect,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "threshold": found.threshold,
        "tells": dict(found.tells[:_TELLS]),
    }


def _explained(found: Attribution | None) -> Mapping[str, Any] | None:
    if found is None:
        return None
    parts = found.features[:_FEATURES]
    return {
        "score": found.score,
        "mean": [found.reference, found.window],
        "change": [found.change.low, found.change.value, found.change.high],
        "features": {part.name: part.change for part in parts},
        "shares": {part.name: found.share(part.change) for part in parts},
        "rest": {part.name: part.change for part in found.rest},
    }
