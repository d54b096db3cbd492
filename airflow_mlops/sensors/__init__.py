"""Sensors on the ledger."""

from __future__ import annotations

from airflow_mlops.sensors.ledger import PendingChallengerSensor, RetrainRequestSensor

__all__ = ["PendingChallengerSensor", "RetrainRequestSensor"]
