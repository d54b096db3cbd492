"""What was decided about a rollout, and what the ledger says of it now."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.standing import Standing, required_stages, standing_of
from airflow_mlops.core.values import ModelRef, Rollout
from airflow_mlops.steps.requests import TakeChallengerRequest


def stages_asked(request: TakeChallengerRequest, champion: ModelRef | None) -> tuple[str, ...]:
    """The stages that a rollout must pass: by its request, and for what that leaves open by its YAML."""
    deploy = request.config.deploy
    return required_stages(
        approval=bool(deploy.approval) if request.approval is None else request.approval,
        shadow=deploy.shadows if request.shadow is None else request.shadow,
        weights=deploy.weights if request.weights is None else request.weights,
        has_champion=champion is not None,
    )


def stages_of(config: ModelConfig, champion: ModelRef | None) -> tuple[str, ...]:
    """The stages that a rollout must pass by this configuration."""
    deploy = config.deploy
    return required_stages(
        approval=bool(deploy.approval),
        shadow=deploy.shadows,
        weights=deploy.weights,
        has_champion=champion is not None,
    )


def standing_now(config: ModelConfig, rollout: Rollout, backends: Backends) -> Standing:
    """Where a rollout stands."""
    return standing_of(
        backends.ledger.entries(config.model),
        rollout.candidate.version,
        stages=stages_of(config, rollout.champion),
        champion=rollout.champion.version if rollout.champion else None,
    )
