"""Quality while a rollout is under way: the two versions' losses on the rows whose labels have landed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Literal

from airflow_mlops.core.metrics import Direction
from airflow_mlops.core.sequential import confidence_sequence
from airflow_mlops.core.values import Estimate, Outcome, Verdict

Pairing = Literal["shadow", "split"]
"""``shadow``: both versions answered each row. ``split``: each row was answered by one of the two."""


@dataclass(frozen=True, slots=True)
class Spread:
    """So many values, their mean and their variance."""

    count: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Landed:
    """Values of the metric, one a row, of the rows whose labels have landed.

    ``difference`` is challenger minus champion, row by row, and there where the rows are the same. Of
    ``answered`` rows (pairs, or those of the arm that has fewer) so many have no label yet.
    """

    pairing: Pairing
    champion: Spread
    challenger: Spread
    difference: Spread | None = None
    answered: int = 0

    @property
    def labels(self) -> int:
        """How many rows can be compared: pairs, or the rows of the smaller arm."""
        return min(self.champion.count, self.challenger.count)


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """``margin`` is how much worse the challenger may be, in the metric's unit. ``false_alarm`` is the chance
    that harm is proven which is not there, ``false_pass`` that none is proven where there is: each in the
    whole rollout, and shared by its ``sequences`` of looks. ``span`` is the distance between the best and the
    worst value of one row, where there is one.
    """

    metric: str
    direction: Direction
    margin: float
    minimum_labels: int
    required: bool = False
    false_alarm: float = 0.05
    false_pass: float = 0.05
    sequences: int = 1
    span: float | None = None


@dataclass(frozen=True, slots=True)
class QualityLook:
    """What one look at the labels found. ``moved`` counts the keys that both versions answered in a split
    that should be sticky, of ``keys``; ``problem`` says why nothing could be read."""

    at: datetime
    landed: tuple[Landed, ...] = ()
    moved: int = 0
    keys: int = 0
    problem: str | None = None


MOVED_SHARE = 0.01
"""More keys than this share on both sides, and the split does not stick: then it compares nothing."""


def judge_quality(landed: Sequence[Landed], limits: QualityLimits) -> Verdict:
    """Whether the challenger is worse than the champion by more than the margin.

    Fail: it is proven to be. Pass: it is proven not to be. Inconclusive: neither yet. Rows that both versions
    answered and rows that were split are two looks at one question: proof of harm in either fails, and else
    proof of none in either passes. With fewer labels than ``minimum_labels`` in both nothing is judged, which
    is inconclusive only where quality is ``required``.
    """
    enough = [one for one in landed if one.labels >= limits.minimum_labels]
    if not enough:
        return _too_few(landed, limits)
    parts = [_judge_one(one, limits) for one in enough]
    for outcome in _FIRST:
        told = [part for part in parts if part.outcome == outcome]
        if told:
            others = [part for part in parts if part.outcome != outcome]
            return Verdict(outcome, tuple(reason for part in [*told, *others] for reason in part.reasons))
    raise AssertionError("each part has an outcome")


_FIRST: tuple[Outcome, ...] = ("fail", "pass", "inconclusive")


def judge_stickiness(look: QualityLook) -> Verdict | None:
    """A verdict against a split whose keys do not stay with one version; None where they do."""
    if look.moved <= MOVED_SHARE * look.keys:
        return None
    said = (
        f"both versions answered {look.moved} of {look.keys} keys: the split does not stick to data.key, so "
        "it compares nothing"
    )
    return Verdict("fail", (said,))


def difference(landed: Landed, limits: QualityLimits) -> Estimate:
    """Challenger minus champion in the metric's own unit; infinite ends where nothing can be said yet. Each
    end holds by itself, at every look: the one towards harm but for ``false_alarm``, the other but for
    ``false_pass``."""
    worse = _worse(landed, limits)
    return worse if limits.direction == "lower" else Estimate(-worse.value, -worse.high, -worse.low)


def of_arm(arm: Spread, limits: QualityLimits) -> Estimate:
    """One version's mean, with an interval for a reader: both ends hold together, at every look."""
    low, high = confidence_sequence(arm.count, arm.mean, arm.variance, limits.false_pass, widest=limits.span)
    return Estimate(arm.mean, low, high)


def _worse(landed: Landed, limits: QualityLimits) -> Estimate:
    """By how much the challenger is worse."""
    sign = 1 if limits.direction == "lower" else -1
    value = sign * (landed.challenger.mean - landed.champion.mean)
    compared, widest = _compared(landed, limits.span)
    low, high = (
        confidence_sequence(
            compared.count,
            value,
            compared.variance,
            error / limits.sequences,
            sides="one",
            widest=widest,
            tightest_at=max(1_000, limits.minimum_labels),
        )
        for error in (limits.false_alarm, limits.false_pass)
    )
    return Estimate(value, low[0], high[1])


def _compared(landed: Landed, span: float | None) -> tuple[Spread, float | None]:
    """The values whose mean is the difference, and how far apart they can lie.

    Of pairs they are the rows' differences. Of a split each row stands for the effect of who answered it: its
    distance from its arm's mean over the arm's share, with the sign of the arm (Waudby-Smith et al., as in
    ``confidence_sequence``, section 3 on sequential experiments, without covariates). Their variance is that
    of each arm over its share.
    """
    if landed.difference is not None:
        return landed.difference, None if span is None else 2 * span
    champion, challenger = landed.champion, landed.challenger
    count = champion.count + challenger.count
    if not (champion.count and challenger.count):
        return Spread(count, 0.0, 0.0), None
    share = challenger.count / count
    variance = challenger.variance / share + champion.variance / (1 - share)
    widest = None if span is None else span / share + span / (1 - share)
    return Spread(count, challenger.mean - champion.mean, variance), widest


def _judge_one(landed: Landed, limits: QualityLimits) -> Verdict:
    worse, found = _worse(landed, limits), difference(landed, limits)
    fact = (
        f"{limits.metric} {landed.challenger.mean:.4g} against the champion's {landed.champion.mean:.4g} "
        f"{_on(landed)}"
    )
    if not (isfinite(worse.low) and isfinite(worse.high)):
        return Verdict("inconclusive", (f"{fact}: the rows do not tell yet how much that may be chance",))
    interval = f"difference {found.value:+.4g}, between {found.low:+.4g} and {found.high:+.4g}"
    margin = f"the margin {limits.margin:g}"
    if worse.low > limits.margin:
        return Verdict("fail", (f"{fact}: proven worse by more than {margin} ({interval})",))
    if worse.high < 0:
        return Verdict("pass", (f"{fact}: proven better ({interval})",))
    if worse.high <= limits.margin:
        return Verdict("pass", (f"{fact}: proven no worse than {margin} allows ({interval})",))
    return Verdict("inconclusive", (f"{fact}: not told apart from {margin} yet ({interval})",))


def _on(landed: Landed) -> str:
    if landed.pairing == "shadow":
        return f"on {landed.labels} labelled rows that both answered"
    return f"on {landed.challenger.count} labelled rows, the champion's on {landed.champion.count}"


def _too_few(landed: Sequence[Landed], limits: QualityLimits) -> Verdict:
    most = max((one.labels for one in landed), default=0)
    fact = f"{most} of {limits.minimum_labels} labels have landed"
    if limits.required:
        return Verdict("inconclusive", (f"{fact}, so {limits.metric} cannot be judged yet",))
    return Verdict("pass", (f"{fact}, so {limits.metric} was not judged",))
