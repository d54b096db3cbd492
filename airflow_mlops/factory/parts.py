"""The table that says which operator does a step and what it is handed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from airflow_mlops.plan.graph import StepName

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class Part(NamedTuple):
    """One step's task. ``takes`` maps an argument of the operator to the step whose result fills it
    (``None`` where the plan has no such step), ``names`` to the step whose task id it is told; ``settings``
    are the arguments that the plan sets. A part that does not run a step is not handed the model; ``asks`` is
    where the YAML says of whom it asks a question. When each may run, and what it makes of the stages before
    it, is its operator's own affair.
    """

    operator: str
    takes: Mapping[str, StepName] = MappingProxyType({})
    names: Mapping[str, StepName] = MappingProxyType({})
    settings: tuple[str, ...] = ()
    runs_step: bool = True
    asks: str = ""

    def load(self) -> type[BaseOperator]:
        """The operator's class. Imported here, at the first model that needs it, because every task
        process parses its DAG again and pays for each import (a human in the loop costs 0.3 s)."""
        found: type[BaseOperator] = getattr(import_module("airflow_mlops.operators"), self.operator)
        return found


_ROLLOUT: Mapping[str, StepName] = {"rollout": "take_challenger"}
_TRAINED: Mapping[str, StepName] = {"snapshot": "snapshot", "training": "train"}
_EVALUATED: Mapping[str, StepName] = {**_TRAINED, "evaluation": "evaluate"}

PARTS: Mapping[StepName, Part] = {
    "snapshot": Part("SnapshotOperator"),
    "validate": Part("ValidateDataOperator", {"snapshot": "snapshot"}),
    "contracts": Part("CheckContractsOperator", {"snapshot": "snapshot"}),
    "model_tests": Part("ModelTestsOperator", {"snapshot": "snapshot"}),
    "sample_run": Part("SampleRunOperator", {"snapshot": "snapshot"}),
    "tune_search": Part("SearchParametersOperator", {"snapshot": "snapshot"}),
    "tune_choose": Part("ChooseParametersOperator", {"snapshot": "snapshot"}),
    "train": Part("TrainOperator", {"snapshot": "snapshot", "tuned": "tune_choose"}),
    "evaluate": Part("EvaluateOperator", _TRAINED),
    "gate": Part("GateOperator", _EVALUATED),
    "review": Part("ReviewChallengerOperator", {**_TRAINED, "verdict": "gate"}, asks="gates.review"),
    "register": Part("RegisterModelOperator", {**_EVALUATED, "verdict": "gate", "review": "review"}),
    "announce_challenger": Part(
        "AnnounceOperator", {"value": "register"}, settings=("partitioned",), runs_step=False
    ),
    "take_challenger": Part("TakeChallengerOperator"),
    "smoke_serve": Part("SmokeServeOperator", _ROLLOUT),
    "approve": Part("ApproveRolloutOperator", _ROLLOUT, asks="deploy.approval"),
    "shadow": Part("ShadowOperator", _ROLLOUT),
    "canary": Part("CanaryStepOperator", _ROLLOUT, settings=("weight",)),
    "ab_report": Part("AbReportOperator", {**_ROLLOUT, "verdict": "canary"}, settings=("weight",)),
    "conclude": Part(
        "ConcludeRolloutOperator",
        _ROLLOUT,
        names={"promote_task_id": "promote", "roll_back_task_id": "roll_back"},
    ),
    "promote": Part("PromoteModelOperator", _ROLLOUT),
    "roll_back": Part("UndoRolloutOperator", _ROLLOUT),
    "announce_champion": Part("AnnounceOperator", {"value": "promote"}, runs_step=False),
    "reverse": Part("RollbackModelOperator"),
    "roll_back_decayed": Part(
        "RollBackDecayedOperator",
        {"collected": "collect", "quality": "data_quality", "performance": "performance"},
    ),
    "choose_partitions": Part("ChoosePartitionsOperator"),
    "score": Part("ScoreOperator", {"chosen": "choose_partitions"}),
    "announce_predictions": Part(
        "AnnounceOperator", {"value": "score"}, settings=("partitioned", "backfills"), runs_step=False
    ),
    "collect": Part("CollectOperator"),
    "data_quality": Part("DataQualityOperator", {"collected": "collect"}),
    "drift": Part("DriftOperator", {"collected": "collect"}),
    "performance": Part("PerformanceOperator", {"collected": "collect"}),
    "announce_drift": Part(
        "AnnounceCauseOperator",
        {"collected": "collect", "quality": "data_quality", "report": "drift"},
        settings=("cause",),
    ),
    "announce_decay": Part(
        "AnnounceCauseOperator",
        {"collected": "collect", "quality": "data_quality", "report": "performance"},
        settings=("cause",),
    ),
    "decide": Part(
        "DecideRetrainingOperator",
        {
            "collected": "collect",
            "quality": "data_quality",
            "drift": "drift",
            "performance": "performance",
        },
    ),
    "request_retraining": Part(
        "RequestTrainingOperator", {"value": "decide"}, settings=("train_dag_id",), runs_step=False
    ),
    "tell": Part("TellFindingsOperator", runs_step=False),
}
