"""The routing table: who answers now. Replaced whole, never changed, so a request sees one of them."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlops.core.values import Role, RolloutMode
from airflow_mlops.gateway.batching import Batcher
from airflow_mlops.gateway.observations import Stage


@dataclass(frozen=True, slots=True, eq=False)
class RoutingTable:
    """Each request takes the table once and keeps it to its end, and so keeps the models in it alive.

    ``stage`` holds the counters of the rollout's stage: a request that outlives a traffic change
    counts into the stage that it began in. ``role`` is what the one version of a process is to those who
    share the requests with it; in a process of its own it is served as ``champion``.
    """

    champion: Batcher | None = None
    challenger: Batcher | None = None
    mode: RolloutMode = "none"
    weight: float = 0.0
    rollout_id: str | None = None
    stage: Stage | None = None
    role: Role = "champion"
