"""The champion gate beyond a margin: an improvement to prove, shares of the champion, ties, plain values."""

from __future__ import annotations

from math import nan

import pytest

from airflow_mlops.core.gates import AgainstChampion, judge
from airflow_mlops.core.values import Estimate, Evaluation, ModelRef, Verdict


def verdict(rule: AgainstChampion, difference: Estimate, *, champion: float | None = 0.8) -> Verdict:
    theirs = {} if champion is None else {rule.metric: Estimate(champion, champion, champion)}
    evaluation = Evaluation(
        rows=1_000,
        confidence=0.95,
        challenger={},
        champion=ModelRef("churn", "3"),
        champion_metrics=theirs,
        difference={rule.metric: difference},
    )
    return judge([rule], evaluation, minimum_rows=1, bootstrap="thresholds_only")


BETTER_BY_3 = Estimate(0.03, 0.021, 0.039)


def test_an_improvement_is_proven_ruled_out_or_neither() -> None:
    said = {
        improvement: verdict(AgainstChampion("f1", improvement=improvement), BETTER_BY_3)
        for improvement in (0.02, 0.03, 0.04)
    }
    assert {bound: one.outcome for bound, one in said.items()} == {
        0.02: "pass",
        0.03: "inconclusive",
        0.04: "fail",
    }
    fact = "f1 is 0.0300 (0.0210 to 0.0390) better than champion version 3; a gain of "
    assert [one.reasons[0] for one in said.values()] == [
        f"{fact}0.0200 is proven",
        f"{fact}0.0300 is neither proven nor ruled out",
        f"{fact}0.0400 is ruled out",
    ]


def test_an_improvement_of_a_loss_is_a_fall() -> None:
    assert verdict(AgainstChampion("log_loss", improvement=0.02), Estimate(-0.03, -0.039, -0.021)).passed
    assert verdict(AgainstChampion("log_loss", improvement=0.02), BETTER_BY_3).outcome == "fail"


def test_by_value_the_interval_does_not_count() -> None:
    wide = Estimate(0.03, -0.1, 0.16)
    reached = verdict(AgainstChampion("f1", improvement=0.02, decide_by="value"), wide)
    missed = verdict(AgainstChampion("f1", improvement=0.04, decide_by="value"), wide)
    assert (reached.outcome, missed.outcome) == ("pass", "fail")
    assert reached.reasons[0].endswith("a gain of 0.0200 is reached")
    assert missed.reasons[0].endswith("a gain of 0.0400 is not reached")
    within = verdict(AgainstChampion("f1", margin=0.01, decide_by="value"), wide)
    assert within.reasons == (
        "f1 is 0.0300 (-0.1000 to 0.1600) better than champion version 3, within the margin 0.0100",
    )


@pytest.mark.parametrize(("champion", "outcome"), [(0.8, "inconclusive"), (0.4, "pass"), (1.0, "fail")])
def test_a_relative_improvement_is_a_share_of_the_champions_value(champion: float, outcome: str) -> None:
    rule = AgainstChampion("f1", improvement=0.04, relative=True)
    assert verdict(rule, BETTER_BY_3, champion=champion).outcome == outcome


def test_a_relative_margin_of_a_negative_champion_is_still_a_loss_that_is_allowed() -> None:
    rule = AgainstChampion("r2", margin=0.1, relative=True)
    worse = Estimate(-0.03, -0.04, -0.02)
    assert verdict(rule, worse, champion=-0.5).passed
    assert verdict(rule, worse, champion=-0.1).outcome == "fail"


def test_a_relative_rule_needs_the_champions_own_value() -> None:
    rule = AgainstChampion("f1", improvement=0.04, relative=True)
    answer = verdict(rule, BETTER_BY_3, champion=None)
    assert answer.outcome == "fail"
    assert answer.reasons[0].startswith("f1 is missing from the differences from champion version 3")


def test_on_a_tie_the_newer_model_wins_or_the_champion_stays() -> None:
    tie = Estimate(0.001, -0.004, 0.006)
    assert verdict(AgainstChampion("f1", margin=0.01), tie).passed
    stays = verdict(AgainstChampion("f1", margin=0.01, on_tie="champion"), tie)
    assert stays.outcome == "fail"
    assert stays.reasons[0].endswith("a tie, and on a tie the champion stays")


def test_where_the_champion_wins_ties_a_proven_gain_still_passes_and_a_doubt_is_still_no_tie() -> None:
    rule = AgainstChampion("f1", margin=0.01, on_tie="champion")
    assert verdict(rule, BETTER_BY_3).passed
    assert verdict(rule, Estimate(-0.005, -0.02, 0.01)).outcome == "inconclusive"
    assert verdict(rule, Estimate(0.01, 0.0, 0.02)).outcome == "fail"


@pytest.mark.parametrize("improvement", [-0.1, nan])
def test_an_improvement_below_zero_is_refused(improvement: float) -> None:
    with pytest.raises(ValueError, match="the improvement on f1 is"):
        AgainstChampion("f1", improvement=improvement)
