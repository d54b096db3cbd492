"""The retraining policy: whether what monitoring saw is a reason to train again.

Its clock is event time, the window's end: a monitor that catches up over a year of windows decides
as it would have decided day by day. A window that ends in the future counts as of now. Only quiet hours, and
for how long nothing was heard of a rollout, are read off the clock on the wall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from airflow_mlops.core.retraining.history import (
    History,
    OpenRollout,
    State,
    Training,
    is_under_way,
    useless_in_a_row,
)
from airflow_mlops.core.retraining.policy import CHANGED, SEEN, Cause, Policy
from airflow_mlops.core.retraining.signals import WindowSignals, is_bad, new_rows, recent, with_labels
from airflow_mlops.core.retraining.standing_causes import shown


@dataclass(frozen=True, slots=True)
class Decision:
    """``keep``: nothing is bad. ``refuse``: something is, and the policy says no. ``cause`` is what was
    seen, for a refusal as well, and ``also`` what else was. ``not_before`` is there where training is to wait
    for the end of the quiet hours."""

    action: Literal["retrain", "keep", "refuse"]
    cause: Cause | None
    reasons: tuple[str, ...]
    also: tuple[Cause, ...] = ()
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on. ``earlier`` are the signals of other windows, in any order: only those
    that end before the latest are looked at, one for each end (the last one given). ``standing`` are causes
    that are no findings of a window, in words. ``now`` is the clock on the wall. ``past`` says of a window
    that is no news about what serves now why it is none.

    On a retry the caller leaves out of ``history`` what its own first try recorded.
    """

    latest: WindowSignals
    now: datetime
    earlier: Sequence[WindowSignals] = ()
    history: History = field(default_factory=History)
    standing: Mapping[Cause, str] = field(default_factory=dict)
    past: str | None = None

    @property
    def end(self) -> datetime:
        """The moment as of which is decided, in event time."""
        return min(self.latest.window.end, self.now)


def decide(policy: Policy, at: Situation) -> Decision:
    """The policy's answer for the latest window.

    The first refusal that applies is the one named: disabled, a window of the past, upstream fault, another
    request or training or rollout that is not over, too few new rows, fewer than k bad windows, cool-down,
    budget, circuit breaker. Windows with an upstream fault never count as bad. Code and configuration are a
    person's doing: new rows and the circuit breaker do not hold them back.
    """
    seen = _causes(policy, at)
    if not seen:
        return Decision("keep", None, _nothing_bad(policy, at.latest))
    count = _counted(policy, at)
    counted = {cause: words for cause, words in seen.items() if cause in at.standing or count.enough(cause)}
    cause = next(iter(counted or seen))
    refusal = (
        _standing_refusal(policy, at)
        or _too_few_rows(policy, at, cause)
        or (None if counted else count.words(cause))
        or _cooling_down(policy, at.end, at.history)
        or _over_budget(policy, at.end, at.history)
        or _broken_off(policy, at, cause)
    )
    also = tuple(other for other in seen if other != cause)
    more = (*(seen[other] for other in also if other in at.standing), *at.latest.reasons)
    if refusal is not None:
        return Decision("refuse", cause, (f"{seen[cause]}, but {refusal}", *more), also)
    said = seen[cause] if cause in at.standing else f"{seen[cause]}: {count.words(cause)}"
    not_before = policy.quiet_until(at.now)
    wait = () if not_before is None else (_waiting(policy, not_before),)
    return Decision("retrain", cause, (said, *wait, *more), also, not_before)


def _waiting(policy: Policy, end: datetime) -> str:
    """On the clock that the quiet hours are written in."""
    local = end.astimezone(ZoneInfo(policy.timezone))
    return f"training waits for the quiet hours to end, {local:%Y-%m-%d %H:%M} {policy.timezone}"


def let_through(
    policy: Policy, causes: Sequence[Cause], end: datetime, history: History, now: datetime
) -> str | None:
    """Why a training that Airflow began by itself is to be held back; None where it may go on.

    Only where every cause it has is one that the policy holds back; ``end`` is the end of its data,
    ``now`` the clock on the wall.
    """
    if not causes or not set(causes) <= policy.hold_back:
        return None
    end = min(end, now)
    return _not_alone(policy, end, history, now) or _cooling_down(policy, end, history)


def _causes(policy: Policy, at: Situation) -> dict[Cause, str]:
    """Every cause there is, the first one first, each in words."""
    latest = at.latest
    found: dict[Cause, str] = dict(at.standing)
    if latest.decayed:
        found["decay"] = f"decay in {latest.window}"
    elif latest.late_decay is not None:
        found["decay"] = f"decay in {latest.late_decay}, by labels that have landed since"
    if latest.drifted:
        found["drift"] = f"drift in {latest.window}"
    return {cause: found[cause] for cause in SEEN if cause in found and cause in policy.causes}


@dataclass(frozen=True, slots=True)
class _Count:
    """How many of the windows that count are bad: of the latest ones, and of the latest with labels."""

    policy: Policy
    bad: int
    of: int
    decayed: int
    labelled: int

    def enough(self, cause: Cause) -> bool:
        return self.bad >= self.policy.k or (cause == "decay" and self.decayed >= self.policy.k)

    def words(self, cause: Cause) -> str:
        asked = f"{self.policy.k} of {self.policy.n} asked for"
        if cause == "decay" and self.decayed > self.bad:
            return f"{self.decayed} of the last {self.labelled} windows with labels bad, {asked}"
        return f"{self.bad} of the last {self.of} windows bad, {asked}"


def _counted(policy: Policy, at: Situation) -> _Count:
    since = _spent_until(at)
    windows = recent(policy, at.latest, at.earlier, since)
    labelled = with_labels(policy, at.latest, at.earlier, since)
    return _Count(
        policy,
        sum(is_bad(policy, signals) for signals in windows),
        len(windows),
        sum(bool(signals.decayed) for signals in labelled) if "decay" in policy.causes else 0,
        len(labelled),
    )


def _spent_until(at: Situation) -> datetime | None:
    last = at.history.last
    return None if last is None or last.end >= at.end else last.end


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


def _standing_refusal(policy: Policy, at: Situation) -> str | None:
    if not policy.enabled:
        return "retraining is disabled"
    if at.past is not None:
        return at.past
    if at.latest.upstream_fault is not None:
        return f"the data came in broken: {at.latest.upstream_fault}; training on them would learn the fault"
    return _not_alone(policy, at.end, at.history, at.now)


def _not_alone(policy: Policy, end: datetime, history: History, now: datetime) -> str | None:
    """What is not over yet: there is one training at a time, from the request to the end of its rollout."""
    for training in history.trainings:
        if training.state == "asked":
            return "a request is already open"
        if is_under_way(training, policy, end):
            return f"the training on data up to {shown(training.end)} has not come to a verdict yet"
    return None if history.rollout is None else _in_rollout(history.rollout, policy, now)


def _in_rollout(rollout: OpenRollout, policy: Policy, now: datetime) -> str:
    """One that nobody is at any more refuses as well, but says so, and people are called: training past it
    would leave its challenger a share of the traffic until another one has passed its gates, and from here it
    looks like one that a person holds."""
    said = f"the rollout of version {rollout.version} is not over"
    if now < policy.silence.after(rollout.heard):
        return said
    return (
        f"{said}, and nothing has been heard of it since {shown(rollout.heard)}: if the run {rollout.run_id} "
        f"of {rollout.dag_id} is not at it any more, trigger {rollout.dag_id}, which finishes or undoes it"
    )


def _too_few_rows(policy: Policy, at: Situation, cause: Cause) -> str | None:
    last = at.history.last
    if cause in CHANGED or not policy.minimum_rows or (last is not None and last.end > at.end):
        return None
    found = new_rows(at.latest, at.earlier, None if last is None else last.end)
    if found is None or found >= policy.minimum_rows:
        return None
    since = "" if last is None else f" since the last training's data, {shown(last.end)}"
    return f"{found} rows were served{since}, {policy.minimum_rows} asked for: there is little to learn"


def _cooling_down(policy: Policy, end: datetime, history: History) -> str | None:
    last = history.last
    if last is None:
        return None
    what = "request" if last.is_automatic else "training"
    if last.end > end:
        did = "asked" if last.is_automatic else "been trained on"
        return f"a later window, to {shown(last.end)}, has {did} already"
    until = policy.cooldown.after(last.end)
    if end >= until:
        return None
    return (
        f"the last {what} was at {shown(last.end)}: {policy.cooldown} of cool-down last until {shown(until)}"
    )


def _over_budget(policy: Policy, end: datetime, history: History) -> str | None:
    start = policy.budget_period.before(end)
    spent = sum(start < asked.end <= end for asked in history.requests)
    if spent < policy.budget:
        return None
    return f"the budget is spent: {spent} of {policy.budget} requests in the {policy.budget_period} before"


def _broken_off(policy: Policy, at: Situation, cause: Cause) -> str | None:
    """The circuit breaker. Once it has rested, one training may try; whether that helps decides again."""
    if not policy.breaker or cause in CHANGED:
        return None
    useless = useless_in_a_row(policy, at.history, at.end)
    if len(useless) < policy.breaker:
        return None
    until = policy.breaker_rest.after(useless[0].end)
    if at.end >= until:
        return None
    return (
        f"the circuit breaker is open: the last {len(useless)} retrainings did not help "
        f"({'; '.join(_why(training) for training in useless[:3])}). It lets one try after {shown(until)}; a "
        "training by hand, or with other code or another configuration, closes it"
    )


_WHY: Mapping[State, str] = {
    "held": "its challenger was held by the gates",
    "rolled_back": "its challenger was rolled back",
    "under_way": "it came to no verdict",
    "promoted": "its cause is still there",
}


def _why(training: Training) -> str:
    return f"{shown(training.end)}: {_WHY[training.state]}"
