"""The model card: what it says of a registered version, and who signs it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from airflow_mlops.core.values import Importance
from airflow_mlops.steps.approval import record_approval
from airflow_mlops.steps.document import Section, as_html, as_markdown
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    ApprovalRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    RolloutRequest,
    SnapshotRequest,
    TakeChallengerRequest,
    TrainRequest,
)
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.take_challenger import take_challenger
from airflow_mlops.steps.train import train


def said(config, **card):
    """The configuration with words for its card."""
    return config.model_copy(update={"card": type(config.card)(**card)})


def registered(config, run, backends):
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    verdict = gate(GateRequest(config, run, taken, trained, evaluation), backends)
    return register(RegisterRequest(config, run, taken, trained, evaluation, verdict), backends), trained


def test_every_registered_version_has_a_card_with_purpose_data_numbers_and_lineage(
    config, backends, make_run
):
    config = said(
        config, intended_use="To call people who may leave.", limits=("Knows no pre-paid customers.",)
    )
    model, trained = registered(config, make_run(40), backends)
    text = backends.tracking.read_file(trained.run_id, "model_card.md").decode()
    assert text.startswith("# Model card: churn version 1\n")
    assert "- Intended use: To call people who may leave." in text
    assert "- Knows no pre-paid customers." in text
    assert "- There was no champion to compare it with." in text
    assert "| roc_auc | 0." in text
    assert "## What it leans on" in text
    assert "| pipeline run | " in text
    page = backends.store.get(model.card.uri.partition("/store/")[2] or model.card.uri).decode()
    assert "<h1>Model card: churn version 1</h1>" in page
    assert backends.tracking.runs[trained.run_id]["description"] == text


def test_the_card_names_who_approved_and_when_it_was_promoted_once(config, backends, make_run, prove):
    _, trained = registered(config, make_run(40), backends)
    run = make_run(41, run_id="d1", dag="deploy")
    rollout = take_challenger(TakeChallengerRequest(config, run), backends)
    prove(run, rollout)
    for _ in range(2):
        record_approval(ApprovalRequest(config, run, rollout, True, "ada", "as agreed"), backends)
        promote(RolloutRequest(config, run, rollout), backends)
    text = backends.tracking.read_file(trained.run_id, "model_card.md").decode()
    signed = [line for line in text.splitlines() if line.startswith(("| approved", "| promoted"))]
    signatures = sorted(line.split(" | ")[:2] for line in signed)
    assert signatures == [["| approved", "ada"], ["| promoted", "airflow"]]
    assert any("as agreed" in line for line in signed)


def test_a_version_without_a_card_is_promoted_all_the_same(config, backends, make_run, prove):
    _, trained = registered(config, make_run(40), backends)
    for name in [name for name in backends.tracking.runs[trained.run_id]["files"] if "card" in name]:
        del backends.tracking.runs[trained.run_id]["files"][name]
    run = make_run(41, run_id="d1", dag="deploy")
    rollout = take_challenger(TakeChallengerRequest(config, run), backends)
    assert promote(RolloutRequest(config, run, prove(run, rollout)), backends).version == "1"


def test_the_feature_that_decides_is_the_most_important_and_one_of_noise_is_not(config, backends, make_run):
    _, trained = registered(config, make_run(40), backends)
    kept = backends.tracking.read_file(trained.run_id, "importance.json")
    found = TypeAdapter(tuple[Importance, ...]).validate_json(kept)
    assert [item.feature for item in found][:1] == ["age"]
    assert found[0].estimate.low > 0


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b _d_ *c* [x](y)", r"a_b \_d\_ \*c\* \[x\](y)"),
        ("<script>", r"\<script\>"),
        ("one\ntwo", "one two"),
        ("a | b", r"a \| b"),
    ],
)
def test_what_people_write_makes_no_markup(text, written):
    assert f"- {written}\n" in as_markdown("t", [Section("s", (text,))])
    assert "<script>" not in as_html("t", [Section("s", (text,))]).decode()
