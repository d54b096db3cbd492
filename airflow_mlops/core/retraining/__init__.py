"""The retraining policy: pure rules on what monitoring saw and what became of earlier trainings."""

from __future__ import annotations

from airflow_mlops.core.retraining.cause_check import CauseCheck, check_causes
from airflow_mlops.core.retraining.deciding import Decision, Situation, decide, let_through
from airflow_mlops.core.retraining.history import Asked, History, OpenRollout, State, Training, history_of
from airflow_mlops.core.retraining.policy import SEEN, Cause, Policy, Quiet
from airflow_mlops.core.retraining.signals import WindowSignals
from airflow_mlops.core.retraining.standing_causes import NOTHING_KNOWN, Made, standing_causes

__all__ = [
    "NOTHING_KNOWN",
    "SEEN",
    "Asked",
    "Cause",
    "CauseCheck",
    "Decision",
    "History",
    "Made",
    "OpenRollout",
    "Policy",
    "Quiet",
    "Situation",
    "State",
    "Training",
    "WindowSignals",
    "check_causes",
    "decide",
    "history_of",
    "let_through",
    "standing_causes",
]
