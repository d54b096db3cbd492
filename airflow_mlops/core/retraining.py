"""The retraining policy: whether what monitoring saw in a window is a reason to train again.

Its clock is event time, the window's end: a monitor that catches up over a year of windows decides
as it would have decided day by day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from airflow_mlops.core.windows import Period, Window

Cause = Literal["drift", "decay"]


@dataclass(frozen=True, slots=True)
class Policy:
    """When monitoring may ask for training.

    ``k`` bad windows among the ``n`` latest, the latest one included; ``causes`` are those that count;
    no request sooner than ``cooldown`` after the last one; at most ``budget`` requests in any
    ``budget_period``.
    """

    enabled: bool
    causes: tuple[Cause, ...] | frozenset[Cause]
    k: int
    n: int
    cooldown: Period
    budget: int
    budget_period: Period

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n:
            raise ValueError(f"{self.k} of {self.n} windows cannot be: k must be from 1 to n")
        if self.budget < 0:
            raise ValueError(f"the budget is {self.budget}; it must be zero or more")


@dataclass(frozen=True, slots=True)
class WindowSignals:
    """What monitoring found in one window.

    ``decayed`` is None where too few labels have landed. ``upstream_fault`` says which column the data
    came in broken on; then drift and decay are no news about the model.
    """

    window: Window
    drifted: bool
    decayed: bool | None
    upstream_fault: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """``keep``: nothing is bad. ``refuse``: something is, and the policy says no. ``cause`` is what was
    seen, for a refusal as well."""

    action: Literal["retrain", "keep", "refuse"]
    cause: Cause | None
    reasons: tuple[str, ...]


def decide(
    policy: Policy,
    latest: WindowSignals,
    earlier: Sequence[WindowSignals],
    requested: Sequence[datetime],
    *,
    request_open: bool,
) -> Decision:
    """The policy's answer for the ``latest`` window.

    ``earlier`` are the signals of other windows, in any order: only those that end before the latest
    are looked at, one for each end (the last one given). ``requested`` are the window ends of all
    requests so far. ``request_open`` is True while a request is still waiting for its training run.
    On a retry the caller leaves out what its own first try recorded.

    The first refusal that applies is the one named: disabled, upstream fault, request open, fewer than k
    bad windows, cool-down, budget. Windows with an upstream fault never count as bad. Decay outranks
    drift as the cause.
    """
    cause = _cause(policy, latest)
    if cause is None:
        return Decision("keep", None, _nothing_bad(policy, latest))
    recent = _recent(policy, latest, earlier)
    bad = sum(_is_bad(policy, signals) for signals in recent)
    refusal = (
        _standing_refusal(policy, latest, request_open)
        or _too_few_bad(policy, bad, len(recent))
        or _cooling_down(policy, latest.window.end, requested)
        or _over_budget(policy, latest.window.end, requested)
    )
    seen = f"{cause} in {latest.window}"
    if refusal is not None:
        return Decision("refuse", cause, (f"{seen}, but {refusal}", *latest.reasons))
    count = f"{bad} of the last {len(recent)} windows bad, {policy.k} of {policy.n} asked for"
    return Decision("retrain", cause, (f"{seen}: {count}", *latest.reasons))


def _cause(policy: Policy, signals: WindowSignals) -> Cause | None:
    if signals.decayed and "decay" in policy.causes:
        return "decay"
    if signals.drifted and "drift" in policy.causes:
        return "drift"
    return None


def _is_bad(policy: Policy, signals: WindowSignals) -> bool:
    return signals.upstream_fault is None and _cause(policy, signals) is not None


def _nothing_bad(policy: Policy, latest: WindowSignals) -> tuple[str, ...]:
    ignored = [
        name for name, seen in (("drift", latest.drifted), ("decay", latest.decayed)) if seen
    ]  # seen, and yet no cause: the policy does not list it
    if ignored:
        counted = " and ".join(sorted(policy.causes)) or "nothing"
        reason = f"{' and '.join(ignored)} in {latest.window}; the policy counts only {counted}"
        return (reason, *latest.reasons)
    decay = "no decay" if latest.decayed is False else "decay not known"
    fault = f"; upstream fault: {latest.upstream_fault}" if latest.upstream_fault else ""
    return (f"no drift and {decay} in {latest.window}{fault}",)


def _recent(policy: Policy, latest: WindowSignals, earlier: Sequence[WindowSignals]) -> list[WindowSignals]:
    by_end = {signals.window.end: signals for signals in earlier}
    newest_first = sorted((end for end in by_end if end < latest.window.end), reverse=True)
    return [latest, *(by_end[end] for end in newest_first[: policy.n - 1])]


def _standing_refusal(policy: Policy, latest: WindowSignals, request_open: bool) -> str | None:
    if not policy.enabled:
        return "retraining is disabled"
    if latest.upstream_fault is not None:
        return f"the data came in broken: {latest.upstream_fault}; training on them would learn the fault"
    if request_open:
        return "a request is already open"
    return None


def _too_few_bad(policy: Policy, bad: int, seen: int) -> str | None:
    if bad >= policy.k:
        return None
    return f"{bad} of the last {seen} windows bad, {policy.k} of {policy.n} asked for"


def _cooling_down(policy: Policy, end: datetime, requested: Sequence[datetime]) -> str | None:
    if not requested:
        return None
    last = max(requested)
    if last > end:
        return f"a later window, to {_day(last)}, has asked already"
    until = policy.cooldown.after(last)
    if end >= until:
        return None
    return f"the last request was at {_day(last)}: {policy.cooldown} of cool-down last until {_day(until)}"


def _over_budget(policy: Policy, end: datetime, requested: Sequence[datetime]) -> str | None:
    start = policy.budget_period.before(end)
    spent = sum(start < moment <= end for moment in requested)
    if spent < policy.budget:
        return None
    return f"the budget is spent: {spent} of {policy.budget} requests in the {policy.budget_period} before"


def _day(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes").removesuffix("+00:00").removesuffix("T00:00")
