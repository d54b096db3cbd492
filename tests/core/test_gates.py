"""Gates: thresholds, non-inferiority, first models, and what the reasons say."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.core.gates import (
    AgainstChampion,
    Rule,
    Threshold,
    judge,
    loss,
    settle,
)
from airflow_mlops.core.metrics import HIGHER_IS_BETTER, LOWER_IS_BETTER
from airflow_mlops.core.values import Estimate, Evaluation, ModelRef, Verdict

CHAMPION = ModelRef("flight_delay", "3")
AUC = Threshold("roc_auc", minimum=0.65)


def evaluation(
    *,
    auc: Estimate | None = None,
    difference: Estimate | None = None,
    metric: str = "roc_auc",
    champion: ModelRef | None = CHAMPION,
    problem: str | None = None,
    rows: int = 1_000,
) -> Evaluation:
    return Evaluation(
        rows=rows,
        confidence=0.95,
        challenger={metric: auc or Estimate(0.7031, 0.6950, 0.7112)},
        champion=champion,
        difference={metric: difference} if difference else {},
        champion_problem=problem,
    )


def verdict(*rules: Rule, on: Evaluation, bootstrap: str = "thresholds_only") -> Verdict:
    return judge(rules, on, minimum_rows=200, bootstrap=bootstrap)  # type: ignore[arg-type] # a literal


def test_a_value_above_the_threshold_passes_and_the_reason_has_the_numbers() -> None:
    assert verdict(AUC, on=evaluation()) == Verdict(
        "pass", ("roc_auc 0.7031 (0.6950 to 0.7112) is at least 0.6500",)
    )


def test_a_value_below_the_threshold_fails_and_the_reason_has_the_numbers() -> None:
    assert verdict(AUC, on=evaluation(auc=Estimate(0.61, 0.60, 0.62))) == Verdict(
        "fail", ("roc_auc 0.6100 (0.6000 to 0.6200) is below 0.6500",)
    )


def test_a_threshold_inside_the_interval_is_judged_by_the_point_and_says_so() -> None:
    passed = verdict(AUC, on=evaluation(auc=Estimate(0.66, 0.64, 0.68)))
    failed = verdict(AUC, on=evaluation(auc=Estimate(0.64, 0.62, 0.66)))
    assert (passed.outcome, failed.outcome) == ("pass", "fail")
    assert passed.reasons == (
        "roc_auc 0.6600 (0.6400 to 0.6800) is at least 0.6500, though its interval straddles it",
    )
    assert failed.reasons[0].endswith("is below 0.6500, though its interval straddles it")


def test_the_bounds_of_a_threshold_are_included() -> None:
    exact = evaluation(auc=Estimate(0.65, 0.65, 0.65))
    assert verdict(Threshold("roc_auc", minimum=0.65, maximum=0.65), on=exact).passed


def test_a_value_above_the_maximum_fails() -> None:
    rule = Threshold("log_loss", maximum=0.6)
    answer = verdict(rule, on=evaluation(auc=Estimate(0.7, 0.69, 0.71), metric="log_loss"))
    assert answer == Verdict("fail", ("log_loss 0.7000 (0.6900 to 0.7100) is above 0.6000",))


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_value_that_is_no_finite_number_fails(value: float) -> None:
    answer = verdict(Threshold("r2", minimum=0.0), on=evaluation(auc=Estimate(value, 0, 1), metric="r2"))
    assert answer.outcome == "fail"
    assert "not a finite number" in answer.reasons[0]


def test_a_challenger_that_is_surely_worse_fails_and_the_reason_names_the_champion() -> None:
    worse = evaluation(difference=Estimate(-0.0131, -0.0192, -0.0070))
    assert verdict(AgainstChampion("roc_auc", 0.005), on=worse) == Verdict(
        "fail",
        ("roc_auc is 0.0131 (0.0070 to 0.0192) worse than champion version 3, more than the margin 0.0050",),
    )


def test_a_challenger_whose_loss_may_exceed_the_margin_is_held() -> None:
    unclear = evaluation(difference=Estimate(-0.002, -0.007, 0.003))
    assert verdict(AgainstChampion("roc_auc", 0.005), on=unclear) == Verdict(
        "inconclusive",
        (
            "roc_auc is 0.0020 (-0.0030 to 0.0070) worse than champion version 3; "
            "a loss of more than the margin 0.0050 is not ruled out",
        ),
    )


def test_a_slightly_worse_challenger_within_the_margin_passes() -> None:
    close = evaluation(difference=Estimate(-0.002, -0.004, -0.001))
    assert verdict(AgainstChampion("roc_auc", 0.005), on=close).passed


def test_a_better_challenger_is_called_better_with_its_interval_the_right_way_round() -> None:
    better = evaluation(difference=Estimate(0.02, 0.01, 0.03))
    assert verdict(AgainstChampion("roc_auc"), on=better) == Verdict(
        "pass",
        (
            "roc_auc is 0.0200 (0.0100 to 0.0300) better than champion version 3; "
            "a loss of more than the margin 0.0000 is ruled out",
        ),
    )


def test_an_equal_challenger_is_not_proven_lossless_at_margin_zero() -> None:
    equal = evaluation(difference=Estimate(0.0, -0.004, 0.004))
    assert verdict(AgainstChampion("roc_auc"), on=equal).outcome == "inconclusive"


def test_an_identical_model_passes_at_margin_zero() -> None:
    same = evaluation(difference=Estimate(0.0, 0.0, 0.0))
    answer = verdict(AgainstChampion("roc_auc"), on=same)
    assert answer.passed
    assert "-0.0000" not in answer.reasons[0]


def test_for_a_loss_metric_a_higher_value_is_worse() -> None:
    higher = evaluation(difference=Estimate(0.02, 0.01, 0.03), metric="log_loss")
    lower = evaluation(difference=Estimate(-0.02, -0.03, -0.01), metric="log_loss")
    rule = AgainstChampion("log_loss", 0.005)
    assert verdict(rule, on=higher).reasons[0].startswith("log_loss is 0.0200 (0.0100 to 0.0300) worse")
    assert verdict(rule, on=higher).outcome == "fail"
    assert verdict(rule, on=lower).reasons[0].startswith("log_loss is 0.0200 (0.0100 to 0.0300) better")
    assert verdict(rule, on=lower).passed


def test_every_metric_a_config_may_name_has_a_direction() -> None:
    assert frozenset().union(*METRICS_OF.values()) == HIGHER_IS_BETTER | LOWER_IS_BETTER
    assert not HIGHER_IS_BETTER & LOWER_IS_BETTER


def test_a_difference_that_is_no_number_fails() -> None:
    broken = evaluation(difference=Estimate(nan, nan, nan))
    assert verdict(AgainstChampion("roc_auc", 1.0), on=broken).outcome == "fail"


def test_a_first_model_is_judged_by_its_thresholds() -> None:
    first = evaluation(champion=None)
    answer = verdict(AUC, AgainstChampion("roc_auc"), on=first)
    assert answer.passed
    assert answer.reasons[1] == "no champion yet: roc_auc has nothing to be compared with"
    poor = evaluation(champion=None, auc=Estimate(0.5, 0.49, 0.51))
    assert verdict(AUC, AgainstChampion("roc_auc"), on=poor).outcome == "fail"


def test_a_first_model_without_any_threshold_fails_and_the_reason_says_what_to_add() -> None:
    answer = verdict(AgainstChampion("roc_auc"), on=evaluation(champion=None))
    assert answer.outcome == "fail"
    assert answer.reasons[0].endswith("add a rule of type threshold, or a baseline, to the gates")


@pytest.mark.parametrize("rules", [(AUC,), (AUC, AgainstChampion("roc_auc"))])
def test_a_first_model_is_refused_where_the_bootstrap_rule_says_so(rules: tuple[Rule, ...]) -> None:
    answer = verdict(*rules, on=evaluation(champion=None), bootstrap="refuse")
    assert answer.outcome == "fail"
    assert answer.reasons[0] == "there is no champion yet, and the bootstrap rule is 'refuse'"


@pytest.mark.parametrize("champion", [CHAMPION, None])
def test_a_champion_that_cannot_be_compared_is_named_and_not_taken_for_absent(
    champion: ModelRef | None,
) -> None:
    broken = evaluation(champion=champion, problem="it was trained on another schema")
    answer = verdict(AUC, AgainstChampion("roc_auc"), on=broken)
    assert answer.outcome == "inconclusive"
    assert answer.reasons[0].endswith("could not be compared: it was trained on another schema")


def test_few_rows_are_inconclusive_whatever_the_numbers() -> None:
    terrible = evaluation(rows=142, auc=Estimate(0.1, 0.0, 0.2), difference=Estimate(-0.5, -0.6, -0.4))
    answer = verdict(AUC, AgainstChampion("roc_auc"), on=terrible)
    assert answer.outcome == "inconclusive"
    assert answer.reasons[0].startswith("142 of 200 holdout rows")


def test_a_metric_that_was_not_computed_fails_and_lists_those_that_were() -> None:
    assert verdict(Threshold("accuracy", minimum=0.5), on=evaluation()) == Verdict(
        "fail", ("accuracy is missing from the challenger's metrics (there: roc_auc)",)
    )
    assert verdict(AgainstChampion("roc_auc"), on=evaluation()).reasons == (
        "roc_auc is missing from the differences from champion version 3 (there: none)",
    )


def test_one_failure_outweighs_the_rest_and_comes_first() -> None:
    mixed = evaluation(difference=Estimate(-0.002, -0.007, 0.003))
    answer = verdict(AUC, AgainstChampion("roc_auc", 0.005), Threshold("f1", minimum=0.5), on=mixed)
    assert answer.outcome == "fail"
    assert [reason.split()[0] for reason in answer.reasons] == ["f1", "roc_auc", "roc_auc"]
    assert "not ruled out" in answer.reasons[1]


def test_no_gate_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no gate"):
        judge([], evaluation(), minimum_rows=1, bootstrap="thresholds_only")
    with pytest.raises(ValueError, match="nothing was judged"):
        settle([])


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="give a minimum or a maximum"):
        Threshold("roc_auc")
    with pytest.raises(ValueError, match="can never be met"):
        Threshold("roc_auc", minimum=0.9, maximum=0.1)
    with pytest.raises(ValueError, match="nobody knows whether more or less 'rocauc' is better"):
        AgainstChampion("rocauc")
    for margin in (-0.1, nan):
        with pytest.raises(ValueError, match="must be zero or more"):
            AgainstChampion("roc_auc", margin)
    with pytest.raises(ValueError, match="nobody knows"):
        loss("rocauc", Estimate(0, 0, 0))


unit = st.floats(-1, 1, allow_nan=False)
METRICS = sorted(HIGHER_IS_BETTER | LOWER_IS_BETTER)
GRAVITY = {"fail": 0, "inconclusive": 1, "pass": 2}


@given(
    metric=st.sampled_from(METRICS),
    value=unit,
    below=st.floats(0, 0.5),
    above=st.floats(0, 0.5),
    shift=st.floats(0, 1),
    margin=st.floats(0, 0.5),
    bound=unit,
)
def test_a_better_challenger_is_never_judged_worse(
    metric: str, value: float, below: float, above: float, shift: float, margin: float, bound: float
) -> None:
    def at(moved: float) -> Evaluation:
        estimate = Estimate(value + moved, value + moved - below, value + moved + above)
        return evaluation(metric=metric, auc=estimate, difference=estimate)

    higher = metric in HIGHER_IS_BETTER
    threshold = Threshold(metric, minimum=bound) if higher else Threshold(metric, maximum=bound)
    for rule in (threshold, AgainstChampion(metric, margin)):
        before = verdict(rule, on=at(0.0)).outcome
        after = verdict(rule, on=at(shift if higher else -shift)).outcome
        assert GRAVITY[after] >= GRAVITY[before]


@given(value=unit, half=st.floats(0.001, 0.5), margin=st.floats(0, 0.5), more=st.floats(0, 0.5))
def test_a_wider_margin_is_never_stricter(value: float, half: float, margin: float, more: float) -> None:
    on = evaluation(difference=Estimate(value, value - half, value + half))
    tight = verdict(AgainstChampion("roc_auc", margin), on=on).outcome
    wide = verdict(AgainstChampion("roc_auc", margin + more), on=on).outcome
    assert GRAVITY[wide] >= GRAVITY[tight]


@given(st.lists(st.sampled_from(["pass", "fail", "inconclusive"]), min_size=1))
def test_a_settled_verdict_is_its_worst_part(outcomes: list[str]) -> None:
    parts = [Verdict(outcome, (str(number),)) for number, outcome in enumerate(outcomes)]  # type: ignore[arg-type] # literals
    answer = settle(parts)
    assert answer.outcome == min(outcomes, key=GRAVITY.__getitem__)
    assert sorted(answer.reasons) == sorted(str(number) for number in range(len(parts)))


def test_a_threshold_alone_does_not_care_about_a_broken_champion() -> None:
    broken = replace(evaluation(), champion_problem="it cannot be loaded")
    assert verdict(AUC, on=broken).passed


def test_exactly_the_minimum_of_rows_is_judged() -> None:
    assert verdict(AUC, on=evaluation(rows=200)).passed
    assert verdict(AUC, on=evaluation(rows=199)).outcome == "inconclusive"


def test_a_loss_that_may_be_just_the_margin_is_held_and_one_of_at_most_the_margin_passes() -> None:
    rule = AgainstChampion("log_loss", 0.25)
    from_margin = evaluation(metric="log_loss", difference=Estimate(0.5, 0.25, 0.75))
    to_margin = evaluation(metric="log_loss", difference=Estimate(0.0, -0.25, 0.25))
    assert verdict(rule, on=from_margin).outcome == "inconclusive"
    assert verdict(rule, on=to_margin).passed


def test_an_interval_that_only_touches_the_threshold_does_not_straddle_it() -> None:
    for estimate in (Estimate(0.75, 0.5, 0.8), Estimate(0.25, 0.2, 0.5)):
        answer = verdict(Threshold("roc_auc", minimum=0.5), on=evaluation(auc=estimate))
        assert "straddles" not in answer.reasons[0]
