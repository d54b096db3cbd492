"""Sensors on the ledger, on a model's data and labels, and on MLflow's registry."""

from __future__ import annotations

from airflow_mlops.sensors.causes import DriftSensor, ModelAgeSensor, NewDataSensor, PerformanceSensor
from airflow_mlops.sensors.label_arrival import LabelArrivalSensor
from airflow_mlops.sensors.ledger import PendingChallengerSensor, RetrainRequestSensor, RolloutSensor
from airflow_mlops.sensors.model_version import ModelVersionSensor

__all__ = [
    "DriftSensor",
    "LabelArrivalSensor",
    "ModelAgeSensor",
    "ModelVersionSensor",
    "NewDataSensor",
    "PendingChallengerSensor",
    "PerformanceSensor",
    "RetrainRequestSensor",
    "RolloutSensor",
]
