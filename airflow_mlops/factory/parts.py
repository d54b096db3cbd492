"""The table that says which operator does a step, what it is handed, and when it may run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from airflow_mlops.plan.graph import StepName

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

Rule = Literal["all_success", "all_done", "none_failed_min_one_success"]


@dataclass(frozen=True, slots=True)
class Part:
    """One step's task. ``takes`` maps an argument of the operator to the step whose result fills it
    (``None`` where the plan has no such step), ``names`` to the step whose task id it is told;
    ``settings`` are the arguments that the plan sets. ``rule`` is Airflow's trigger rule. A part that
    does not run a step is not handed the model.
    """

    operator: str
    takes: Mapping[str, StepName] = field(default_factory=dict)
    names: Mapping[str, StepName] = field(default_factory=dict)
    rule: Rule = "all_success"
    settings: tuple[str, ...] = ()
    runs_step: bool = True

    def load(self) -> type[BaseOperator]:
        """The operator's class. Imported here, at the first model that needs it, because every task
        process parses its DAG again and pays for each import (a human in the loop costs 0.3 s)."""
        module, _, name = self.operator.partition(":")
        found: type[BaseOperator] = getattr(import_module(f"airflow_mlops.operators.{module}"), name)
        return found


PARTS: Mapping[StepName, Part] = {
    "snapshot": Part("training:SnapshotOperator"),
    "validate": Part("training:ValidateDataOperator", {"snapshot": "snapshot"}),
    "preflight": Part("training:PreflightOperator", {"snapshot": "snapshot"}),
    "train": Part("training:TrainOperator", {"snapshot": "snapshot"}),
    "evaluate": Part("training:EvaluateOperator", {"snapshot": "snapshot", "training": "train"}),
    "gate": Part(
        "training:GateOperator", {"snapshot": "snapshot", "training": "train", "evaluation": "evaluate"}
    ),
    "register": Part(
        "training:RegisterModelOperator",
        {"snapshot": "snapshot", "training": "train", "evaluation": "evaluate", "verdict": "gate"},
    ),
    "announce_challenger": Part("announce:AnnounceOperator", {"value": "register"}, runs_step=False),
    "take_challenger": Part("rollout:TakeChallengerOperator"),
    "smoke_serve": Part("rollout:SmokeServeOperator", {"rollout": "take_challenger"}),
    "approve": Part("approval:ApproveRolloutOperator", {"rollout": "take_challenger"}),
    "shadow": Part("rollout:ShadowOperator", {"rollout": "take_challenger"}),
    "canary": Part("rollout:CanaryStepOperator", {"rollout": "take_challenger"}, settings=("weight",)),
    # A stage that errored must still lead to a decision, and so must a decision that errored: traffic may
    # have moved by then. Both operators skip themselves where no rollout was taken.
    "conclude": Part(
        "rollout:ConcludeRolloutOperator",
        {"rollout": "take_challenger"},
        {"promote_task_id": "promote", "roll_back_task_id": "roll_back"},
        rule="all_done",
    ),
    "promote": Part("rollout:PromoteModelOperator", {"rollout": "take_challenger"}),
    "roll_back": Part("rollout:RollBackModelOperator", {"rollout": "take_challenger"}, rule="all_done"),
    "announce_champion": Part("announce:AnnounceOperator", {"value": "promote"}, runs_step=False),
    "collect": Part("monitoring:CollectOperator"),
    "data_quality": Part("monitoring:DataQualityOperator", {"collected": "collect"}),
    "drift": Part("monitoring:DriftOperator", {"collected": "collect"}),
    "performance": Part("monitoring:PerformanceOperator", {"collected": "collect"}),
    # Labels may not have landed yet, in which case performance is skipped and the others decide.
    "decide": Part(
        "monitoring:DecideRetrainingOperator",
        {
            "collected": "collect",
            "quality": "data_quality",
            "drift": "drift",
            "performance": "performance",
        },
        rule="none_failed_min_one_success",
    ),
    "request_retraining": Part("announce:AnnounceOperator", {"value": "decide"}, runs_step=False),
}
