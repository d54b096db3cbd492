"""Sensors on the ledger and on MLflow's registry."""

from __future__ import annotations

from airflow_mlops.sensors.ledger import PendingChallengerSensor, RetrainRequestSensor, RolloutSensor
from airflow_mlops.sensors.model_version import ModelVersionSensor

__all__ = ["ModelVersionSensor", "PendingChallengerSensor", "RetrainRequestSensor", "RolloutSensor"]
