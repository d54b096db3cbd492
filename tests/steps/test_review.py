"""What becomes of a challenger that did not pass: overridden by a person, given more rows, or let expire."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.core.values import Estimate, ModelRef, Verdict
from airflow_mlops.exceptions import ModelRefused, RolloutRefused
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    ReviewRequest,
    RolloutRequest,
    SnapshotRequest,
    TakeChallengerRequest,
    TrainRequest,
)
from airflow_mlops.steps.review import record_review
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.take_challenger import take_challenger
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def with_gates(config, **gates):
    return config.model_copy(update={"gates": config.gates.model_copy(update=gates)})


def judged(config, run, backends, **changed):
    """Snapshot to gate; ``changed`` is what the evaluation found instead."""
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = replace(evaluate(EvaluateRequest(config, run, taken, trained), backends), **changed)
    verdict = gate(GateRequest(config, run, taken, trained, evaluation), backends)
    return RegisterRequest(config, run, taken, trained, evaluation, verdict)


def of(backends, *kinds):
    return [entry for entry in backends.ledger.entries("churn") if entry.kind in kinds]


FAILED = {"challenger": {"roc_auc": Estimate(0.5, 0.4, 0.6)}}
OPEN = {
    "champion": ModelRef("churn", "1"),
    "champion_problem": None,
    "difference": {"roc_auc": Estimate(0.0, -0.04, 0.04)},
}


@pytest.fixture
def held(config, backends, make_run):
    return judged(config, make_run(40), backends, **FAILED)


def review(held, **said):
    told = {"overridden": True, "person": "ada", "reason": "the threshold is last year's", **said}
    return ReviewRequest(held.config, held.run, held.snapshot, held.training, held.verdict, **told)


def test_an_override_is_recorded_with_person_reason_and_the_verdict_and_only_then_registered(held, backends):
    claimed = Verdict("pass", ("overridden by nobody in the ledger",))
    with pytest.raises(ModelRefused, match="the gates said fail"):
        register(replace(held, review=claimed), backends)
    tags = {}
    backends.tracking.register, plain = (
        lambda name, run, given: tags.update(given) or plain(name, run, given),
        backends.tracking.register,
    )
    verdict = record_review(review(held, person_id="7"), backends)
    assert verdict.outcome == "pass"
    assert register(replace(held, review=verdict), backends).version == "1"
    (entry,) = of(backends, "overridden")
    assert (entry.actor, entry.subject) == ("ada", held.training.run_id)
    assert entry.data == {
        "verdict": "fail",
        "reason": "the threshold is last year's",
        "user_id": "7",
        "question": 1,
    }
    assert entry.reasons[0] == "gates said fail, overridden by ada: the threshold is last year's"
    assert any("roc_auc 0.5000" in reason for reason in entry.reasons)
    (registered,) = of(backends, "registered")
    assert registered.reasons == entry.reasons
    assert registered.data["overridden_by"] == "ada"
    assert (tags["mlops.overridden_by"], tags["mlops.overridden_verdict"]) == ("ada", "fail")
    assert tags["mlops.override_reason"] == "the threshold is last year's"


def test_whoever_holds_on_is_recorded_too_and_nothing_is_registered(held, backends):
    verdict = record_review(review(held, overridden=False, reason="too risky"), backends)
    assert verdict.outcome == "fail"
    assert [(entry.actor, entry.data["reason"]) for entry in of(backends, "declined")] == [
        ("ada", "too risky")
    ]
    with pytest.raises(ModelRefused, match="the gates said fail"):
        register(replace(held, review=verdict), backends)


def test_an_override_needs_a_reason_and_a_run_that_is_no_backfill(held, backends, make_run):
    with pytest.raises(ModelRefused, match="without a reason"):
        record_review(review(held, reason=" "), backends)
    backfill = replace(held, run=make_run(40, kind="backfill"))
    with pytest.raises(ModelRefused, match="of a backfill are not overridden"):
        record_review(review(backfill), backends)
    record_review(review(held), backends)
    with pytest.raises(ModelRefused, match="the gates said fail"):
        register(replace(backfill, review=Verdict("pass", ("x",))), backends)


def test_an_answer_that_does_not_count_overrides_nothing(held, backends):
    refused = record_review(
        review(held, objection="ada had a hand in this", answered_at="2026-03-01"), backends
    )
    assert refused.outcome == "inconclusive"
    assert [entry.kind for entry in of(backends, "overridden", "answer_refused")] == ["answer_refused"]


def test_a_cleared_run_that_is_judged_anew_leaves_both_verdicts_and_a_retry_one(config, backends, make_run):
    run = make_run(40)
    held = judged(config, run, backends, **FAILED)
    again = GateRequest(config, run, held.snapshot, held.training, held.evaluation)
    gate(replace(again, run=replace(run, now=run.now + timedelta(hours=1))), backends)
    assert len(of(backends, "gated")) == 1
    better = replace(held.evaluation, challenger={"roc_auc": Estimate(0.8, 0.7, 0.9)})
    gate(replace(again, evaluation=better, run=replace(run, now=run.now + timedelta(hours=2))), backends)
    assert [entry.data["outcome"] for entry in of(backends, "gated")] == ["fail", "pass"]


class TestCollect:
    @pytest.fixture
    def collecting(self, config):
        return with_gates(config, on_inconclusive="collect")

    def test_an_open_verdict_says_how_many_rows_would_decide_and_the_next_run_holds_them_out(
        self, collecting, backends, make_run
    ):
        first = judged(collecting, make_run(40), backends, **OPEN)
        assert first.verdict.outcome == "inconclusive"
        assert first.verdict.reasons[-1] == (
            "about 1,635 holdout rows would decide it (now 200); the next run holds out more"
        )
        taken = snapshot(SnapshotRequest(collecting, make_run(50, run_id="r2")), backends)
        assert taken.dataset.holdout_start == START + timedelta(days=25)
        assert taken.dataset.holdout_rows == 500
        assert taken.lengthened == (
            "the last verdict was inconclusive and asked for about 1,635 holdout rows: it starts "
            "2024-01-26 00:00 and not 2024-02-10 00:00, with 500, for it is bounded by half of the window"
        )

    def test_no_more_rows_are_held_out_than_are_asked_for(self, collecting, backends, make_run):
        nearly = {**OPEN, "difference": {"roc_auc": Estimate(0.0, -0.0205, 0.0205)}}
        judged(collecting, make_run(40), backends, **nearly)
        taken = snapshot(SnapshotRequest(collecting, make_run(50, run_id="r2")), backends)
        assert taken.dataset.holdout_rows == 430
        assert "bounded" not in taken.lengthened

    def test_rows_that_the_champion_was_trained_on_are_not_held_out(self, collecting, backends, make_run):
        champion = judged(collecting, make_run(45, run_id="r0"), backends)
        backends.tracking.set_alias("churn", "champion", register(champion, backends).version)
        judged(collecting, make_run(46), backends, **OPEN)
        taken = snapshot(SnapshotRequest(collecting, make_run(50, run_id="r2")), backends)
        assert taken.dataset.holdout_start == START + timedelta(days=35)
        assert "bounded by the champion's own holdout" in taken.lengthened

    @pytest.mark.parametrize("case", ["held by default", "backfill", "the same run", "decided since"])
    def test_nothing_changes_otherwise(self, config, collecting, backends, make_run, case):
        judged(collecting, make_run(40), backends, **OPEN)
        config = config if case == "held by default" else collecting
        if case == "decided since":
            judged(collecting, make_run(41, run_id="r2"), backends, **FAILED)
        kind = "backfill" if case == "backfill" else "manual"
        run = make_run(50, kind=kind, run_id="r1" if case == "the same run" else "r3")
        taken = snapshot(SnapshotRequest(config, run), backends)
        assert taken.dataset.holdout_start == START + timedelta(days=40)
        assert taken.lengthened is None

    def test_what_was_lengthened_stands_in_the_next_verdict(self, collecting, backends, make_run):
        judged(collecting, make_run(40), backends, **OPEN)
        judged(collecting, make_run(50, run_id="r2"), backends)
        assert "asked for about 1,635" in of(backends, "gated")[-1].data["holdout"]


def test_a_champion_that_cannot_answer_is_named_and_may_be_taken_for_an_absent_one(
    config, backends, make_run, root
):
    first = judged(config, make_run(40), backends)
    backends.tracking.set_alias("churn", "champion", register(first, backends).version)
    path = root / "rows" / "all.parquet"
    pd.read_parquet(path).assign(income=np.random.default_rng(2).normal(size=1200)).to_parquet(path)
    features = {**config.data.features, "income": "numeric"}
    data = config.data.model_copy(
        update={"features": {key: features[key] for key in features if key != "age"}}
    )
    changed = config.model_copy(update={"data": data})
    held = judged(changed, make_run(55, run_id="r2"), backends)
    assert held.evaluation.champion_incompatible
    assert any("champion version 1 could not be compared" in reason for reason in held.verdict.reasons)
    lenient = with_gates(changed, incompatible_champion="first_model")
    good = {"challenger": {"roc_auc": Estimate(0.7, 0.65, 0.75)}}
    passed = judged(lenient, make_run(55, run_id="r3"), backends, **good)
    assert passed.verdict.outcome == "pass"
    assert any(
        "champion version 1 could not be compared" in reason and "judged as a first model" in reason
        for reason in passed.verdict.reasons
    )


def test_a_champion_that_has_seen_the_holdout_is_never_taken_for_an_absent_one(config, backends, make_run):
    first = judged(config, make_run(55), backends)
    backends.tracking.set_alias("churn", "champion", register(first, backends).version)
    lenient = with_gates(config, incompatible_champion="first_model")
    assert judged(lenient, make_run(40, run_id="r2"), backends).verdict.outcome == "inconclusive"


class TestExpiry:
    @pytest.fixture
    def expiring(self, config):
        return with_gates(config, evidence_expires="1 day")

    @pytest.fixture
    def later(self, make_run):
        """A deploy run so many hours after the evaluation."""

        def run(hours, run_id="d1"):
            deploy = make_run(40, dag="deploy", run_id=run_id)
            return replace(deploy, now=deploy.now + timedelta(hours=hours))

        return run

    @pytest.fixture
    def challenger(self, expiring, backends, make_run):
        return register(judged(expiring, make_run(40), backends), backends)

    def test_an_expired_challenger_is_not_taken_but_rejected_with_the_reason(
        self, expiring, backends, challenger, later
    ):
        assert take_challenger(TakeChallengerRequest(expiring, later(25)), backends) is None
        (entry,) = of(backends, "rejected")
        assert (entry.subject, entry.reasons[0].partition(" of ")[0]) == ("1", "its evaluation")
        assert "older than gates.evidence_expires (1 day)" in entry.reasons[0]
        assert take_challenger(TakeChallengerRequest(expiring, later(26, "d2")), backends) is None
        assert len(of(backends, "rejected")) == 1

    def test_one_that_expires_under_way_is_rolled_back_instead_of_promoted(
        self, expiring, backends, challenger, later, prove
    ):
        rollout = take_challenger(TakeChallengerRequest(expiring, later(23)), backends)
        prove(later(23), rollout)
        with pytest.raises(RolloutRefused, match="was not promoted, the champion serves: its evaluation of"):
            promote(RolloutRequest(expiring, later(25), rollout), backends)
        assert backends.tracking.aliases == {}
        (entry,) = of(backends, "rolled_back")
        assert entry.reasons[0].startswith("not promoted: its evaluation of")

    def test_a_promotion_that_was_begun_in_time_is_finished(
        self, expiring, backends, challenger, later, prove
    ):
        rollout = take_challenger(TakeChallengerRequest(expiring, later(23)), backends)
        prove(later(23), rollout)
        serving, backends.tracking.set_alias = backends.tracking.set_alias, None
        with pytest.raises(TypeError):
            promote(RolloutRequest(expiring, later(23), rollout), backends)
        backends.tracking.set_alias = serving
        assert promote(RolloutRequest(expiring, later(30), rollout), backends).version == "1"
