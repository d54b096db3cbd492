"""What monitoring found in a window, and whether that is bad by the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_mlops.core.retraining.policy import Cause, Policy
from airflow_mlops.core.windows import Window


@dataclass(frozen=True, slots=True)
class WindowSignals:
    """What monitoring found in one window.

    ``decayed`` is None where too few labels have landed. ``upstream_fault`` says which column the data
    came in broken on; then drift and decay are no news about the model. ``compared`` is False where too few
    rows were served to look for drift. ``rows`` were served in it, ``version`` was the champion then; both
    are None where nobody wrote them down.

    Labels that are late tell of an earlier window: ``late_decay`` is the newest one of which decay is known,
    where it became known just now, and is there.
    """

    window: Window
    drifted: bool
    decayed: bool | None
    upstream_fault: str | None = None
    reasons: tuple[str, ...] = ()
    rows: int | None = None
    version: str | None = None
    compared: bool = True
    late_decay: Window | None = None

    def shows(self, cause: Cause) -> bool | None:
        """Whether drift or decay was in it; None where nobody can tell."""
        if self.upstream_fault is not None:
            return None
        if cause == "decay":
            return self.decayed
        return self.drifted if self.compared else None


def cause_in(policy: Policy, signals: WindowSignals) -> Cause | None:
    """The cause that a window shows and the policy counts. Decay goes before drift: drift alone may do the
    model no harm."""
    if signals.decayed and "decay" in policy.causes:
        return "decay"
    if signals.drifted and "drift" in policy.causes:
        return "drift"
    return None


def is_bad(policy: Policy, signals: WindowSignals) -> bool:
    """Windows with an upstream fault never are."""
    return signals.upstream_fault is None and cause_in(policy, signals) is not None


def with_labels(
    policy: Policy, latest: WindowSignals, earlier: Sequence[WindowSignals], since: datetime | None
) -> list[WindowSignals]:
    """The newest windows of which decay is known, at most n: where labels are late, these are other windows
    than the latest."""
    known = [item for item in _own(latest, earlier, since) if item.shows("decay") is not None]
    return known[: policy.n]


def recent(
    policy: Policy, latest: WindowSignals, earlier: Sequence[WindowSignals], since: datetime | None
) -> list[WindowSignals]:
    """The windows that k is counted among, newest first: at most n, the latest included.

    What the last training has answered (windows that end by ``since``) is spent, and what another champion
    was seen with says nothing about this one.
    """
    return _own(latest, earlier, since)[: policy.n]


def _own(
    latest: WindowSignals, earlier: Sequence[WindowSignals], since: datetime | None
) -> list[WindowSignals]:
    by_end = {
        signals.window.end: signals
        for signals in earlier
        if signals.window.end < latest.window.end
        and (since is None or signals.window.end > since)
        and signals.version in (None, latest.version)
    }
    return [latest, *(by_end[end] for end in sorted(by_end, reverse=True))]


def new_rows(latest: WindowSignals, earlier: Sequence[WindowSignals], since: datetime | None) -> int | None:
    """Rows served after ``since``, up to the latest window's end; None where a window's count is not known.

    Windows may lie over each other, and ``since`` in one: of each, only the part of its time that no later
    window has is counted, as if its rows came evenly.
    """
    windows: Mapping[datetime, WindowSignals] = {
        **{item.window.end: item for item in earlier if item.window.end < latest.window.end},
        latest.window.end: latest,
    }
    total, covered = 0.0, latest.window.end
    for end in sorted(windows, reverse=True):
        item = windows[end]
        start = item.window.start if since is None else max(item.window.start, since)
        fresh = (min(end, covered) - start).total_seconds()
        if fresh <= 0:
            continue
        if item.rows is None:
            return None
        total += item.rows * fresh / (item.window.end - item.window.start).total_seconds()
        covered = start
    return round(total)
