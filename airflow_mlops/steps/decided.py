"""What was decided about a rollout, and what the ledger says of it now."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.standing import Standing, required_stages, standing_of
from airflow_mlops.core.values import ModelRef, Rollout


def stages_of(
    config: ModelConfig,
    champion: ModelRef | None,
    *,
    shadow: bool | None = None,
    weights: Sequence[float] | None = None,
    approval: bool | None = None,
) -> tuple[str, ...]:
    """The stages that a rollout must pass: as is said here, and for what that leaves open by the YAML."""
    deploy = config.deploy
    return required_stages(
        approval=bool(deploy.approval) if approval is None else approval,
        shadow=deploy.shadows if shadow is None else shadow,
        weights=deploy.weights if weights is None else weights,
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
