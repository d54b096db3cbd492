"""The rollout, step by step: one at a time, verified, and finished or undone by whoever comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_mlops.config.parts.tracking import TrackingConfig
from airflow_mlops.core.analysis import StageCounts
from airflow_mlops.core.ledger import Entry, champion_at, open_rollout
from airflow_mlops.core.reversal import succession
from airflow_mlops.core.values import ArmObservation, ModelRef, RunRef, Traffic, Verdict
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.steps.approval import record_approval
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.requests import (
    ApprovalRequest,
    RollBackRequest,
    RolloutRequest,
    StageRequest,
    TakeChallengerRequest,
)
from airflow_mlops.steps.roll_back import roll_back
from airflow_mlops.steps.smoke_serve import smoke_serve
from airflow_mlops.steps.stage import earlier_stages, judge_stage, open_stage, record_stage
from airflow_mlops.steps.take_challenger import take_challenger


@pytest.fixture
def registered(backends, make_run):
    """``registered(n)``: versions 1 to n stand in the registry and the ledger as challengers."""

    def make(count: int) -> None:
        for version in range(1, count + 1):
            run = make_run(40 + version, run_id=f"t{version}")
            backends.tracking.runs[f"run{version}"] = {
                "tags": {},
                "files": {},
                "metrics": {},
                "estimator": None,
            }
            backends.tracking.register("churn", RunRef(f"run{version}", "runs:/x"), {})
            backends.tracking.set_alias("churn", "challenger", str(version))
            backends.ledger.append(
                Entry("churn", "registered", str(version), run.now, "churn.train", run.key.run_id,
                      version=str(version), data={"role": "challenger", "causes": ["drift"]})
            )  # fmt: skip

    return make


def take(config, run, backends):
    return take_challenger(TakeChallengerRequest(config, run), backends)


@pytest.fixture
def deliver(backends, prove):
    """Take, prove and promote."""

    def run_it(config, run):
        rollout = prove(run, take(config, run, backends))
        promote(RolloutRequest(config, run, rollout), backends)
        return rollout

    return run_it


def test_the_reason_that_a_person_gives_is_kept_with_the_rollout(config, backends, make_run, registered):
    registered(1)
    take(config, replace(make_run(50, dag="deploy"), reason="after the freeze"), backends)
    claims = [item.reasons for item in backends.ledger.entries("churn") if item.kind == "rollout_taken"]
    assert claims == [("manual run: after the freeze",)]


def test_the_newest_challenger_is_taken_and_the_older_are_superseded(config, backends, make_run, registered):
    registered(3)
    rollout = take(config, make_run(50, dag="deploy"), backends)
    assert rollout.candidate == ModelRef("churn", "3")
    rejected = {
        item.subject: item.reasons for item in backends.ledger.entries("churn") if item.kind == "rejected"
    }
    assert rejected == {"1": ("superseded by version 3",), "2": ("superseded by version 3",)}


def test_nothing_pending_is_nothing_to_do_and_a_retry_keeps_its_own(config, backends, make_run, registered):
    assert take(config, make_run(50, dag="deploy"), backends) is None
    registered(1)
    run = make_run(51, dag="deploy", run_id="d1")
    first = take(config, run, backends)
    assert take(config, run, backends) == first


def test_promotion_moves_alias_and_traffic_and_says_why(config, backends, make_run, registered, deliver):
    registered(1)
    run = make_run(50, dag="deploy")
    deliver(config, run)
    assert backends.tracking.aliases == {"champion": "1"}
    assert backends.serving.traffic().champion == ModelRef("churn", "1")
    reign = champion_at(backends.ledger.entries("churn"))
    assert reign.version == "1"
    assert "first champion" in reign.reasons[-1]
    assert reign.data["causes"] == ["drift"]


@pytest.mark.parametrize("day", [45, 50])
def test_the_newer_of_two_champions_reigns_though_its_machine_is_behind_or_both_began_at_once(
    config, backends, make_run, registered, deliver, day
):
    registered(1)
    deliver(config, make_run(50, dag="deploy", run_id="d1"))
    registered(2)
    deliver(config, make_run(day, dag="deploy", run_id="d2"))
    entries = backends.ledger.entries("churn")
    assert champion_at(entries).version == "2"
    assert [reign.version for reign in succession(entries)] == ["1", "2"]


def test_an_alias_moved_by_hand_is_written_down_by_a_machine_that_is_behind_too(
    config, backends, make_run, registered, deliver
):
    registered(2)
    deliver(config, make_run(50, dag="deploy", run_id="d1"))
    backends.tracking.set_alias("churn", "champion", "1")
    assert take(config, make_run(45, dag="deploy", run_id="d2"), backends) is None
    reign = champion_at(backends.ledger.entries("churn"))
    assert (reign.kind, reign.version, reign.actor) == ("reversed", "1", "somebody")
    assert backends.serving.traffic().champion == ModelRef("churn", "1")


def test_a_crash_after_the_intent_is_finished_by_the_next_run(config, backends, make_run, registered, prove):
    registered(1)
    run = make_run(50, dag="deploy", run_id="d1")
    rollout = prove(run, take(config, run, backends))

    class Killed(BaseException):
        pass

    def killed(rollout_id, candidate):
        raise Killed

    working = backends.serving.promote
    backends.serving.promote = killed
    with pytest.raises(Killed):
        promote(RolloutRequest(config, run, rollout), backends)
    backends.serving.promote = working
    assert take(config, make_run(51, dag="deploy", run_id="d2"), backends) is None
    assert backends.serving.traffic().champion == ModelRef("churn", "1")
    assert open_rollout(backends.ledger.entries("churn")) is None
    assert champion_at(backends.ledger.entries("churn")).version == "1"


def test_a_run_that_died_in_its_shadow_is_undone_by_the_next(config, backends, make_run, registered, prove):
    backends.serving.state = Traffic(champion=ModelRef("churn", "1"))
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    run = make_run(50, dag="deploy", run_id="d1")
    rollout = prove(run, take(config, run, backends), only=1)
    open_stage(StageRequest(config, run, rollout, "shadow", 0.0), backends)
    assert take(config, make_run(51, dag="deploy", run_id="d2"), backends) is None
    assert backends.serving.traffic() == Traffic(champion=ModelRef("churn", "1"))
    undone = [item for item in backends.ledger.entries("churn") if item.kind == "rolled_back"]
    assert undone[0].reasons == ("the run d1 ended in the middle of the rollout",)
    assert backends.tracking.aliases == {"champion": "1"}


def test_a_server_that_does_not_do_as_told_is_no_promotion(config, backends, make_run, registered, prove):
    registered(1)
    run = make_run(50, dag="deploy")
    rollout = prove(run, take(config, run, backends))
    backends.serving.promote = lambda rollout_id, candidate: Traffic(champion=candidate)
    with pytest.raises(BackendUnavailable, match="told to serve churn version 1 but says it serves None"):
        promote(RolloutRequest(config, run, rollout), backends)
    assert champion_at(backends.ledger.entries("churn")) is None


def test_a_harmful_canary_is_rolled_back_with_its_numbers(config, backends, make_run, registered, prove):
    backends.serving.state = Traffic(champion=ModelRef("churn", "1"))
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    run = make_run(50, dag="deploy")
    rollout = prove(run, take(config, run, backends), only=1)
    stage = StageRequest(config, run, rollout, "shadow", 0.0)
    open_stage(stage, backends)
    backends.serving.seen = {
        "champion": ArmObservation("1", rows=900, errors=0),
        "challenger": ArmObservation("2", rows=300, errors=90),
    }
    verdict = judge_stage(stage, backends)
    assert verdict.outcome == "fail"
    roll_back(RollBackRequest(config, run, rollout, verdict.reasons), backends)
    last = [item for item in backends.ledger.entries("churn") if item.kind == "rolled_back"][-1]
    assert any("90" in reason for reason in last.reasons)
    assert backends.tracking.aliases == {"champion": "1"}
    assert backends.serving.traffic() == Traffic(champion=ModelRef("churn", "1"))


def test_too_few_requests_hold_the_stage_and_record_nothing(config, backends, make_run, registered, prove):
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    run = make_run(50, dag="deploy")
    rollout = prove(run, take(config, run, backends), only=1)
    stage = StageRequest(config, run, rollout, "shadow", 0.0)
    open_stage(stage, backends)
    backends.serving.seen = {"challenger": ArmObservation("2", rows=3, errors=0)}
    before = len(backends.ledger.entries("churn"))
    assert judge_stage(stage, backends).outcome == "inconclusive"
    assert len(backends.ledger.entries("churn")) == before


def test_errors_of_the_shadow_count_in_the_canary(config, backends, make_run, registered, prove):
    """Neither stage proves anything alone; together they do."""
    backends.serving.state = Traffic(champion=ModelRef("churn", "1"))
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    analysis = config.deploy.analysis
    errors = analysis.errors.model_copy(update={"max_rate": 0.2})
    analysis = analysis.model_copy(update={"errors": errors})
    config = config.model_copy(update={"deploy": config.deploy.model_copy(update={"analysis": analysis})})
    run = make_run(50, dag="deploy")
    rollout = prove(run, take(config, run, backends), only=1)
    shadow = StageRequest(config, run, rollout, "shadow", 0.0)
    open_stage(shadow, backends)
    backends.serving.seen = {
        "champion": ArmObservation("1", rows=1_000, errors=22, calls=1_000, failed_calls=22),
        "challenger": ArmObservation("2", rows=1_000, errors=44, calls=1_000, failed_calls=44),
    }
    assert judge_stage(shadow, backends).outcome == "inconclusive"
    record_stage(shadow, Verdict("pass", ("held long enough",)), backends)
    assert earlier_stages(shadow, backends) == ()
    canary = StageRequest(config, run, rollout, "canary", 0.1)
    open_stage(canary, backends)
    backends.serving.seen = {
        "champion": ArmObservation("1", rows=9_000, errors=90),
        "challenger": ArmObservation("2", rows=1_000, errors=22),
    }
    assert judge_stage(canary, backends, earlier=()).outcome == "inconclusive"
    assert earlier_stages(canary, backends) == (StageCounts(0.5, 1_000, 44, 1_000, 22),)
    verdict = judge_stage(canary, backends)
    assert verdict.outcome == "fail"
    assert "over 2 stages" in verdict.reasons[0]
    assert earlier_stages(shadow, backends) == (StageCounts(0.1, 1_000, 22, 9_000, 90),)
    cleared = replace(canary, run=replace(run, now=run.now + timedelta(hours=1)))
    record_stage(cleared, Verdict("pass", ("looked at again",)), backends)
    assert len(earlier_stages(shadow, backends)) == 1


def test_a_stage_whose_endpoint_is_away_at_its_deadline_has_no_counts(
    config, backends, make_run, registered, monkeypatch
):
    registered(1)
    run = make_run(50, dag="deploy")
    rollout = take(config, run, backends)
    stage = StageRequest(config, run, rollout, "canary", 0.1)

    def away(rollout_id: str) -> None:
        raise BackendUnavailable("the endpoint is away")

    monkeypatch.setattr(backends.serving, "observe", away)
    record_stage(stage, Verdict("fail", ("no verdict",)), backends)
    written = [item for item in backends.ledger.entries("churn") if item.kind == "canary_step"]
    assert written[0].data["counts"] is None
    assert earlier_stages(replace(stage, weight=0.5), backends) == ()


def test_a_shadow_gives_no_verdict_before_its_minimum_duration(config, backends, make_run, registered, prove):
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    shadow = config.deploy.shadow.model_copy(update={"minimum_duration": "24 hours"})
    config = config.model_copy(update={"deploy": config.deploy.model_copy(update={"shadow": shadow})})
    run = make_run(50, dag="deploy")
    rollout = prove(run, take(config, run, backends), only=1)
    backends.serving.seen = {"challenger": ArmObservation("2", rows=5_000, errors=0)}
    opened, outcomes = backends.serving.observe(rollout.id).since, []
    for hours in (1, 23, 24):
        now = opened + timedelta(hours=hours)
        stage = StageRequest(config, replace(run, now=now), rollout, "shadow", 0.0)
        open_stage(stage, backends)
        outcomes.append(judge_stage(stage, backends).outcome)
    assert outcomes == ["inconclusive", "inconclusive", "pass"]
    assert [item.kind for item in backends.ledger.entries("churn")].count("shadowed") == 1


TAGS = {
    "challenger": {"stage": "staging-candidate", "team": "trust"},
    "champion": {"stage": "production"},
    "replaced": {"stage": "archived"},
    "rejected": {"stage": "rejected"},
}


@pytest.fixture
def tagging(config):
    tracking = TrackingConfig.model_validate({"version_tags": TAGS})
    return config.model_copy(update={"tracking": tracking})


def stages(backends):
    return {version: tags["stage"] for version, tags in backends.tracking.version_tags.items()}


def test_tags_follow_a_version_until_another_champion_follows(
    tagging, backends, make_run, registered, deliver
):
    for day in (50, 51):
        registered(day - 49)
        run = make_run(day, dag="deploy", run_id=f"d{day}")
        deliver(tagging, run)
    assert stages(backends) == {"1": "archived", "2": "production"}


def test_a_challenger_that_does_not_make_it_is_tagged_so(tagging, backends, make_run, registered):
    registered(2)
    backends.tracking.set_alias("churn", "champion", "9")
    run = make_run(50, dag="deploy")
    rollout = take(tagging, run, backends)
    roll_back(RollBackRequest(tagging, run, rollout, ("no",)), backends)
    assert stages(backends) == {"1": "rejected", "2": "rejected", "9": "production"}


def test_a_model_the_server_cannot_load_is_a_failed_smoke_test(config, backends, make_run, registered):
    registered(1)
    run = make_run(50, dag="deploy")
    rollout = take(config, run, backends)
    backends.tracking.log_file("run1", "smoke.json", b'{"rows": [], "predictions": []}')
    backends.serving.broken = "untrusted type my.Model"
    verdict = smoke_serve(RolloutRequest(config, run, rollout), backends)
    assert verdict.outcome == "fail"
    assert "untrusted type my.Model" in verdict.reasons[0]


def test_what_was_brought_up_for_a_rollout_without_a_stage_is_taken_down(
    config, backends, make_run, registered
):
    registered(1)
    run = make_run(50, dag="deploy")
    rollout = take(config, run, backends)
    backends.serving.deploy(rollout.id, rollout.candidate)
    roll_back(RollBackRequest(config, run, rollout, ("the smoke test failed",)), backends)
    assert backends.serving.brought_up == set()


def test_a_rejection_has_its_person_and_reason(config, backends, make_run, registered):
    registered(1)
    run = make_run(50, dag="deploy")
    rollout = take(config, run, backends)
    said = ApprovalRequest(config, run, rollout, approved=False, person="ada", reason="wrong season")
    assert record_approval(said, backends).outcome == "fail"
    entry = next(item for item in backends.ledger.entries("churn") if item.kind == "declined")
    assert (entry.actor, entry.reasons) == ("ada", ("rejected by ada: wrong season",))


def test_a_rollback_restores_an_alias_that_a_broken_promotion_had_moved(
    config, backends, make_run, registered, deliver
):
    registered(1)
    first = make_run(50, dag="deploy", run_id="d1")
    deliver(config, first)
    registered(2)
    run = make_run(51, dag="deploy", run_id="d2")
    take(config, run, backends)
    backends.tracking.set_alias("churn", "champion", "2")
    rollout = take(config, run, backends)
    assert rollout.champion == ModelRef("churn", "1")
    assert roll_back(RollBackRequest(config, run, rollout, ("a test",)), backends) == ModelRef("churn", "1")
    assert backends.tracking.aliases == {"champion": "1"}


def test_a_run_of_another_dag_with_the_same_run_id_does_not_hold_the_rollout(
    config, backends, make_run, registered
):
    registered(1)
    take(config, make_run(50, dag="deploy", run_id="scheduled__2024-02-20"), backends)
    other = make_run(51, dag="by_hand", run_id="scheduled__2024-02-20")
    assert take(config, other, backends) is None
    assert open_rollout(backends.ledger.entries("churn")) is None


def test_a_promotion_that_is_cleared_later_does_not_undo_the_one_that_followed(
    config, backends, make_run, registered, deliver
):
    registered(1)
    first = make_run(50, dag="deploy", run_id="d1")
    early = RolloutRequest(config, first, deliver(config, first))
    assert promote(early, backends) == ModelRef("churn", "1")
    registered(2)
    second = make_run(51, dag="deploy", run_id="d2")
    deliver(config, second)
    with pytest.raises(RolloutRefused, match="version 2 has followed it"):
        promote(early, backends)
    assert backends.tracking.aliases == {"champion": "2"}
    assert backends.serving.traffic().champion == ModelRef("churn", "2")


def test_a_rollout_that_was_rolled_back_cannot_be_promoted_afterwards(config, backends, make_run, registered):
    registered(1)
    run = make_run(50, dag="deploy")
    rollout = take(config, run, backends)
    roll_back(RollBackRequest(config, run, rollout, ("a test",)), backends)
    with pytest.raises(RolloutRefused, match="rolled back"):
        promote(RolloutRequest(config, run, rollout), backends)
    assert backends.tracking.aliases == {}


def test_a_rollout_that_the_next_run_finished_cannot_be_rolled_back(
    config, backends, make_run, registered, prove
):
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    run = make_run(50, dag="deploy", run_id="d1")
    rollout = prove(run, take(config, run, backends))
    promote(RolloutRequest(config, make_run(51, dag="deploy", run_id="d2"), rollout), backends)
    with pytest.raises(RolloutRefused, match="version 2 has been promoted"):
        roll_back(RollBackRequest(config, run, rollout, ("late",)), backends)
    assert backends.tracking.aliases == {"champion": "2"}


def test_a_promotion_that_can_never_be_finished_is_undone_and_blocks_nobody(
    config, backends, make_run, registered, prove, deliver
):
    registered(1)
    first = make_run(50, dag="deploy", run_id="d1")
    deliver(config, first)
    registered(2)
    second = make_run(51, dag="deploy", run_id="d2")
    rollout = prove(second, take(config, second, backends))

    def refused(rollout_id, candidate):
        raise ModelRefused("its file is gone")

    backends.serving.promote = refused
    with pytest.raises(ModelRefused):
        promote(RolloutRequest(config, second, rollout), backends)
    assert backends.tracking.aliases["champion"] == "2"
    registered(3)
    third = take(config, make_run(52, dag="deploy", run_id="d3"), backends)
    assert third.candidate == ModelRef("churn", "3")
    assert third.champion == ModelRef("churn", "1")
    undone = [item for item in backends.ledger.entries("churn") if item.kind == "rolled_back"]
    assert undone[0].reasons[0].endswith("and its promotion cannot be finished: its file is gone")


def test_a_rollback_takes_the_traffic_from_a_candidate_that_serves_already(
    config, backends, make_run, registered
):
    registered(2)
    backends.tracking.set_alias("churn", "champion", "1")
    run = make_run(50, dag="deploy")
    rollout = take(config, run, backends)
    backends.tracking.set_alias("churn", "champion", "2")
    backends.serving.state = Traffic(champion=ModelRef("churn", "2"))
    assert roll_back(RollBackRequest(config, run, rollout, ("a test",)), backends) == ModelRef("churn", "1")
    assert backends.serving.traffic().champion == ModelRef("churn", "1")
    assert backends.tracking.aliases == {"champion": "1"}
