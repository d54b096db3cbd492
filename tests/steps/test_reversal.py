"""An earlier champion is put back: in order, verified, on record, and finished by whoever comes next."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_mlops.config.parts.tracking import TrackingConfig
from airflow_mlops.core.ledger import Entry, champion_at, open_rollout
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.values import Deployment, ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.requests import (
    ReverseRequest,
    RollBackRequest,
    RolloutRequest,
    StageRequest,
    TakeChallengerRequest,
)
from airflow_mlops.steps.reverse import reverse
from airflow_mlops.steps.roll_back import roll_back
from airflow_mlops.steps.run_files import SMOKE_FILE
from airflow_mlops.steps.stage import open_stage
from airflow_mlops.steps.take_challenger import take_challenger

ROWS = [{"age": 1.0, "spend": 2.0, "plan": "free"}, {"age": -1.0, "spend": 0.5, "plan": "pro"}]


class Half:
    """An estimator that is never sure."""

    def predict_proba(self, features):
        import numpy as np

        return np.full((len(features), 2), 0.5)


@pytest.fixture
def register(backends, make_run):
    """``register("4")``: the next version stands in the registry and the ledger as challenger."""

    def make(version: str, rows=ROWS, answers=(0.5, 0.5)) -> None:
        run = make_run(40 + int(version), run_id=f"t{version}")
        smoke = json.dumps({"rows": rows, "predictions": list(answers)}).encode()
        backends.tracking.runs[f"run{version}"] = {
            "tags": {},
            "files": {SMOKE_FILE: smoke},
            "metrics": {},
            "estimator": Half(),
        }
        backends.tracking.versions.append(f"run{version}")
        backends.tracking.set_alias("churn", "challenger", version)
        backends.ledger.append(
            Entry("churn", "registered", version, run.now, "churn.train", run.key.run_id,
                  version=version, data={"role": "challenger"})
        )  # fmt: skip

    return make


@pytest.fixture
def take(config, backends, make_run):
    def take(day: int):
        run = make_run(day, dag="deploy", run_id=f"d{day}")
        return run, take_challenger(TakeChallengerRequest(config, run), backends)

    return take


@pytest.fixture
def promoted(config, backends, register, take, prove):
    """Versions 1, 2 and 3 have been champion one after the other."""
    for number in (1, 2, 3):
        register(str(number))
        run, rollout = take(50 + number)
        promote(RolloutRequest(config, run, prove(run, rollout)), backends)


@pytest.fixture
def back(config, backends, make_run):
    """``back(...)``: somebody asks for it; each call is a run of its own unless it is told which."""

    def go(version=None, *, day=70, run_id=None, reason="wrong prices", actor="anna", **changes):
        run = make_run(day, dag="rollback", run_id=run_id or f"b{day}")
        request = ReverseRequest(
            config.model_copy(update=changes), replace(run, actor=actor, reason=reason), reason, version
        )
        return reverse(request, backends)

    return go


def kinds(backends) -> list[str]:
    return [item.kind for item in backends.ledger.entries("churn")]


def test_the_champion_before_the_present_one_is_put_back_by_default(backends, promoted, back):
    done = back()
    assert (done.version, done.previous, done.done) == ("2", "3", True)
    assert backends.tracking.aliases == {"champion": "2"}
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "2"))
    reign = champion_at(backends.ledger.entries("churn"))
    assert (reign.kind, reign.subject, reign.actor, reign.reasons) == (
        "reversed",
        "2",
        "anna",
        ("wrong prices",),
    )
    assert reign.data["previous"] == "3"
    assert back(day=71).version == "1"


def test_who_is_put_back_by_a_machine_whose_clock_is_behind_reigns(backends, promoted, back):
    assert back(day=51).version == "2"
    assert champion_at(backends.ledger.entries("churn")).subject == "2"
    assert back(day=50).version == "1"


def test_a_version_that_is_named_is_put_back_also_one_that_was_taken_out(backends, promoted, back):
    assert back("1").version == "1"
    assert back("3", day=71).version == "3"
    assert backends.serving.traffic().champion == ModelRef("churn", "3")
    assert back(day=72).version == "1"


def test_the_versions_are_tagged_as_what_they_have_become(backends, promoted, back):
    tags = {"champion": {"stage": "live"}, "rejected": {"stage": "rejected"}}
    back(tracking=TrackingConfig.model_validate({"version_tags": tags}))
    stages = {version: tags["stage"] for version, tags in backends.tracking.version_tags.items()}
    assert stages == {"2": "live", "3": "rejected"}


def test_an_open_rollout_is_ended_first_and_its_tasks_change_nothing_afterwards(
    config, backends, promoted, register, take, back, prove
):
    register("4")
    run, rollout = take(60)
    open_stage(StageRequest(config, run, prove(run, rollout, only=3), "canary", 0.5), backends)
    assert back().version == "2"
    assert open_rollout(backends.ledger.entries("churn")) is None
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "2"))
    (ended,) = [item for item in backends.ledger.entries("churn") if item.kind == "rolled_back"]
    assert (ended.subject, ended.reasons) == (
        "4",
        ("ended for a return to version 2, by anna: wrong prices",),
    )
    backends.tracking.version_tags.clear()
    tags = {"champion": {"stage": "live"}}
    tagged = config.model_copy(update={"tracking": TrackingConfig.model_validate({"version_tags": tags})})
    roll_back(RollBackRequest(tagged, run, rollout, ("somebody else moved the traffic",)), backends)
    with pytest.raises(RolloutRefused, match="has ended"):
        promote(RolloutRequest(config, run, rollout), backends)
    assert backends.tracking.version_tags == {}
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "2"))


def test_a_promotion_that_was_caught_in_the_middle_is_undone_and_not_gone_beyond(
    config, backends, promoted, register, take, back, prove
):
    register("4")
    run, rollout = take(60)
    prove(run, rollout)

    def killed(*_):
        raise BackendUnavailable("killed")

    promotes, backends.serving.promote = backends.serving.promote, killed
    with pytest.raises(BackendUnavailable):
        promote(RolloutRequest(config, run, rollout), backends)
    backends.serving.promote = promotes
    assert backends.tracking.aliases["champion"] == "4"
    assert (back().version, back(day=71).version) == ("3", "2")


def test_to_the_champion_itself_only_ends_what_is_open(
    config, backends, promoted, register, take, back, prove
):
    with pytest.raises(
        RolloutRefused, match=r"version 3 is the champion already and serves; champions so far"
    ):
        back("3")
    register("4")
    run, rollout = take(60)
    open_stage(StageRequest(config, run, prove(run, rollout, only=3), "canary", 0.5), backends)
    assert back("3", day=71).previous is None
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "3"))


def test_what_the_server_has_open_without_the_ledger_knowing_is_ended_too(backends, promoted, back):
    serving, promotes = backends.serving, backends.serving.promote

    def promote_alone(rollout_id, candidate):
        if serving.state.rollout_id not in (None, rollout_id):
            raise RolloutRefused("another rollout is open")
        return promotes(rollout_id, candidate)

    serving.promote = promote_alone
    serving.set_traffic("stray", ModelRef("churn", "9"), mode="canary", weight=0.5)
    back()
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "2"))


@pytest.mark.parametrize("finisher", ["the same command", "the next deploy run"])
@pytest.mark.parametrize("broken", ["set_alias", "serving.promote", "set_tags", "serving.traffic"])
def test_a_crash_anywhere_is_finished_by_the_same_command_or_by_the_next_deploy_run(
    backends, promoted, back, take, monkeypatch, broken, finisher
):
    *where, name = broken.split(".")

    def killed(*_, **__):
        raise BackendUnavailable("killed")

    with monkeypatch.context() as patch:
        patch.setattr(getattr(backends, where[0]) if where else backends.tracking, name, killed)
        with pytest.raises(BackendUnavailable):
            back()
    assert open_reversal(backends.ledger.entries("churn")).actor == "anna"
    if finisher == "the same command":
        assert back(day=71, actor="bert", reason="again").version == "2"
    else:
        take(72)
    reign = champion_at(backends.ledger.entries("churn"))
    assert (reign.kind, reign.subject, reign.actor) == ("reversed", "2", "anna")
    assert reign.reasons[0] == "wrong prices"
    assert reign.reasons[1].startswith("done by the run")
    assert backends.tracking.aliases["champion"] == "2"
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "2"))
    assert open_reversal(backends.ledger.entries("churn")) is None


def test_the_next_deploy_run_finishes_a_reversal_before_it_takes_anything(
    config, backends, promoted, register, back, take, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(backends.serving, "promote", lambda *_: Traffic(ModelRef("churn", "3")))
        with pytest.raises(BackendUnavailable, match="a repeat will finish it"):
            back()
    register("4")
    _, rollout = take(75)
    assert (rollout.candidate.version, rollout.champion.version) == ("4", "2")


def test_another_version_takes_the_place_of_a_reversal_that_was_left(backends, promoted, back, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(backends.serving, "promote", lambda *_: Traffic(ModelRef("churn", "3")))
        with pytest.raises(BackendUnavailable):
            back()
    assert back("1", day=71).version == "1"
    (refused,) = [item for item in backends.ledger.entries("churn") if item.kind == "reversal_refused"]
    assert (refused.subject, refused.actor) == ("2", "anna")
    assert refused.reasons[0] == "version 1 is put back instead: wrong prices"
    assert open_reversal(backends.ledger.entries("churn")) is None


def test_a_retry_of_the_same_run_finds_what_it_did(backends, promoted, back):
    assert back(run_id="b") == back(run_id="b")
    assert backends.tracking.aliases["champion"] == "2"
    assert kinds(backends).count("reversed") == 1


def test_a_version_that_the_target_refuses_is_given_up_and_the_champion_stays(
    backends, promoted, back, monkeypatch
):
    backends.serving.broken = "its file is gone"
    with pytest.raises(ModelRefused, match="its file is gone"):
        back(run_id="b")
    with pytest.raises(ModelRefused, match="its file is gone"):
        back(run_id="b")
    backends.serving.broken = None
    assert backends.tracking.aliases["champion"] == "3"
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "3"))
    refused = backends.ledger.entries("churn")[-1]
    assert (refused.kind, refused.reasons) == ("reversal_refused", ("its file is gone",))

    def refuses(*_):
        raise ModelRefused("no memory for it")

    monkeypatch.setattr(backends.serving, "promote", refuses)
    with pytest.raises(ModelRefused, match="no memory"):
        back(day=71)
    assert backends.tracking.aliases["champion"] == "3"


def test_a_version_that_answers_otherwise_than_it_did_is_given_up(backends, promoted, back):
    backends.tracking.runs["run2"]["files"][SMOKE_FILE] = json.dumps(
        {"rows": ROWS, "predictions": [0.5, 0.75]}
    ).encode()
    with pytest.raises(
        ModelRefused, match=r"does not answer as it did.*difference from the evaluation 0\.25"
    ):
        back()
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "3"))


def test_a_target_that_takes_its_time_is_not_done_and_the_same_request_goes_on(
    backends, promoted, back, monkeypatch, take
):
    with monkeypatch.context() as patch:
        patch.setattr(backends.serving, "deploy", lambda *_: Deployment(False, "1 of 2 pods are up"))
        waiting = back(run_id="b")
        assert (waiting.version, waiting.done, waiting.said) == ("2", False, "1 of 2 pods are up")
        with pytest.raises(BackendUnavailable, match="version 2 is still being put back, as anna asked"):
            take(72)
        assert backends.serving.traffic() == Traffic(ModelRef("churn", "3"))
    assert back(run_id="b").done


def test_a_version_that_does_not_come_up_by_the_deadline_is_given_up_and_blocks_nobody(
    backends, promoted, back, monkeypatch, take
):
    monkeypatch.setattr(backends.serving, "deploy", lambda *_: Deployment(False, "0 of 2 pods are up"))
    assert not back(run_id="b").done
    with pytest.raises(ModelRefused, match=r"did not come up within 1 day.*0 of 2 pods are up"):
        back(run_id="b", day=70 + 24 * 60)
    assert take(72 + 24 * 60)[1] is None
    assert backends.tracking.aliases == {"champion": "3"}


def test_versions_that_cannot_be_put_back_are_refused_with_what_there_is(backends, promoted, back, register):
    there_is = r"champions so far: version 1 \(since 2025-01-01 00:51 UTC\), version 2 .*, version 3"
    register("4")
    with pytest.raises(ModelRefused, match=rf"version 4 of churn was never its champion.*{there_is}"):
        back("4")
    with pytest.raises(ModelRefused, match="version 99 of churn was never its champion"):
        back("99")

    def gone(model):
        raise ModelRefused(f"there is no {model} in MLflow")

    backends.tracking.run_of = gone
    with pytest.raises(
        ModelRefused, match=rf"version 1 cannot be put back: there is no churn version 1.*{there_is}"
    ):
        back("1")
    assert "reversal_intended" not in kinds(backends)


def test_a_first_champion_has_nobody_to_go_back_to(config, backends, register, take, back, prove):
    with pytest.raises(ModelRefused, match="there is none, so it would be the first one"):
        back()
    register("1")
    run, rollout = take(51)
    promote(RolloutRequest(config, run, prove(run, rollout)), backends)
    with pytest.raises(ModelRefused, match="no champion of churn to go back to: version 1 is the first one"):
        back()


@pytest.mark.parametrize(
    ("row", "gap"),
    [
        ({**ROWS[0], "city": "x"}, "needs city, which they do not carry"),
        ({"age": 1.0, "plan": "x"}, "does not know spend, which they carry"),
    ],
)
def test_a_version_of_another_schema_cannot_answer_todays_requests(backends, promoted, back, row, gap):
    kept = json.dumps({"rows": [row], "predictions": [0.5]}).encode()
    backends.tracking.runs["run2"]["files"][SMOKE_FILE] = kept
    with pytest.raises(ModelRefused, match=rf"it {gap}; champions so far: version 1 \([^)]*\), version 3"):
        back()
    assert back("1", day=71).version == "1"
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "1"))


def test_a_version_that_takes_a_feature_as_another_kind_is_refused(backends, promoted, back):
    for version, kind in (("2", "numeric"), ("3", "categorical")):
        card = json.dumps({"features": {"age": "numeric", "spend": "numeric", "plan": kind}}).encode()
        backends.tracking.runs[f"run{version}"]["files"]["model_card.json"] = card
    with pytest.raises(ModelRefused, match="it takes plan as another kind"):
        back()


def test_the_version_that_was_taken_out_is_not_taken_again_by_itself(backends, promoted, back, take):
    backends.tracking.set_alias("churn", "challenger", "3")
    back()
    assert take(75)[1] is None
    assert backends.tracking.aliases == {"champion": "2"}
