"""What a model's YAML may say; names, types and descriptions here become the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from airflow_mlops.config.parts.alerts import Alerts
from airflow_mlops.config.parts.base import Mistakes, Name, Part, whole
from airflow_mlops.config.parts.data import Data, ExpectationConfig, Validation
from airflow_mlops.config.parts.deploy import Deploy
from airflow_mlops.config.parts.evaluation import EvaluationConfig
from airflow_mlops.config.parts.gates import Gates
from airflow_mlops.config.parts.healing import Healing
from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.config.parts.model_card import ModelCardConfig
from airflow_mlops.config.parts.monitor import Monitor
from airflow_mlops.config.parts.preflight import Preflight
from airflow_mlops.config.parts.retraining import Retraining
from airflow_mlops.config.parts.running import Compute, Execution
from airflow_mlops.config.parts.schedule import Schedule
from airflow_mlops.config.parts.score import Score
from airflow_mlops.config.parts.tracking import TrackingConfig
from airflow_mlops.config.parts.training import Training
from airflow_mlops.config.parts.tuning import Tuning
from airflow_mlops.core.metrics import METRICS
from airflow_mlops.core.values import TaskKind

API_VERSION = "airflow-mlops/v1"


class ModelConfig(Part):
    """One model: what it learns from, what it must prove, how it is shipped and watched."""

    apiVersion: Literal["airflow-mlops/v1"] = Field(  # noqa: N815 (the word Kubernetes users know)
        description="Version of this file's language."
    )
    model: Name = Field(
        description="Name of the model; its DAGs are <model>.train, .deploy, .rollback, .score, .monitor."
    )
    description: str = Field("", description="One sentence for the people who see its DAGs.")
    owner: str = Field("airflow", min_length=1, max_length=100, description="Who is asked when it breaks.")
    tags: tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...] = Field(
        (), strict=False, description="Tags of the DAGs in Airflow."
    )
    level: Annotated[Literal[1, 2, 3], BeforeValidator(whole)] = Field(
        1, description="1 continuous training, 2 automatic delivery, 3 retraining by policy."
    )
    task: TaskKind = Field(
        description="What is predicted: two classes, several, a number, an order within each query, or a "
        "number of a later time."
    )
    schedule: Schedule = Field(default_factory=Schedule)
    data: Data
    validation: Validation = Field(default_factory=Validation)
    preflight: Preflight = Field(default_factory=Preflight)
    training: Training
    tuning: Tuning | None = Field(
        None, description="A search for better parameters before each training; none if not given."
    )
    evaluation: EvaluationConfig
    gates: Gates
    card: ModelCardConfig = Field(default_factory=ModelCardConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)
    deploy: Deploy = Field(default_factory=Deploy)
    score: Score | None = Field(
        None, description="Scores rows partition by partition, in a DAG of its own; no such DAG if not given."
    )
    monitor: Monitor = Field(default_factory=Monitor)
    retraining: Retraining = Field(default_factory=Retraining)
    healing: Healing = Field(default_factory=Healing)
    compute: Compute = Field(default_factory=Compute)
    execution: Execution = Field(default_factory=Execution)
    alerts: Alerts = Field(default_factory=Alerts)

    @model_validator(mode="after")
    def _metrics_fit_the_task(self) -> Self:
        found = [
            (path, problem)
            for path, metric in _metrics_named(self)
            if (problem := _metric_problem(metric, path, self))
        ]
        if found:
            raise Mistakes(*found)
        return self

    @model_validator(mode="after")
    def _expectations_can_fail(self) -> Self:
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("validation", "expectations", index, "type"), problem)
            for index, expectation in enumerate(self.validation.expectations)
            if (problem := never_null(expectation, self.data)) is not None
        ]
        if found:
            raise Mistakes(*found)
        return self

    @property
    def columns(self) -> list[str]:
        """Every column a snapshot holds, once, in a fixed order: the model's own, and what metrics and gates
        read."""
        gates = (name for rule in self.gates.rules for name in rule.columns)
        return list(dict.fromkeys([*self.data.columns, *self.evaluation.columns, *gates]))


def never_null(expectation: ExpectationConfig, data: Data) -> str | None:
    """Why an expectation of a text would always hold, or None: a missing text is an empty one."""
    column = expectation.kwargs.get("column")
    if expectation.type != "expect_column_values_to_not_be_null" or column not in data.texts:
        return None
    return (
        f"{column!r} is text, and a missing text is an empty one, never null; ask for "
        "expect_column_value_lengths_to_be_between with min_value: 1"
    )


def _metrics_named(config: ModelConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, computed in enumerate(config.evaluation.names):
        yield ("evaluation", "metrics", index), computed
    for index, rule in enumerate(config.gates.rules):
        metric = getattr(rule, "metric", None)
        if metric is not None:
            yield ("gates", "rules", index, "metric"), metric
    if config.evaluation.importance.metric is not None:
        yield ("evaluation", "importance", "metric"), config.evaluation.importance.metric
    if config.tuning is not None:
        yield ("tuning", "metric"), config.tuning.metric
    if config.monitor.performance is not None:
        yield ("monitor", "performance", "metric"), config.monitor.performance.metric
    if config.deploy.analysis.quality is not None:
        yield ("deploy", "analysis", "quality", "metric"), config.deploy.analysis.quality.metric


def _metric_problem(metric: str, path: tuple[str | int, ...], config: ModelConfig) -> str | None:
    allowed, item = METRICS_OF[config.task], config.evaluation.item(metric)
    tasks = item.tasks if item is not None else METRICS[metric].tasks if metric in METRICS else None
    if tasks is not None and config.task not in tasks:
        return f"metric {metric!r} does not fit task {config.task}; use one of {', '.join(sorted(allowed))}"
    if item is None:
        return f"{path[0]} needs {metric!r}, which evaluation.metrics does not compute; add it there"
    return None
