"""Operators: what goes in, what comes out, and what Airflow is told when it goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from airflow_mlops import operators
from airflow_mlops.config.load import load_model
from airflow_mlops.exceptions import BackendUnavailable, DataRefused
from airflow_mlops.operators import (
    AnnounceOperator,
    DecideRetrainingOperator,
    EvaluateOperator,
    GateOperator,
    RegisterModelOperator,
    SnapshotOperator,
    TakeChallengerOperator,
    TrainOperator,
)
from airflow_mlops.operators.base import sanitised
from airflow_mlops.operators.summary import summary
from airflow_mlops.steps import catalog as steps

SNAPSHOT = {
    "dataset": {
        "uri": "file:///store/snapshots/churn/v.parquet",
        "version": "v",
        "rows": 900,
        "holdout_rows": 300,
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"},
        "holdout_start": "2026-02-19T00:00:00Z",
        "schema_hash": "s",
    },
    "causes": ["manual run"],
    "requests": [],
}
TRAINING = {"run_id": "run-2", "model_uri": "runs:/run-2/model", "url": "http://mlflow.test/run-2"}


def evaluation(auc: float) -> dict:
    interval = {"value": auc, "low": auc - 0.02, "high": auc + 0.02}
    return {"rows": 300, "confidence": 0.95, "challenger": {"roc_auc": interval}}


@pytest.fixture
def answer(monkeypatch):
    """``answer(value)``: every step gives this value, or raises it; the requests are kept."""
    requests = []

    def stand_in(value):
        def run_step(name, request, backends):
            requests.append((name, request))
            if isinstance(value, Exception):
                raise value
            return value

        monkeypatch.setattr(steps, "run_step", run_step)
        return requests

    return stand_in


def test_a_held_challenger_leaves_the_gate_green_and_skips_the_registration(backends, config, make_context):
    inputs = {"snapshot": SNAPSHOT, "training": TRAINING, "evaluation": evaluation(0.5)}
    gate = GateOperator(task_id="gate", model=config, **inputs)
    verdict = gate.execute(make_context())
    assert verdict["outcome"] == "fail"
    assert "roc_auc" in verdict["reasons"][0]
    assert [entry.kind for entry in backends.entries()] == ["gated"]
    register = RegisterModelOperator(task_id="register", model=config, verdict=verdict, **inputs)
    with pytest.raises(AirflowSkipException, match=r"the gate held this challenger \(fail\): .*roc_auc"):
        register.execute(make_context())


def test_the_result_is_plain_json_under_the_digest_of_the_configuration(backends, yaml_file, make_context):
    gate = GateOperator(
        task_id="gate",
        model=yaml_file,
        snapshot=SNAPSHOT,
        training=TRAINING,
        evaluation=evaluation(0.9),
    )
    verdict = gate.execute(make_context())
    assert verdict["config"] == load_model(yaml_file).digest
    assert verdict["outcome"] == "pass"
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict


def test_a_configuration_and_its_file_have_one_digest(backends, config, yaml_file, make_context):
    given = {"snapshot": SNAPSHOT, "training": TRAINING, "evaluation": evaluation(0.9)}
    by_file = GateOperator(task_id="a", model=str(yaml_file), **given).execute(make_context())
    by_value = GateOperator(task_id="b", model=config, **given).execute(make_context())
    assert by_file == by_value


def test_a_yaml_that_changed_in_the_middle_of_a_run_fails_the_next_task(
    backends, yaml_file, make_context, answer
):
    answer(SNAPSHOT)
    snapshot = SnapshotOperator(task_id="snapshot", model=yaml_file).execute(make_context())
    yaml_file.write_text(yaml_file.read_text().replace("minimum: 0.6", "minimum: 0.5"))
    train = TrainOperator(task_id="train", model=yaml_file, snapshot=snapshot)
    expected = (
        "the YAML of churn changed while this run was under way .started with .*, now .*: start a new run"
    )
    with pytest.raises(AirflowFailException, match=expected):
        train.execute(make_context())


def test_templates_are_filled_in_where_rows_and_parameters_are_named_and_nowhere_else(
    backends, yaml_file, make_context, answer
):
    requests = answer(SNAPSHOT)
    text = yaml_file.read_text().replace('"rows/*.parquet"', '"rows/{{ dag_run.run_id }}.parquet"')
    text = text.replace("LogisticRegression}", 'LogisticRegression, params: {tag: "{{ 1 + 1 }}", C: 2}}')
    yaml_file.write_text(text + 'description: "{{ 1 + 1 }}"\n')
    context = make_context()
    result = SnapshotOperator(task_id="snapshot", model=yaml_file).execute(context)
    config = requests[0][1]["config"]
    assert config["data"]["source"]["path"] == f"rows/{context['dag_run'].run_id}.parquet"
    assert config["training"]["params"] == {"tag": "2", "C": 2}
    assert config["description"] == "{{ 1 + 1 }}"
    assert result["config"] == load_model(yaml_file).digest


@pytest.mark.parametrize("template", ["{{ no_such_thing.at_all }}", "{{ 1 + }}"])
def test_a_template_that_cannot_be_filled_in_is_told_by_its_key_and_not_tried_again(
    backends, yaml_file, make_context, template
):
    yaml_file.write_text(yaml_file.read_text().replace('"rows/*.parquet"', f'"rows/{template}"'))
    operator = SnapshotOperator(task_id="snapshot", model=yaml_file)
    with pytest.raises(
        AirflowFailException, match=r"data.source of model churn: a template cannot be filled in"
    ):
        operator.execute(make_context())


def test_a_dag_that_was_parsed_from_an_older_yaml_is_refused(backends, yaml_file, make_context):
    operator = SnapshotOperator(task_id="snapshot", model=yaml_file, config_digest="0" * 64)
    with pytest.raises(AirflowFailException, match="the YAML of churn changed"):
        operator.execute(make_context())


def test_the_request_holds_run_and_inputs_without_the_digest(backends, config, make_context, answer):
    requests = answer(TRAINING)
    snapshot = {"config": "d1", **SNAPSHOT}
    operator = TrainOperator(task_id="train", model=config, config_digest="d1", snapshot=snapshot)
    operator.execute(make_context(triggering_user_name="ada", params={"window_end": "2026-03-01"}))
    name, request = requests[0]
    assert name == "train"
    assert request["snapshot"] == SNAPSHOT
    assert request["run"]["actor"] == "ada"
    assert request["run"]["config_digest"] == "d1"
    assert request["run"]["sources"]["params"]["start"] == "2025-12-01T00:00:00Z"  # three months before


def test_a_monitoring_task_takes_the_start_from_the_monitoring_window(backends, config, make_context, answer):
    requests = answer(None)
    operator = operators.CollectOperator(task_id="collect", model=config)
    with pytest.raises(AirflowSkipException, match="nothing to do"):
        operator.execute(make_context(params={"window_end": "2026-03-05"}))
    assert requests[0][1]["run"]["sources"]["params"]["start"] == "2026-03-03T00:00:00Z"


def test_bad_data_fails_at_once_and_an_absent_service_is_tried_again(backends, config, make_context, answer):
    operator = SnapshotOperator(task_id="snapshot", model=config)
    answer(DataRefused("all 900 rows have a null label"))
    with pytest.raises(AirflowFailException, match=r"^all 900 rows have a null label$"):
        operator.execute(make_context())
    answer(BackendUnavailable("MLflow does not answer"))
    with pytest.raises(AirflowException, match=r"^MLflow does not answer$") as caught:
        operator.execute(make_context())
    assert not isinstance(caught.value, AirflowFailException)


def test_an_input_of_the_wrong_form_fails_at_once_and_names_the_field(backends, config, make_context):
    operator = GateOperator(
        task_id="gate", model=config, snapshot={"data": 1}, training=TRAINING, evaluation=evaluation(0.9)
    )
    with pytest.raises(AirflowFailException, match=r"wrong form(.|\n)*snapshot\.dataset"):
        operator.execute(make_context())


def test_a_missing_connection_fails_with_the_command_that_adds_it(mlops_store, config, make_context):
    operator = SnapshotOperator(task_id="snapshot", model=config)
    expected = (
        r"no connection 'mlflow_default' \(tracking.conn_id of model churn\). Add it with: "
        "airflow connections add mlflow_default --conn-type mlflow"
    )
    with pytest.raises(AirflowFailException, match=expected):
        operator.execute(make_context())


def test_training_needs_no_gateway_and_a_rollout_does(backends, config, make_context, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT")
    gate = GateOperator(
        task_id="gate",
        model=config,
        snapshot=SNAPSHOT,
        training=TRAINING,
        evaluation=evaluation(0.9),
    )
    gate.execute(make_context())
    assert backends.asked[0].serving is None
    with pytest.raises(AirflowFailException, match="airflow connections add mlops_gateway_default"):
        TakeChallengerOperator(task_id="take", model=config).execute(make_context())


def test_nothing_pending_is_skipped_in_peace(backends, config, make_context):
    with pytest.raises(AirflowSkipException, match="nothing to do: step take_challenger found nothing"):
        TakeChallengerOperator(task_id="take", model=config).execute(make_context())


def test_nothing_upstream_is_skipped_but_a_decision_needs_no_labels(backends, config, make_context, answer):
    with pytest.raises(AirflowSkipException, match="there is no snapshot to work on"):
        TrainOperator(task_id="train", model=config, snapshot=None).execute(make_context())
    requests = answer({"decision": {"action": "keep", "cause": None, "reasons": []}})
    report = {"kind": "drift", "uri": "file:///r.html", "summary": {}}
    decide = DecideRetrainingOperator(
        task_id="decide", model=config, collected={}, quality=report, drift=report
    )
    decide.execute(make_context())
    assert requests[0][1]["performance"] is None


def test_numbers_that_xcom_refuses_become_words_that_pydantic_reads():
    found = sanitised({"a": float("nan"), "b": (float("inf"), -float("inf")), "c": 0.5, "d": True})
    assert found == {"a": "NaN", "b": ["Infinity", "-Infinity"], "c": 0.5, "d": True}


def test_the_summary_has_a_line_for_each_fact_and_a_dash_for_each_reason():
    lines = summary({"outcome": "fail", "reasons": ["too low"], "url": None, **evaluation(0.7)})
    assert lines[:3] == ["outcome: fail", "reasons:", "  - too low"]
    assert "challenger.roc_auc: 0.7000 (0.6800 to 0.7200)" in lines
    assert not any(line.startswith("url") for line in lines)
    found = [{"rule": "slices", "measurements": [{"name": "a", "rows": 3}]}, {"rule": "skew"}]
    assert summary({"findings": found}) == ["findings: slices, skew"]
    assert summary({"share": 0.9912037037037036, "rows": 10785}) == ["share: 0.991204", "rows: 10785"]


def test_links_lead_to_what_the_task_made_and_to_nothing_after_a_failure(
    backends, config, make_context, answer
):
    train = TrainOperator(task_id="train", model=config, snapshot=SNAPSHOT)
    (link,) = train.operator_extra_links
    assert link.get_link(train, ti_key=None) == ""
    answer(TRAINING)
    train.execute(make_context())
    assert link.get_link(train, ti_key=None) == "http://mlflow.test/run-2"
    evaluate = EvaluateOperator(task_id="e", model=config, snapshot=SNAPSHOT, training=TRAINING)
    uri = "file:///data/reports/churn.train/manual_1/evaluation.html"
    answer({**evaluation(0.9), "report": {"kind": "evaluation", "uri": uri, "summary": {}}})
    evaluate.execute(make_context())
    (report,) = evaluate.operator_extra_links
    assert report.name == "Report"
    assert report.get_link(evaluate, ti_key=None).endswith(
        "/mlops/reports/churn.train/manual_1/evaluation.html"
    )


def test_an_announcement_carries_the_value_and_not_the_digest(make_context):
    asset = Asset("churn/challenger")
    value = {"config": "d1", "name": "churn", "version": "2"}
    context = make_context()
    AnnounceOperator(task_id="announce", outlets=[asset], value=value).execute(context)
    assert context["outlet_events"][asset].extra == {"name": "churn", "version": "2"}


@pytest.mark.parametrize(
    ("run_type", "value", "reason"),
    [
        ("manual", None, "upstream made nothing"),
        ("backfill", {"version": "2"}, "a backfill's versions are neither promoted nor deployed"),
        (
            "manual",
            {"decision": {"action": "keep", "cause": None, "reasons": ["no drift"]}},
            "the decision was to keep: no drift",
        ),
    ],
)
def test_nothing_is_announced_in_vain(make_context, run_type, value, reason):
    operator = AnnounceOperator(task_id="announce", outlets=[Asset("churn/retrain")], value=value)
    with pytest.raises(AirflowSkipException, match=f"^nothing to announce: {reason}$"):
        operator.execute(make_context(run_type))


def test_a_decision_to_retrain_is_announced(make_context):
    asset, context = Asset("churn/retrain"), make_context()
    value = {"decision": {"action": "retrain", "cause": "drift", "reasons": ["PSI"]}, "request_id": "q"}
    AnnounceOperator(task_id="announce", outlets=[asset], value=value).execute(context)
    assert context["outlet_events"][asset].extra["request_id"] == "q"


def test_importing_operators_brings_no_heavy_library_and_no_approval_form():
    forms = ("ApproveRolloutOperator", "ReviewChallengerOperator")
    light = [name for name in operators.__all__ if name not in forms]
    heavy = ("pandas", "numpy", "mlflow", "sklearn", "evidently", "great_expectations", "kubernetes")
    code = (
        "import sys; from airflow_mlops import operators, sensors; "
        f"[getattr(operators, name) for name in {light}]; "
        f"print([name for name in {heavy} if name in sys.modules], "
        "'airflow.providers.standard.operators.hitl' in sys.modules, "
        "'airflow_mlops.steps.train' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["[] False False"], done.stderr


def test_a_name_that_is_no_operator_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NoSuchOperator"):
        operators.NoSuchOperator  # noqa: B018
