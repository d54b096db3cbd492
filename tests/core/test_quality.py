"""What landed labels prove of a challenger, and what they leave open."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from airflow_mlops.core.quality import (
    Landed,
    QualityLimits,
    QualityLook,
    Spread,
    difference,
    judge_quality,
    judge_stickiness,
)

LIMITS = QualityLimits("log_loss", "lower", margin=0.05, minimum_labels=200)
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def pairs(worse_by: float, count: int = 1_000) -> Landed:
    champion, challenger = Spread(count, 0.5, 0.1), Spread(count, 0.5 + worse_by, 0.1)
    return Landed("shadow", champion, challenger, Spread(count, worse_by, 0.02), count)


def split(worse_by: float, count: int = 20_000) -> Landed:
    return Landed("split", Spread(count, 0.5, 0.1), Spread(count, 0.5 + worse_by, 0.1), None, count)


@pytest.mark.parametrize("landed", [pairs, split])
def test_harm_beyond_the_margin_fails_none_passes_and_what_is_between_is_open(landed) -> None:
    assert judge_quality([landed(0.2)], LIMITS).outcome == "fail"
    assert judge_quality([landed(0.0)], LIMITS).outcome == "pass"
    assert judge_quality([landed(0.05)], LIMITS).outcome == "inconclusive"


def test_a_better_challenger_is_said_to_be_better_with_its_numbers() -> None:
    (reason,) = judge_quality([pairs(-0.2)], LIMITS).reasons
    assert reason.startswith(
        "log_loss 0.3 against the champion's 0.5 on 1000 labelled rows that both answered"
    )
    assert "proven better (difference -0.2, between -0.2" in reason


def test_a_metric_of_which_more_is_better_is_turned_round() -> None:
    accuracy = replace(LIMITS, metric="accuracy", direction="higher", span=1.0)
    assert judge_quality([pairs(0.2)], accuracy).outcome == "pass"
    assert judge_quality([pairs(-0.2)], accuracy).outcome == "fail"


def test_too_few_labels_are_not_judged_or_hold_where_quality_is_required() -> None:
    for landed in ([], [pairs(0.9, count=199)]):
        free, held = (judge_quality(landed, replace(LIMITS, required=required)) for required in (False, True))
        assert free.outcome == "pass"
        assert "so log_loss was not judged" in free.reasons[0]
        assert held.outcome == "inconclusive"
    assert "199 of 200 labels have landed" in held.reasons[0]


def test_proof_in_either_half_of_the_evidence_is_enough_and_harm_goes_first() -> None:
    assert judge_quality([pairs(0.05), split(0.0)], LIMITS).outcome == "pass"
    verdict = judge_quality([pairs(0.0), split(0.2)], LIMITS)
    assert verdict.outcome == "fail"
    assert "the champion's on 20000: proven worse" in verdict.reasons[0]
    # A half with too few labels says nothing, and is not named.
    assert len(judge_quality([pairs(0.0), split(0.9, count=3)], LIMITS).reasons) == 1


def test_more_stages_share_the_error_so_that_each_is_harder_to_convince() -> None:
    one, three = (difference(pairs(0.0), replace(LIMITS, sequences=count)) for count in (1, 3))
    assert three.high > one.high
    assert three.low < one.low


def test_rows_that_do_not_differ_prove_nothing_unless_it_is_known_how_far_they_could() -> None:
    same = replace(pairs(0.0), difference=Spread(5_000, 0.0, 0.0))
    assert judge_quality([same], LIMITS).outcome == "inconclusive"
    assert judge_quality([same], replace(LIMITS, span=1.0)).outcome == "pass"


def test_a_split_that_does_not_stick_is_a_fault_and_a_few_moved_keys_are_none() -> None:
    assert judge_stickiness(QualityLook(NOW, moved=1, keys=100)) is None
    verdict = judge_stickiness(QualityLook(NOW, moved=2, keys=100))
    assert verdict is not None
    assert verdict.outcome == "fail"
    assert "both versions answered 2 of 100 keys" in verdict.reasons[0]


def test_equal_versions_of_an_uneven_split_are_seldom_told_apart_in_many_looks() -> None:
    random = np.random.default_rng(4)
    limits = replace(LIMITS, metric="brier_score", margin=1e-9, required=True, span=1.0)
    outcomes = []
    for _ in range(300):
        challenger, loss = random.random(5_000) < 0.2, (random.random(5_000) < 0.2).astype(float)
        told = "inconclusive"
        for count in range(1_000, 5_001, 200):
            arms = [loss[:count][challenger[:count] == who] for who in (False, True)]
            spreads = [Spread(len(arm), float(arm.mean()), float(arm.var(ddof=1))) for arm in arms]
            told = judge_quality([Landed("split", *spreads)], limits).outcome
            if told != "inconclusive":
                break
        outcomes.append(told)
    assert outcomes.count("fail") <= 15
    assert outcomes.count("pass") <= 15
