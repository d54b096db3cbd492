"""Gates on what was measured for them alone."""

from __future__ import annotations

from math import nan

import pytest

from airflow_mlops.core.gates import AgainstChampion, Bootstrap, Measured, Rule, judge
from airflow_mlops.core.values import Estimate, Evaluation, Finding, Measurement, ModelRef, Verdict

CHAMPION = ModelRef("churn", "3")
GAP = Measured("overfitting", maximum=0.05)


def verdict(
    *rules: Rule,
    findings: tuple[Finding, ...],
    champion: ModelRef | None = CHAMPION,
    bootstrap: Bootstrap = "thresholds_only",
) -> Verdict:
    evaluation = Evaluation(rows=1_000, confidence=0.95, challenger={}, champion=champion, findings=findings)
    return judge(rules, evaluation, minimum_rows=1, bootstrap=bootstrap)


def gap(value: float, half: float, **more: object) -> Measurement:
    return Measurement("gap of roc_auc", Estimate(value, value - half, value + half), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "outcome", "words"),
    [
        (0.02, "pass", "as asked (at most 0.05)"),
        (0.05, "inconclusive", "which is neither proven to be at most 0.05 nor ruled out"),
        (0.09, "fail", "not at most 0.05"),
    ],
)
def test_a_measured_number_is_held_to_its_bounds_with_rows_unit_and_note(
    value: float, outcome: str, words: str
) -> None:
    finding = Finding("overfitting", (gap(value, 0.01, rows=800, note="training 0.9"),), unit="points")
    answer = verdict(GAP, findings=(finding,))
    assert answer.outcome == outcome
    assert answer.reasons == (
        f"overfitting: gap of roc_auc {value:.4f} ({value - 0.01:.4f} to {value + 0.01:.4f}) points on "
        f"800 rows, {words} (training 0.9)",
    )


def test_what_was_counted_is_told_without_an_interval() -> None:
    size = Finding("size", (Measurement("the model's file", Estimate(12.5, 12.5, 12.5)),), unit="MB")
    answer = verdict(Measured("size", maximum=10), findings=(size,))
    assert answer == Verdict("fail", ("size: the model's file 12.5 MB, not at most 10",))


def test_one_measurement_beyond_the_bound_fails_the_gate_and_comes_first() -> None:
    finding = Finding("overfitting", (gap(0.01, 0.0), gap(0.5, 0.0), gap(0.05, 0.01)))
    answer = verdict(GAP, findings=(finding,))
    assert answer.outcome == "fail"
    assert [reason.split()[4] for reason in answer.reasons] == ["0.5,", "0.0500", "0.01,"]


def test_of_many_that_passed_only_the_count_is_said() -> None:
    finding = Finding("overfitting", (*[gap(0.01, 0.0)] * 40, gap(0.5, 0.0)))
    answer = verdict(GAP, findings=(finding,))
    assert len(answer.reasons) == 2
    assert answer.reasons[1] == "overfitting: 40 of 41 measurements are as asked"


def test_each_rule_is_judged_by_the_finding_of_its_own_name() -> None:
    findings = (Finding("gap 1", (gap(0.5, 0.0),)), Finding("gap 2", (gap(0.0, 0.0),)))
    assert verdict(Measured("gap 2", maximum=0.1), findings=findings).passed
    assert verdict(Measured("gap 1", maximum=0.1), findings=findings).outcome == "fail"
    missing = verdict(Measured("gap", maximum=0.1), findings=findings)
    assert missing == Verdict("fail", ("gap is missing from what was measured (there: gap 1, gap 2)",))


def test_what_could_not_be_measured_holds_and_says_why() -> None:
    answer = verdict(GAP, findings=(Finding("overfitting", problem="its rows are gone"),))
    assert answer == Verdict("inconclusive", ("overfitting: could not be measured: its rows are gone",))
    nothing = verdict(GAP, findings=(Finding("overfitting"),))
    assert nothing == Verdict("inconclusive", ("overfitting: there was nothing to measure",))


def test_a_verdict_that_came_with_the_measurement_is_taken() -> None:
    finding = Finding("mine", verdict=Verdict("inconclusive", ("too few flights", "of one airline")))
    assert verdict(Measured("mine"), findings=(finding,)) == Verdict(
        "inconclusive", ("mine: too few flights", "mine: of one airline")
    )


def test_a_verdict_and_numbers_beyond_the_bounds_both_count() -> None:
    broken = Finding("robust", (gap(0.01, 0.0),), verdict=Verdict("fail", ("noise in age: it raised",)))
    answer = verdict(Measured("robust", maximum=0.1), findings=(broken,))
    assert answer.outcome == "fail"
    assert answer.reasons[0] == "robust: noise in age: it raised"
    assert len(answer.reasons) == 2
    lenient = Finding("robust", (gap(0.5, 0.0),), verdict=Verdict("pass", ("fine by me",)))
    assert verdict(Measured("robust", maximum=0.1), findings=(lenient,)).outcome == "fail"


def test_numbers_without_a_bound_or_a_verdict_fail() -> None:
    answer = verdict(Measured("mine"), findings=(Finding("mine", (gap(0.0, 0.0),)),))
    assert answer.outcome == "fail"
    assert "it has no bound" in answer.reasons[0]


def test_a_number_that_is_none_fails() -> None:
    finding = Finding("overfitting", (Measurement("gap", Estimate(nan, nan, nan)),))
    assert verdict(GAP, findings=(finding,)).outcome == "fail"


def test_proven_harm_passes_what_is_not_proven_to_be_beyond_the_bound() -> None:
    rule = Measured("overfitting", maximum=0.05, decide_by="proven_harm")
    assert verdict(rule, findings=(Finding("overfitting", (gap(0.06, 0.02),)),)).passed
    assert verdict(rule, findings=(Finding("overfitting", (gap(0.08, 0.02),)),)).outcome == "fail"


def test_a_first_model_may_be_judged_by_a_baseline_alone_and_not_by_just_any_measurement() -> None:
    finding = (Finding("baseline", (gap(0.1, 0.01),)),)
    enough = Measured("baseline", minimum=0.0, judges_first=True)
    assert verdict(enough, AgainstChampion("f1"), findings=finding, champion=None).passed
    other = verdict(Measured("baseline", minimum=0.0), findings=finding, champion=None)
    assert other.outcome == "fail"
    assert "nothing to hold a first model to" in other.reasons[0]
    refused = verdict(enough, findings=finding, champion=None, bootstrap="refuse")
    assert refused.outcome == "fail"


def test_bounds_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="can never be met"):
        Measured("overfitting", minimum=1.0, maximum=0.0)
