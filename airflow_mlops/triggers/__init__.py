"""Waits and watches that run in the triggerer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.triggers.deployment import DeploymentTrigger
    from airflow_mlops.triggers.files import NewFilesTrigger
    from airflow_mlops.triggers.ledger import LedgerTrigger
    from airflow_mlops.triggers.model_version import ModelVersionTrigger
    from airflow_mlops.triggers.rollout_end import RolloutEndTrigger
    from airflow_mlops.triggers.rollout_stage import RolloutStageTrigger

__all__ = [
    "DeploymentTrigger",
    "LedgerTrigger",
    "ModelVersionTrigger",
    "NewFilesTrigger",
    "RolloutEndTrigger",
    "RolloutStageTrigger",
]

_MODULES = {
    "DeploymentTrigger": "deployment",
    "LedgerTrigger": "ledger",
    "ModelVersionTrigger": "model_version",
    "NewFilesTrigger": "files",
    "RolloutEndTrigger": "rollout_end",
    "RolloutStageTrigger": "rollout_stage",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
