"""Bring up: have the target start a version beside the champion, and say how far that is."""

from __future__ import annotations

from datetime import datetime

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import Deployment, Rollout, RunInfo
from airflow_mlops.core.waiting import too_late
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.requests import RolloutRequest


def bring_up(request: RolloutRequest, backends: Backends) -> Deployment:
    """Ask once. Ready also where there is nothing left to wait for: the target has refused the version, or
    ``deploy.deadline`` is over. What is to be made of that, whoever uses the version finds out."""
    rollout = request.rollout
    try:
        deployment = backends.serving.deploy(rollout.id, rollout.candidate)
    except ModelRefused as error:
        return Deployment(True, f"refused: {error}")
    if not deployment.ready and (late := why_late(rollout, request.config, request.run, backends)):
        return Deployment(True, f"{late}: {deployment.said}")
    return deployment


def why_late(rollout: Rollout, config: ModelConfig, run: RunInfo, backends: Backends) -> str | None:
    """Why it is no longer waited for a rollout's version to come up; None before ``deploy.deadline``."""
    since = _begun_at(rollout, config, backends) or run.now
    return too_late(since, run.now, Period.parse(config.deploy.deadline))


def _begun_at(rollout: Rollout, config: ModelConfig, backends: Backends) -> datetime | None:
    """When the rollout, or the reversal, of this version was last begun: a retry does not move it."""
    return max(
        (
            entry.at
            for entry in backends.ledger.entries(config.model)
            if entry.kind in ("rollout_taken", "reversal_intended")
            and entry.subject == rollout.candidate.version
        ),
        default=None,
    )
