"""A search in the train DAG: mapped workers between the checks and the training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlops.factory import load_file
from airflow_mlops.operators import (
    ChooseParametersOperator,
    SearchParametersOperator,
    SnapshotOperator,
    TrainOperator,
)

ROOT = Path(__file__).parents[2]
YEAR = {"window_start": "2024-01-01T00:00:00+00:00", "window_end": "2024-12-22T00:00:00+00:00"}
TUNING = """\
tuning:
  metric: roc_auc
  trials: 6
  parallel: 3
  space: {C: {type: float, low: 0.01, high: 10.0, log: true}}
"""


@pytest.mark.parametrize(
    ("level", "checks"), [(1, {"validate"}), (2, {"validate", "preflight.contracts", "preflight.sample_run"})]
)
def test_the_search_stands_between_the_checks_and_the_training(model_yaml, level, checks):
    dag = load_file(model_yaml(level=level, more=TUNING))["rain.train"]
    edges = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert edges["tune.search"] == checks
    assert edges["tune.choose"] == {"tune.search"}
    assert edges["train"] == {"tune.choose"}
    assert dag.task_dict["validate"].downstream_task_ids >= {"tune.search"}


def test_its_workers_are_mapped_and_do_not_wait_for_each_other(model_yaml):
    dag = load_file(model_yaml(more=TUNING + "execution: {retries: 3, pool: big}\n"))["rain.train"]
    search = dag.task_dict["tune.search"]
    assert search.expand_input.value == {"worker": [0, 1, 2]}
    assert search.max_active_tis_per_dag == 3
    assert dag.task_dict["train"].max_active_tis_per_dag == 1
    assert (search.retries, search.pool, search.owner) == (3, "big", "weather")


def test_a_mapped_task_does_not_carry_the_configuration_into_the_serialised_dag(model_yaml):
    path = model_yaml(more=TUNING)
    one, other = (json.dumps(DagSerialization.to_dict(load_file(path)["rain.train"])) for _ in range(2))
    assert one == other
    assert "minimum_rows" not in one
    digest = load_file(path)["rain.train"].task_dict["tune.choose"].config_digest
    assert f"configuration {digest[:12]}" in one


def test_a_model_without_a_search_has_no_such_tasks(model_yaml):
    dag = load_file(model_yaml())["rain.train"]
    assert not [task.task_id for task in dag.tasks if "tune" in task.task_id]
    assert dag.task_dict["train"].tuned is None


def test_the_operators_do_the_same_in_a_hand_written_dag(model_yaml):
    path = str(model_yaml(more=TUNING))
    with DAG("by_hand", schedule=None) as dag:
        snapshot = SnapshotOperator(task_id="snapshot", model=path)
        search = SearchParametersOperator.partial(
            task_id="search", model=path, snapshot=snapshot.output
        ).expand(worker=[0, 1])
        choose = ChooseParametersOperator(task_id="choose", model=path, snapshot=snapshot.output)
        train = TrainOperator(task_id="train", model=path, snapshot=snapshot.output, tuned=choose.output)
        search >> choose
    assert train.upstream_task_ids == {"snapshot", "choose"}
    assert choose.upstream_task_ids == {"snapshot", "search"}
    assert DagSerialization.to_dict(dag)
    assert search.unmap({"worker": 1}).configured().config.tuning.trials == 6


def test_a_mapped_task_of_the_factory_runs_with_the_configuration_of_its_dag(model_yaml):
    dag = load_file(model_yaml(more=TUNING))["rain.train"]
    one, plain = dag.task_dict["tune.search"].unmap({"worker": 2}), dag.task_dict["tune.choose"]
    assert one.worker == 2
    assert one.configured().digest == plain.configured().digest
    assert one.configured().config == plain.configured().config


@pytest.mark.slow
@pytest.mark.airflow
def test_a_run_searches_in_mapped_tasks_and_trains_with_what_was_chosen(
    tmp_path, monkeypatch, mlops_load_model_dags, mlops_run_dag, mlops_store, mlops_mlflow_server
):
    import mlflow

    monkeypatch.syspath_prepend(ROOT / "plugins")
    text = (ROOT / "configs" / "breast_cancer.yaml").read_text()
    tuning = "tuning: {metric: roc_auc, trials: 3, parallel: 2, folds: {type: time}, space: {max_depth: "
    tuning += "{type: int, low: 2, high: 6}}}\n"
    path = tmp_path / "searched.yaml"
    path.write_text(
        text.replace("model: breast_cancer\n", "model: searched\n").replace(
            "n_estimators: 50", "n_estimators: 5"
        )
        + tuning
    )

    run = mlops_run_dag(mlops_load_model_dags(path)["searched.train"], conf=YEAR)

    assert run.state == "success"
    assert run.tasks["tune.search"] == "success"
    chosen = run.results["tune.choose"]
    assert sum(chosen["trials"].values()) == 3
    client = mlflow.MlflowClient(mlops_mlflow_server)
    trained = client.get_run(run.results["train"]["run_id"])
    assert trained.data.params["max_depth"] == str(chosen["params"]["max_depth"])
    assert trained.data.tags["mlops.tuning_run"] == chosen["search"]["run_id"]
    nested = client.search_runs(
        [trained.info.experiment_id], f"tags.`mlflow.parentRunId` = '{chosen['search']['run_id']}'"
    )
    assert len(nested) == 3
    assert {one.data.tags["mlops.trial_worker"] for one in nested} <= {"0", "1"}
    assert "tuning.html" in chosen["report"]["uri"]
