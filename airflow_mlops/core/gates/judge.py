"""The verdict of all rules on one evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite, isnan
from typing import assert_never

from airflow_mlops.core.gates.bounds import GRAVITY, within
from airflow_mlops.core.gates.rules import (
    AgainstChampion,
    Bootstrap,
    Incompatible,
    Measured,
    Rule,
    Threshold,
    loss,
)
from airflow_mlops.core.values import Estimate, Evaluation, Finding, Measurement, Outcome, Verdict


def judge(
    rules: Sequence[Rule],
    evaluation: Evaluation,
    *,
    minimum_rows: int,
    bootstrap: Bootstrap,
    incompatible: Incompatible = "hold",
) -> Verdict:
    """The verdict of all rules on one evaluation; the reasons that decided it come first.

    A threshold is judged by the point value, unless it says otherwise; where its interval straddles the
    bound, the reason says so. ``AgainstChampion`` is a non-inferiority (or, with an improvement, superiority)
    test on the paired interval of the difference: it passes when the whole interval of the loss is within
    the margin, fails when the whole interval is beyond it, and is inconclusive in between (CONSORT, JAMA
    2012;308:2594). Fewer holdout rows than ``minimum_rows`` are inconclusive whatever the numbers. Without a
    champion ``bootstrap`` decides; a champion that cannot be compared is taken for an absent one only with
    ``incompatible="first_model"``, and then the reasons name it.

    Raises ``ValueError`` without rules: no gate at all is a mistake, not a pass.
    """
    if not rules:
        raise ValueError("there is no gate: at least one rule must be given")
    if evaluation.rows < minimum_rows:
        few = f"{evaluation.rows} of {minimum_rows} holdout rows: too few to judge, whatever the numbers"
        return Verdict("inconclusive", (few,))
    told = []
    if evaluation.champion_incompatible and incompatible == "first_model":
        told = [Verdict("pass", (f"{_incomparable(evaluation)}; judged as a first model",))]
        evaluation = replace(evaluation, champion=None, champion_problem=None)
    parts = [_judge_rule(rule, evaluation, bootstrap) for rule in rules]
    return settle([*told, *_first_model(rules, evaluation, bootstrap), *parts])


def settle(parts: Sequence[Verdict]) -> Verdict:
    """One verdict of many: any fail fails, else any inconclusive holds, else it passes.

    All reasons are kept, those of failures first. Raises ``ValueError`` for no parts.
    """
    if not parts:
        raise ValueError("nothing was judged, so there is no verdict")
    ranked = sorted(parts, key=lambda part: GRAVITY[part.outcome])
    return Verdict(ranked[0].outcome, tuple(reason for part in ranked for reason in part.reasons))


def _first_model(rules: Sequence[Rule], evaluation: Evaluation, bootstrap: Bootstrap) -> list[Verdict]:
    """What holds for a first model beyond its rules."""
    if _has_champion(evaluation):
        return []
    if bootstrap == "refuse":
        return [Verdict("fail", ("there is no champion yet, and the bootstrap rule is 'refuse'",))]
    if not any(_judges_first(rule) for rule in rules):
        missing = (
            "there is no champion yet and nothing to hold a first model to: add a rule of type threshold, or "
            "a baseline, to the gates"
        )
        return [Verdict("fail", (missing,))]
    return []


def _judges_first(rule: Rule) -> bool:
    return isinstance(rule, Threshold) or (isinstance(rule, Measured) and rule.judges_first)


def _has_champion(evaluation: Evaluation) -> bool:
    return evaluation.champion is not None or evaluation.champion_problem is not None


def _judge_rule(rule: Rule, evaluation: Evaluation, bootstrap: Bootstrap) -> Verdict:
    match rule:
        case Threshold():
            return _judge_threshold(rule, evaluation)
        case AgainstChampion():
            return _judge_against_champion(rule, evaluation, bootstrap)
        case Measured():
            return _judge_measured(rule, evaluation, bootstrap)
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
        words = "is at least" if estimate.value >= rule.minimum else "is below"
        outcome = within(estimate, rule.minimum, None, rule.decide_by)
        parts.append(_bound(rule.metric, estimate, words, rule.minimum, outcome))
    if rule.maximum is not None:
        words = "is at most" if estimate.value <= rule.maximum else "is above"
        outcome = within(estimate, None, rule.maximum, rule.decide_by)
        parts.append(_bound(rule.metric, estimate, words, rule.maximum, outcome))
    return settle(parts)


def _bound(metric: str, estimate: Estimate, words: str, bound: float, outcome: Outcome) -> Verdict:
    reason = f"{metric} {estimate} {words} {bound:z.4f}"
    if estimate.low < bound < estimate.high:
        reason += ", though its interval straddles it"
    return Verdict(outcome, (reason,))


def _judge_against_champion(rule: AgainstChampion, evaluation: Evaluation, bootstrap: Bootstrap) -> Verdict:
    if not _has_champion(evaluation):
        outcome: Outcome = "pass" if bootstrap == "thresholds_only" else "fail"
        return Verdict(outcome, (f"no champion yet: {rule.metric} has nothing to be compared with",))
    if evaluation.champion_problem is not None:
        return Verdict("inconclusive", (f"{rule.metric}: {_incomparable(evaluation)}",))
    champion = _champion(evaluation)
    difference = evaluation.difference.get(rule.metric)
    theirs = evaluation.champion_metrics.get(rule.metric)
    if difference is None or (rule.relative and theirs is None):
        return _missing(rule.metric, f"the differences from {champion}", list(evaluation.difference))
    if not isfinite(difference.value) or isnan(difference.low) or isnan(difference.high):
        reason = f"{rule.metric}: the difference from {champion} is {difference}, not finite numbers"
        return Verdict("fail", (reason,))
    lost = loss(rule.metric, difference, rule.direction)
    fact = f"{rule.metric} is {_worse_or_better(lost)} than {champion}"
    return _compared(rule, lost, fact, rule.most_lost(theirs.value if theirs else 0.0))


def _incomparable(evaluation: Evaluation) -> str:
    return f"{_champion(evaluation)} could not be compared: {evaluation.champion_problem}"


def _champion(evaluation: Evaluation) -> str:
    return f"champion version {evaluation.champion.version}" if evaluation.champion else "the champion"


def _compared(rule: AgainstChampion, lost: Estimate, fact: str, most: float) -> Verdict:
    outcome = within(lost, None, most, rule.decide_by)
    if rule.improvement is not None:
        said = f"a gain of {-most:.4f}"
        words = {
            "pass": f"{fact}; {said} is {'reached' if rule.decide_by == 'value' else 'proven'}",
            "fail": f"{fact}; {said} is {'not reached' if rule.decide_by == 'value' else 'ruled out'}",
            "inconclusive": f"{fact}; {said} is neither proven nor ruled out",
        }[outcome]
        return Verdict(outcome, (words,))
    margin = f"the margin {most:.4f}"
    if outcome == "pass" and rule.on_tie == "champion" and lost.high >= 0:
        return Verdict("fail", (f"{fact}: a tie, and on a tie the champion stays",))
    words = {
        "pass": f"{fact}; a loss of more than {margin} is ruled out",
        "fail": f"{fact}, more than {margin}",
        "inconclusive": f"{fact}; a loss of more than {margin} is not ruled out",
    }[outcome]
    if outcome == "pass" and rule.decide_by != "interval":
        words = f"{fact}, within {margin}"
    return Verdict(outcome, (words,))


def _judge_measured(rule: Measured, evaluation: Evaluation, bootstrap: Bootstrap) -> Verdict:
    if rule.against_champion and not _has_champion(evaluation):
        outcome: Outcome = "pass" if bootstrap == "thresholds_only" else "fail"
        return Verdict(outcome, (f"no champion yet: {rule.label} has nothing to be compared with",))
    finding = next((item for item in evaluation.findings if item.rule == rule.label), None)
    if finding is None:
        return _missing(rule.label, "what was measured", [item.rule for item in evaluation.findings])
    if finding.problem is not None:
        return Verdict("inconclusive", (f"{rule.label}: could not be measured: {finding.problem}",))
    parts = []
    if finding.verdict is not None:
        reasons = tuple(f"{rule.label}: {reason}" for reason in finding.verdict.reasons)
        parts.append(Verdict(finding.verdict.outcome, reasons))
    if (rule.minimum, rule.maximum) != (None, None) and finding.measurements:
        judged = [_judge_measurement(rule, finding, item) for item in finding.measurements]
        parts.append(_short(judged, rule, finding))
    if parts:
        return settle(parts)
    if finding.measurements:
        return Verdict("fail", (f"{rule.label}: it has no bound, and its measurement came with no verdict",))
    return Verdict("inconclusive", (f"{rule.label}: there was nothing to measure",))


def _judge_measurement(rule: Measured, finding: Finding, item: Measurement) -> Verdict:
    outcome = within(item.estimate, rule.minimum, rule.maximum, rule.decide_by)
    bounds = " and ".join(
        f"{words} {bound:z.4g}"
        for words, bound in (("at least", rule.minimum), ("at most", rule.maximum))
        if bound is not None
    )
    unit = f" {finding.unit}" if finding.unit else ""
    rows = "" if item.rows is None else f" on {item.rows} rows"
    asked = {
        "pass": f"as asked ({bounds})",
        "fail": f"not {bounds}",
        "inconclusive": f"which is neither proven to be {bounds} nor ruled out",
    }[outcome]
    if outcome == "pass" and within(item.estimate, rule.minimum, rule.maximum, "value") == "fail":
        asked = f"which does not prove that it is not {bounds}"
    told = [item.note] if item.note else []
    if item.p_value is not None:
        told.append(f"corrected p {item.p_value:.2g}")
    note = f" ({'; '.join(told)})" if told else ""
    return Verdict(outcome, (f"{rule.label}: {item.name} {item.shown}{unit}{rows}, {asked}{note}",))


def _short(parts: Sequence[Verdict], rule: Measured, finding: Finding) -> Verdict:
    """Of what passed in many places only the count is said: the numbers stand in the report."""
    whole = settle(parts)
    passed = [part for part in parts if part.outcome == "pass"]
    if len(passed) <= _SAID_ONE_BY_ONE and not finding.unlisted:
        return whole
    held = [part for part in parts if part.outcome != "pass"]
    said = f"{rule.label}: {len(passed)} of {len(parts)} measurements are as asked"
    if finding.unlisted:
        said += f"; {finding.unlisted} more, none of them worse, stand in the report"
    return Verdict(whole.outcome, (*(settle(held).reasons if held else ()), said))


_SAID_ONE_BY_ONE = 3


def _worse_or_better(lost: Estimate) -> str:
    if lost.value > 0:
        return f"{lost} worse"
    gained = Estimate(-lost.value, -lost.high, -lost.low)
    return f"{gained} better"


def _missing(metric: str, where: str, known: list[str]) -> Verdict:
    names = ", ".join(sorted(known)) or "none"
    return Verdict("fail", (f"{metric} is missing from {where} (there: {names})",))
