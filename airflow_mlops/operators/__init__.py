"""One operator per step of the loop, and the ones that hold a rollout together.

``from airflow_mlops.operators import TrainOperator`` imports that operator's module and no other: the
approval and the review bring Airflow's human-in-the-loop operators with them, and the request for training
Airflow's database models, which every task would pay for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.operators.announce import AnnounceOperator
    from airflow_mlops.operators.approval import ApproveRolloutOperator
    from airflow_mlops.operators.canary import DeployCanaryOperator
    from airflow_mlops.operators.causes import AnnounceCauseOperator, TakeCausesOperator
    from airflow_mlops.operators.conclude import ConcludeRolloutOperator
    from airflow_mlops.operators.monitoring import (
        CollectOperator,
        DataQualityOperator,
        DecideRetrainingOperator,
        DriftOperator,
        PerformanceOperator,
    )
    from airflow_mlops.operators.preflight import (
        CheckContractsOperator,
        ModelTestsOperator,
        SampleRunOperator,
    )
    from airflow_mlops.operators.request_training import RequestTrainingOperator
    from airflow_mlops.operators.review import ReviewChallengerOperator
    from airflow_mlops.operators.rollback import (
        RollBackDecayedOperator,
        RollbackModelOperator,
        UndoRolloutOperator,
    )
    from airflow_mlops.operators.rollout import (
        AbReportOperator,
        PromoteModelOperator,
        SmokeServeOperator,
        TakeChallengerOperator,
    )
    from airflow_mlops.operators.scoring import ChoosePartitionsOperator, ScoreOperator
    from airflow_mlops.operators.stages import CanaryStepOperator, ShadowOperator
    from airflow_mlops.operators.tell import TellFindingsOperator
    from airflow_mlops.operators.training import (
        EvaluateOperator,
        GateOperator,
        RegisterModelOperator,
        SnapshotOperator,
        TrainOperator,
        ValidateDataOperator,
    )
    from airflow_mlops.operators.tuning import ChooseParametersOperator, SearchParametersOperator

__all__ = [
    "AbReportOperator",
    "AnnounceCauseOperator",
    "AnnounceOperator",
    "ApproveRolloutOperator",
    "CanaryStepOperator",
    "CheckContractsOperator",
    "ChooseParametersOperator",
    "ChoosePartitionsOperator",
    "CollectOperator",
    "ConcludeRolloutOperator",
    "DataQualityOperator",
    "DecideRetrainingOperator",
    "DeployCanaryOperator",
    "DriftOperator",
    "EvaluateOperator",
    "GateOperator",
    "ModelTestsOperator",
    "PerformanceOperator",
    "PromoteModelOperator",
    "RegisterModelOperator",
    "RequestTrainingOperator",
    "ReviewChallengerOperator",
    "RollBackDecayedOperator",
    "RollbackModelOperator",
    "SampleRunOperator",
    "ScoreOperator",
    "SearchParametersOperator",
    "ShadowOperator",
    "SmokeServeOperator",
    "SnapshotOperator",
    "TakeCausesOperator",
    "TakeChallengerOperator",
    "TellFindingsOperator",
    "TrainOperator",
    "UndoRolloutOperator",
    "ValidateDataOperator",
]

_MODULES = {
    "announce": ("AnnounceOperator",),
    "approval": ("ApproveRolloutOperator",),
    "canary": ("DeployCanaryOperator",),
    "causes": ("AnnounceCauseOperator", "TakeCausesOperator"),
    "conclude": ("ConcludeRolloutOperator",),
    "request_training": ("RequestTrainingOperator",),
    "review": ("ReviewChallengerOperator",),
    "rollback": ("RollBackDecayedOperator", "RollbackModelOperator", "UndoRolloutOperator"),
    "rollout": (
        "AbReportOperator",
        "PromoteModelOperator",
        "SmokeServeOperator",
        "TakeChallengerOperator",
    ),
    "monitoring": (
        "CollectOperator",
        "DataQualityOperator",
        "DecideRetrainingOperator",
        "DriftOperator",
        "PerformanceOperator",
    ),
    "preflight": ("CheckContractsOperator", "ModelTestsOperator", "SampleRunOperator"),
    "scoring": ("ChoosePartitionsOperator", "ScoreOperator"),
    "stages": ("CanaryStepOperator", "ShadowOperator"),
    "tell": ("TellFindingsOperator",),
    "training": (
        "EvaluateOperator",
        "GateOperator",
        "RegisterModelOperator",
        "SnapshotOperator",
        "TrainOperator",
        "ValidateDataOperator",
    ),
    "tuning": ("ChooseParametersOperator", "SearchParametersOperator"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            # Kept under its name, where Python looks first: the factory asks for each task of each model.
            globals()[name] = found = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
