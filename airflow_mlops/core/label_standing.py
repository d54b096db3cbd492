"""How far the labels of a window have come, against what is usual and what the policy asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_mlops.core.window_scores import WindowScore, label_watermark, lag_model_of
from airflow_mlops.core.windows import Period

_ENOUGH_ANSWERS, _SURELY_EXPECTED, _LATE = 50, 0.2, 0.5


@dataclass(frozen=True, slots=True)
class LabelStanding:
    """``expected`` is the share of the window's answers that usually has a label by now, and
    ``usual_wait`` the age by which the share that is asked for has landed; both are None where no earlier
    window tells. ``watermark`` is the event time up to which labels are complete."""

    labels: int
    answers: int
    expected: float | None = None
    usual_wait: timedelta | None = None
    watermark: datetime | None = None

    @property
    def coverage(self) -> float:
        """The share of answers that have a label."""
        return self.labels / self.answers if self.answers else 0.0

    @property
    def warning(self) -> str | None:
        """Where far fewer labels are there than usual at this age: rather a feed that is broken than slow."""
        if self.expected is None or self.answers < _ENOUGH_ANSWERS or self.expected < _SURELY_EXPECTED:
            return None
        if self.coverage >= _LATE * self.expected:
            return None
        return (
            f"labels are late: {self.coverage:.0%} of the answers have one, {self.expected:.0%} usually do "
            "at this age; see whether the source of labels still works"
        )


def label_standing(
    windows: Mapping[datetime, Sequence[WindowScore]],
    score: WindowScore,
    *,
    coverage: float,
    deadline: Period,
) -> LabelStanding:
    """The standing of the window of ``score``, from all scores of all windows, by their ends. What is usual
    is learnt from the other windows."""
    others = [scores for end, scores in windows.items() if end != score.window.end and scores]
    lags = lag_model_of(others)
    known = [scores[-1] for scores in windows.values() if scores]
    return LabelStanding(
        score.labels,
        score.answers,
        lags.expected(score.window, score.at) if lags.answers else None,
        lags.age_of(coverage) if lags.answers else None,
        label_watermark(known, score.at, coverage=coverage, deadline=deadline),
    )
