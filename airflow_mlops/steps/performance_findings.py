"""What a look at the labels came to, as the report, the summary and the ledger have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_mlops.core.decay import JudgedSlice
from airflow_mlops.core.detectors import Signal
from airflow_mlops.core.label_selection import Difference
from airflow_mlops.core.label_standing import LabelStanding
from airflow_mlops.core.values import Estimate
from airflow_mlops.core.window_scores import WindowScore
from airflow_mlops.steps.window_estimate import Method
from airflow_mlops.steps.window_score import Scored

_MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class Findings:
    """``history`` is what is known of each window by now, in their order, the run's own last; ``rescored``
    are the earlier ones that this run has scored again. ``selection`` are the columns in which labelled
    answers differ from the others."""

    estimated_by: Method
    now: Scored
    history: tuple[WindowScore, ...]
    rescored: tuple[Scored, ...]
    signals: tuple[Signal, ...]
    slices: tuple[JudgedSlice, ...]
    selection: tuple[Difference, ...]
    labels: LabelStanding

    @property
    def reasons(self) -> list[str]:
        """The verdict's, then what else a person should know."""
        late = (
            f"in {one.score.window}, scored again on {one.score.labels} labels: {one.verdict.reasons[0]}"
            for one in self.rescored
            if one.verdict.outcome == "fail"
        )
        return [
            *self.now.verdict.reasons,
            *late,
            *(f"slice {one.reason}" for one in self.slices[:3] if one.outcome == "fail"),
            *(signal.reason for signal in self.signals if signal.fired),
            *(f"answers with a label are not like the others, {one.reason}" for one in self.selection[:3]),
            *([self.labels.warning] if self.labels.warning else []),
        ]

    def summary(self) -> dict[str, Any]:
        """Small JSON values. ``estimated`` decides nothing; ``score`` is for the ledger."""
        score, standing = self.now.score, self.labels
        return {
            "outcome": score.outcome,
            "reasons": self.reasons,
            "metric": score.metric,
            "observed": score.observed.value if score.observed else None,
            "observed_interval": _interval(score.observed),
            "promise": score.promise.value if score.promise else None,
            "promise_interval": _interval(score.promise),
            "answers": score.answers,
            "labels": score.labels,
            "coverage": score.coverage,
            "expected_coverage": standing.expected,
            "watermark": standing.watermark.isoformat() if standing.watermark else None,
            "estimated": _estimated(score.estimated, self.estimated_by),
            "detectors": [_signal(one) for one in self.signals],
            "slices": [_slice(one) for one in self.slices[:_MOST_LISTED]],
            "rescored": [_rescored(one) for one in self.rescored],
            "selection": [one.reason for one in self.selection[:_MOST_LISTED]],
            "notes": list(self.now.notes),
            "score": score.to_json(),
        }


def _interval(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None else [estimate.low, estimate.high]


def _estimated(estimate: Estimate | None, method: Method) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"method": method, "value": estimate.value, "low": estimate.low, "high": estimate.high}


def _signal(one: Signal) -> dict[str, Any]:
    return {
        "detector": one.detector,
        "state": one.state,
        "at": one.at.isoformat() if one.at else None,
        "batches": one.batches,
        "earlier": one.earlier,
        "standing": one.standing.isoformat() if one.standing else None,
        "reason": one.reason,
    }


def _slice(one: JudgedSlice) -> dict[str, Any]:
    return {
        "slice": one.slice.name,
        "outcome": one.outcome,
        "observed": one.slice.observed.value,
        "promise": one.slice.promise.value,
        "labels": one.slice.labels,
        "p_value": one.p_value,
    }


def _rescored(one: Scored) -> dict[str, Any]:
    score = one.score
    return {
        "window": [score.window.start.isoformat(), score.window.end.isoformat()],
        "version": score.version,
        "outcome": score.outcome,
        "observed": score.observed.value if score.observed else None,
        "promise": score.promise.value if score.promise else None,
        "labels": score.labels,
        "coverage": score.coverage,
        "reasons": list(one.verdict.reasons),
    }
