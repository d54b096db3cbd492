"""``evaluation.metrics`` in a YAML: names, mappings, and every mistake at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.schema import SCHEMA_FILES
from airflow_mlops.core.metrics import METRICS, MetricSpec, Outcomes
from airflow_mlops.core.values import TaskKind

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
OWN = """
    - roc_auc
    - log_loss
    - {name: lost, callable: "wine.metrics:lost", direction: lower, params: {unit: 2}}
    - {name: cost, cost: {false_positive: 10, false_negative: amount}}
    - {name: profit, value: {true_positive: 0.2, times: amount}}
"""


def loaded(tmp_path: Path, metrics: str, more: str = "") -> ModelConfig:
    path = tmp_path / "wine.yaml"
    text = MINIMAL.replace("[roc_auc, log_loss]", metrics)
    path.write_text(text + more)
    return load_model(path).config


def refused(tmp_path: Path, metrics: str, more: str = "") -> str:
    with pytest.raises(InvalidConfig) as caught:
        loaded(tmp_path, metrics, more)
    return str(caught.value)


def test_every_task_has_metrics() -> None:
    assert set(METRICS_OF) == set(get_args(TaskKind))
    assert all(METRICS_OF.values())


def test_a_name_stays_a_name_when_it_is_shown(tmp_path: Path) -> None:
    evaluation = loaded(tmp_path, "[roc_auc, log_loss]").evaluation
    assert evaluation.model_dump(mode="json")["metrics"] == ["roc_auc", "log_loss"]
    assert evaluation.names == ("roc_auc", "log_loss")


def test_metrics_of_ones_own_have_a_name_a_direction_and_columns(tmp_path: Path) -> None:
    config = loaded(tmp_path, OWN)
    evaluation = config.evaluation
    assert evaluation.names == ("roc_auc", "log_loss", "lost", "cost", "profit")
    assert [evaluation.direction(name) for name in evaluation.names] == [
        "higher", "lower", "lower", "lower", "higher",
    ]  # fmt: skip
    assert evaluation.scoring.spec("cost") == MetricSpec(
        "cost", outcomes=Outcomes(false_positive=10.0, false_negative="amount"), direction="lower"
    )
    assert config.columns == [*config.data.columns, "amount"]
    again = ModelConfig.model_validate_json(config.model_dump_json())
    assert again == config


def test_a_metric_with_parameters_is_another_metric(tmp_path: Path) -> None:
    metrics = "[roc_auc, log_loss, {metric: f1, name: f1_again}]"
    config = loaded(tmp_path, metrics)
    assert config.evaluation.names[2] == "f1_again"
    assert config.evaluation.scoring.spec("f1_again") == MetricSpec("f1_again", metric="f1")
    assert config.evaluation.scoring.spec("accuracy") == MetricSpec("accuracy", metric="accuracy")


def test_the_schema_knows_the_mappings(tmp_path: Path) -> None:
    schema = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILES["model"].read_text()))
    value = loaded(tmp_path, OWN).model_dump(mode="json", exclude_defaults=True)
    assert not [error.message for error in schema.iter_errors(value) if "metrics" in error.absolute_path]


WRONG = [
    ("[roc_auc, log_loss, roc_auk]", "'roc_auk' is not one of 'roc_auc'", "did you mean 'roc_auc'?"),
    ("[roc_auc, log_loss, {metric: r2}]", "metric 'r2' does not fit task binary_classification", ""),
    ("[roc_auc, log_loss, {name: x}]", "give one of metric, callable, cost, value", ""),
    ("[roc_auc, log_loss, {callable: 'a.b:c', direction: lower}]", "needs a 'name' for gates", ""),
    ("[roc_auc, log_loss, {name: x, callable: 'a.b:c'}]", "must say whether 'higher' or 'lower'", ""),
    ("[roc_auc, log_loss, {name: x, callable: 'os:system', direction: lower}]", "Python's own code", ""),
    ("[roc_auc, log_loss, {metric: f1, params: {k: 3}}]", "f1 has no parameter 'k': it takes none", ""),
    ("[roc_auc, log_loss, {name: f1, cost: {false_positive: 1}}]", "'f1' is another metric's name", ""),
    ("[roc_auc, log_loss, {name: x, cost: {false_positive: [1]}}]", "or the name of a column", ""),
    ("[roc_auc, log_loss, roc_auc]", "'roc_auc' is there twice", ""),
]


@pytest.mark.parametrize(("metrics", "told", "hint"), WRONG)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, metrics: str, told: str, hint: str) -> None:
    message = refused(tmp_path, metrics)
    assert told in message
    assert hint in message
    assert ":22:" in message, "the line of the metrics"


def test_a_ranking_needs_queries(tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    text = MINIMAL.replace("task: binary_classification", "task: ranking")
    text = text.replace("[roc_auc, log_loss]", "[ndcg, {metric: ndcg, name: first, params: {k: 1}}]")
    text = text.replace("metric: roc_auc", "metric: ndcg").replace("metric: log_loss", "metric: first")
    path.write_text(text)
    with pytest.raises(InvalidConfig, match=r"ranking needs data\.group"):
        load_model(path)
    path.write_text(text.replace("data:\n", "data:\n  group: query\n", 1))
    evaluation = load_model(path).config.evaluation
    assert (evaluation.names, evaluation.direction("first")) == (("ndcg", "first"), "higher")


def test_the_log_has_no_column_that_is_no_feature(tmp_path: Path) -> None:
    monitor = """
monitor:
  labels: {source: {type: parquet, path: labels.parquet}}
  performance: {metric: cost}
"""
    assert "cost needs the column amount, which the inference log does not keep" in refused(
        tmp_path, OWN, monitor
    )


def test_every_parameter_of_the_table_can_be_given(tmp_path: Path) -> None:
    takes = {name: known.params for name, known in METRICS.items() if known.params}
    assert takes["mean_pinball_loss"] == {"alpha": 0.5}
    text = MINIMAL.replace("task: binary_classification", "task: forecasting")
    text = text.replace("metric: roc_auc", "metric: r2").replace("metric: log_loss", "metric: r2")
    path = tmp_path / "wine.yaml"
    for params, told in (
        ("{metric: mean_pinball_loss, params: {alpha: 0.9}}", ""),
        ("{metric: mean_absolute_scaled_error, params: {season: 7}}", ""),
        ("{metric: mean_pinball_loss, params: {alpha: 2}}", "must lie between 0 and 1, not 2"),
        ("{metric: mean_absolute_scaled_error, params: {season: 0}}", "a whole number from 1 up, not 0"),
    ):
        path.write_text(text.replace("[roc_auc, log_loss]", f"[r2, {params}]"))
        if told:
            with pytest.raises(InvalidConfig, match=told):
                load_model(path)
        else:
            assert load_model(path).config.evaluation.metrics[1].params
