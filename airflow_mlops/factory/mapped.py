"""Mapped tasks: one node of the plan as several task instances that run at the same time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from airflow_mlops.config.models import ModelConfig


def mapped(kind: type[BaseOperator], dag: DAG, workers: int, arguments: Mapping[str, Any]) -> MappedOperator:
    """A task of the DAG, mapped over the numbers of its workers.

    What is None is left out: an operator takes ``outlets=None`` for none, a mapped one would fail by it.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    task: MappedOperator = kind.partial(**given).expand(worker=list(range(workers)))
    task.dag = dag
    dag.add_task(task)
    return task


class ToldModel:
    """A model for the arguments of a mapped task. Airflow writes those into the serialised DAG, as text where
    it does not know their type: the digest is enough, the whole configuration would be there for nobody.
    """

    __slots__ = ("_model", "digest")

    def __init__(self, model: ModelConfig | Mapping[str, Any], digest: str) -> None:
        self._model = model
        self.digest = digest

    @property
    def config(self) -> ModelConfig:
        """All settings, read where the task runs."""
        from airflow_mlops.config.models import ModelConfig

        if isinstance(self._model, ModelConfig):
            return self._model
        return ModelConfig.model_validate_json(json.dumps(dict(self._model)))

    def __repr__(self) -> str:
        return f"configuration {self.digest[:12]}"
