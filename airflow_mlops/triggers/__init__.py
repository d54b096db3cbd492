"""Waits and watches that run in the triggerer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.triggers.age import ModelAgeTrigger
    from airflow_mlops.triggers.causes import CauseTrigger
    from airflow_mlops.triggers.deployment import DeploymentTrigger
    from airflow_mlops.triggers.files import NewFilesTrigger
    from airflow_mlops.triggers.ledger import LedgerTrigger
    from airflow_mlops.triggers.model_version import ModelVersionTrigger
    from airflow_mlops.triggers.pause import PauseTrigger
    from airflow_mlops.triggers.rollout_end import RolloutEndTrigger
    from airflow_mlops.triggers.rollout_stage import RolloutStageTrigger

__all__ = [
    "CauseTrigger",
    "DeploymentTrigger",
    "LedgerTrigger",
    "ModelAgeTrigger",
    "ModelVersionTrigger",
    "NewFilesTrigger",
    "PauseTrigger",
    "RolloutEndTrigger",
    "RolloutStageTrigger",
]

_MODULES = {
    "CauseTrigger": "causes",
    "DeploymentTrigger": "deployment",
    "LedgerTrigger": "ledger",
    "ModelAgeTrigger": "age",
    "ModelVersionTrigger": "model_version",
    "NewFilesTrigger": "files",
    "PauseTrigger": "pause",
    "RolloutEndTrigger": "rollout_end",
    "RolloutStageTrigger": "rollout_stage",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
