"""Gates: is a challenger good enough to be registered? Pass, fail or inconclusive, with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, assert_never

from airflow_mlops.core.values import Estimate, Evaluation, Outcome, Verdict

HIGHER_IS_BETTER: frozenset[str] = frozenset({"roc_auc", "average_precision", "accuracy", "f1", "r2"})
LOWER_IS_BETTER: frozenset[str] = frozenset(
    {"log_loss", "brier_score", "mean_absolute_error", "root_mean_squared_error"}
)

Bootstrap = Literal["thresholds_only", "refuse"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """The challenger's own value must lie between two bounds, in the metric's unit, both included."""

    metric: str
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"the threshold on {self.metric} has no bound: give a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(
                f"the threshold on {self.metric} can never be met: minimum {self.minimum} is above "
                f"maximum {self.maximum}"
            )


@dataclass(frozen=True, slots=True)
class AgainstChampion:
    """The challenger must be proven no worse than the champion by more than ``margin``.

    ``margin`` is in the metric's unit. A margin of 0 asks for proof of no loss at all: an equally good
    challenger is then held nearly always, because the interval of a difference of zero straddles zero.
    """

    metric: str
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.metric not in HIGHER_IS_BETTER | LOWER_IS_BETTER:
            known = ", ".join(sorted(HIGHER_IS_BETTER | LOWER_IS_BETTER))
            raise ValueError(
                f"nobody knows whether more or less {self.metric!r} is better; use one of {known}"
            )
        if not self.margin >= 0:
            raise ValueError(f"the margin on {self.metric} is {self.margin}; it must be zero or more")


Rule = Threshold | AgainstChampion


def judge(
    rules: Sequence[Rule], evaluation: Evaluation, *, minimum_rows: int, bootstrap: Bootstrap
) -> Verdict:
    """The verdict of all rules on one evaluation; the reasons that decided it come first.

    A threshold is judged by the point value; where its interval straddles the bound, the reason says
    so. ``AgainstChampion`` is a non-inferiority test on the paired interval of the difference: it passes
    when the whole interval of the loss is within the margin, fails when the whole interval is beyond it,
    and is inconclusive in between (CONSORT, JAMA 2012;308:2594). Fewer holdout rows than ``minimum_rows``
    are inconclusive whatever the numbers. Without a champion ``bootstrap`` decides; a champion that
    cannot be compared is never taken for an absent one.

    Raises ``ValueError`` without rules: no gate at all is a mistake, not a pass.
    """
    if not rules:
        raise ValueError("there is no gate: at least one rule must be given")
    if evaluation.rows < minimum_rows:
        few = f"{evaluation.rows} of {minimum_rows} holdout rows: too few to judge, whatever the numbers"
        return Verdict("inconclusive", (few,))
    parts = [_judge_rule(rule, evaluation, bootstrap) for rule in rules]
    return settle([*_first_model(rules, evaluation, bootstrap), *parts])


def settle(parts: Sequence[Verdict]) -> Verdict:
    """One verdict of many: any fail fails, else any inconclusive holds, else it passes.

    All reasons are kept, those of failures first. Raises ``ValueError`` for no parts.
    """
    if not parts:
        raise ValueError("nothing was judged, so there is no verdict")
    ranked = sorted(parts, key=lambda part: _GRAVITY[part.outcome])
    return Verdict(ranked[0].outcome, tuple(reason for part in ranked for reason in part.reasons))


def loss(metric: str, difference: Estimate) -> Estimate:
    """How much worse, in the metric's unit, a difference (new minus old) is; below zero is better.

    Raises ``ValueError`` for a metric whose direction is unknown.
    """
    if metric in HIGHER_IS_BETTER:
        return Estimate(-difference.value, -difference.high, -difference.low)
    if metric in LOWER_IS_BETTER:
        return difference
    raise ValueError(f"nobody knows whether more or less {metric!r} is better")


_GRAVITY: dict[Outcome, int] = {"fail": 0, "inconclusive": 1, "pass": 2}


def _first_model(rules: Sequence[Rule], evaluation: Evaluation, bootstrap: Bootstrap) -> list[Verdict]:
    """What holds for a first model beyond its rules."""
    if _has_champion(evaluation):
        return []
    if bootstrap == "refuse":
        return [Verdict("fail", ("there is no champion yet, and the bootstrap rule is 'refuse'",))]
    if not any(isinstance(rule, Threshold) for rule in rules):
        return [
            Verdict(
                "fail",
                (
                    "there is no champion yet and no threshold to hold a first model to: "
                    "add a threshold rule to the gates",
                ),
            )
        ]
    return []


def _has_champion(evaluation: Evaluation) -> bool:
    return evaluation.champion is not None or evaluation.champion_problem is not None


def _judge_rule(rule: Rule, evaluation: Evaluation, bootstrap: Bootstrap) -> Verdict:
    match rule:
        case Threshold():
            return _judge_threshold(rule, evaluation)
        case AgainstChampion():
            return _judge_against_champion(rule, evaluation, bootstrap)
        case _:
            assert_never(rule)


def _judge_threshold(rule: Threshold, evaluation: Evaluation) -> Verdict:
    estimate = evaluation.challenger.get(rule.metric)
    if estimate is None:
        return _missing(rule.metric, "the challenger's metrics", list(evaluation.challenger))
    if not isfinite(estimate.value):
        return Verdict("fail", (f"{rule.metric} is {estimate.value}, not a finite number",))
    parts = []
    if rule.minimum is not None:
        low_enough = estimate.value >= rule.minimum
        words = "is at least" if low_enough else "is below"
        parts.append(_bound(rule.metric, estimate, words, rule.minimum, met=low_enough))
    if rule.maximum is not None:
        high_enough = estimate.value <= rule.maximum
        words = "is at most" if high_enough else "is above"
        parts.append(_bound(rule.metric, estimate, words, rule.maximum, met=high_enough))
    return settle(parts)


def _bound(metric: str, estimate: Estimate, words: str, bound: float, *, met: bool) -> Verdict:
    reason = f"{metric} {estimate} {words} {bound:z.4f}"
    if estimate.low < bound < estimate.high:
        reason += ", though its interval straddles it"
    return Verdict("pass" if met else "fail", (reason,))


def _judge_against_champion(rule: AgainstChampion, evaluation: Evaluation, bootstrap: Bootstrap) -> Verdict:
    if not _has_champion(evaluation):
        outcome: Outcome = "pass" if bootstrap == "thresholds_only" else "fail"
        return Verdict(outcome, (f"no champion yet: {rule.metric} has nothing to be compared with",))
    champion = f"champion version {evaluation.champion.version}" if evaluation.champion else "the champion"
    if evaluation.champion_problem is not None:
        reason = f"{rule.metric}: {champion} could not be compared: {evaluation.champion_problem}"
        return Verdict("inconclusive", (reason,))
    difference = evaluation.difference.get(rule.metric)
    if difference is None:
        return _missing(rule.metric, f"the differences from {champion}", list(evaluation.difference))
    if not all(isfinite(end) for end in (difference.low, difference.value, difference.high)):
        reason = f"{rule.metric}: the difference from {champion} is {difference}, not finite numbers"
        return Verdict("fail", (reason,))
    lost = loss(rule.metric, difference)
    fact = f"{rule.metric} is {_worse_or_better(lost)} than {champion}"
    margin = f"the margin {rule.margin:.4f}"
    if lost.high <= rule.margin:
        return Verdict("pass", (f"{fact}; a loss of more than {margin} is ruled out",))
    if lost.low > rule.margin:
        return Verdict("fail", (f"{fact}, more than {margin}",))
    return Verdict("inconclusive", (f"{fact}; a loss of more than {margin} is not ruled out",))


def _worse_or_better(lost: Estimate) -> str:
    if lost.value > 0:
        return f"{lost} worse"
    gained = Estimate(-lost.value, -lost.high, -lost.low)
    return f"{gained} better"


def _missing(metric: str, where: str, known: list[str]) -> Verdict:
    names = ", ".join(sorted(known)) or "none"
    return Verdict("fail", (f"{metric} is missing from {where} (there: {names})",))
