"""Bring up: have the target start a version beside the champion, and say how far that is."""

from __future__ import annotations

from datetime import datetime

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import Deployment, ModelRef, RunInfo
from airflow_mlops.core.waiting import too_late
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.requests import BringUpRequest


def bring_up(request: BringUpRequest, backends: Backends) -> Deployment:
    """Ask once. Ready also where there is nothing left to wait for: the target has refused the version, or
    ``deploy.deadline`` is over. What is to be made of that, whoever uses the version finds out."""
    try:
        deployment = backends.serving.deploy(request.rollout_id, request.candidate)
    except ModelRefused as error:
        return Deployment(True, f"refused: {error}")
    late = None if deployment.ready else why_late(request.candidate, request.config, request.run, backends)
    return deployment if late is None else Deployment(True, f"not up {late}: {deployment.said}")


def why_late(candidate: ModelRef, config: ModelConfig, run: RunInfo, backends: Backends) -> str | None:
    """Why it is no longer waited for a version to come up; None before ``deploy.deadline``, which counts from
    when its rollout was taken, or its reversal intended: a retry does not move that."""
    since = _begun_at(candidate, config, backends) or run.now
    return too_late(since, run.now, Period.parse(config.deploy.deadline))


def _begun_at(candidate: ModelRef, config: ModelConfig, backends: Backends) -> datetime | None:
    begun = ("rollout_taken", "reversal_intended")
    entries = backends.ledger.entries(config.model)
    found = (entry.at for entry in entries if entry.kind in begun and entry.subject == candidate.version)
    return max(found, default=None)
