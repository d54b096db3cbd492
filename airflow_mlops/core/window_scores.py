"""What is known of a window's performance, as the ledger keeps it, and what is asked of a list of these.

A window is scored when it is monitored, and again whenever more of its labels have landed. Each score is an
entry (``monitored``, then ``rescored``); the last one is what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite, nan
from typing import Any, cast, get_args

from airflow_mlops.core.detectors.watch import Batch
from airflow_mlops.core.label_lag import LagModel, Lags, counted, lag_model, merged, next_class
from airflow_mlops.core.ledger import Entry, in_order
from airflow_mlops.core.values import Estimate, Outcome
from airflow_mlops.core.windows import Period, Window


@dataclass(frozen=True, slots=True)
class WindowScore:
    """``answers`` are the version's own in the window, ``labels`` those of them that have one at ``at``.

    ``judged`` says whether labels were enough to hold ``observed`` against the promise. ``observed`` is
    measured; ``estimated`` is not, and decides nothing. ``losses`` are the batches that
    detectors read. ``landed`` counts labels by their lag, ``waiting`` answers without one by their age.
    """

    window: Window
    version: str
    at: datetime
    metric: str
    outcome: Outcome
    answers: int
    labels: int
    observed: Estimate | None = None
    promise: Estimate | None = None
    estimated: Estimate | None = None
    losses: tuple[Batch, ...] = ()
    landed: Lags | None = None
    waiting: Lags | None = None
    judged: bool = False

    @property
    def coverage(self) -> float:
        """The share of answers that have a label."""
        return self.labels / self.answers if self.answers else 0.0

    @property
    def decayed(self) -> bool | None:
        """As the retraining policy has it: None where too little is known."""
        return None if self.outcome == "inconclusive" else self.outcome == "fail"

    def to_json(self) -> dict[str, Any]:
        """What an entry keeps; the rest is the entry's own."""
        return {
            "metric": self.metric,
            "outcome": self.outcome,
            "answers": self.answers,
            "labels": self.labels,
            "observed": _listed(self.observed),
            "promise": _listed(self.promise),
            "estimated": _listed(self.estimated),
            "losses": [[batch.start.isoformat(), batch.loss, batch.rows] for batch in self.losses],
            "landed": None if self.landed is None else sorted(map(list, self.landed.items())),
            "waiting": None if self.waiting is None else sorted(map(list, self.waiting.items())),
            "judged": self.judged,
        }

    @classmethod
    def of_entry(cls, entry: Entry) -> WindowScore | None:
        """The score of an entry; None where it has none."""
        kept = entry.data.get("score")
        if not isinstance(kept, Mapping) or entry.window is None or entry.version is None:
            return None
        outcome = kept["outcome"]
        if outcome not in get_args(Outcome):
            return None
        return cls(
            entry.window,
            entry.version,
            entry.at,
            str(kept["metric"]),
            cast("Outcome", outcome),
            int(kept["answers"]),
            int(kept["labels"]),
            _estimate(kept.get("observed")),
            _estimate(kept.get("promise")),
            _estimate(kept.get("estimated")),
            tuple(
                Batch(datetime.fromisoformat(start), loss, rows)
                for start, loss, rows in kept.get("losses", ())
            ),
            _lags(kept.get("landed")),
            _lags(kept.get("waiting")),
            bool(kept.get("judged")),
        )


def looks(entries: Iterable[Entry]) -> dict[datetime, list[WindowScore]]:
    """All scores of each window, by its end; the windows in order, and the scores of one as they came."""
    found: dict[datetime, list[WindowScore]] = {}
    for entry in in_order(entry for entry in entries if entry.kind in ("monitored", "rescored")):
        score = WindowScore.of_entry(entry)
        if score is not None:
            found.setdefault(score.window.end, []).append(score)
    return dict(sorted(found.items()))


def latest_scores(entries: Iterable[Entry]) -> list[WindowScore]:
    """What is known of each window now, in the windows' order."""
    return [scores[-1] for scores in looks(entries).values()]


def is_complete(score: WindowScore, now: datetime, *, coverage: float, deadline: Period) -> bool:
    """Whether a window's labels count as complete: enough of them are there (of no answers none is missing),
    or it has waited long enough."""
    return not score.answers or score.coverage >= coverage or now >= deadline.after(score.window.end)


def label_watermark(
    scores: Sequence[WindowScore], now: datetime, *, coverage: float, deadline: Period
) -> datetime | None:
    """Up to which event time labels are complete: the end of the last window before the first that is not.
    None where the oldest one is not."""
    reached: datetime | None = None
    for score in sorted(scores, key=lambda one: one.window.end):
        if not is_complete(score, now, coverage=coverage, deadline=deadline):
            break
        reached = score.window.end
    return reached


def lag_model_of(windows: Iterable[Sequence[WindowScore]]) -> LagModel:
    """The lags of all windows, from the last score of each. Where labels do not say when they arrived, the
    scores of a window stand in: what came between two looks is as old as the window's middle was at the
    second."""
    landed, waiting = [], []
    for scores in windows:
        last = scores[-1]
        if last.landed is not None and last.waiting is not None:
            landed.append(last.landed)
            waiting.append(last.waiting)
            continue
        seen = 0
        for score in scores:
            landed.append({_age(score): max(score.labels - seen, 0)})
            seen = max(seen, score.labels)
        # Those that wait were looked at as long as those that had come: they drop out in the class after.
        waiting.append({next_class(_age(last)): max(last.answers - seen, 0)})
    return lag_model(merged(landed), merged(waiting))


def _age(score: WindowScore) -> int:
    middle = score.window.start + (score.window.end - score.window.start) / 2
    (edge,) = counted([max(score.at - middle, timedelta()).total_seconds()])
    return edge


def _listed(estimate: Estimate | None) -> list[float | None] | None:
    """JSON knows no infinity."""
    if estimate is None:
        return None
    return [value if isfinite(value) else None for value in (estimate.value, estimate.low, estimate.high)]


def _estimate(kept: Any) -> Estimate | None:
    if kept is None:
        return None
    value, low, high = kept
    return Estimate(
        nan if value is None else value,
        float("-inf") if low is None else low,
        float("inf") if high is None else high,
    )


def _lags(kept: Any) -> Lags | None:
    return None if kept is None else {int(edge): int(count) for edge, count in kept}
