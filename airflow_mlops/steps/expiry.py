"""Expiry: when a challenger was judged, so that old evidence is not acted on."""

from __future__ import annotations

from datetime import datetime

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.evidence import expired
from airflow_mlops.core.values import Rollout, RunInfo


def why_expired(rollout: Rollout, config: ModelConfig, run: RunInfo, backends: Backends) -> str | None:
    """Why a rollout's evidence is too old to act on; None where it is not, or may be of any age."""
    limit = config.gates.evidence_expires
    if limit is None:
        return None
    return expired(_evaluated_at(rollout, config, backends), run.now, limit)


def _evaluated_at(rollout: Rollout, config: ModelConfig, backends: Backends) -> datetime | None:
    """When the gates last judged the model of a rollout."""
    return max(
        (
            entry.at
            for entry in backends.ledger.entries(config.model)
            if entry.kind == "gated" and entry.subject == rollout.training.run_id
        ),
        default=None,
    )
