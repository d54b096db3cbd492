"""What the endpoint saw, in short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone

import pytest

from airflow_mlops.core.latencies import BUCKETS, bucket
from airflow_mlops.core.values import ArmObservation, Observation, RolloutMode

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
Arm = Callable[..., ArmObservation]
Seen = Callable[..., Observation]


@pytest.fixture(scope="session")
def arm() -> Arm:
    """An arm whose calls are rows, or are given; latencies as seconds and how many calls took them."""

    def make(
        version: str,
        rows: int,
        errors: int = 0,
        *,
        p99: float | None = None,
        calls: tuple[int, int] | None = None,
        latencies: Sequence[tuple[float, int]] = (),
    ) -> ArmObservation:
        counts = [0] * BUCKETS
        for seconds, number in latencies:
            counts[bucket(seconds)] += number
        return ArmObservation(
            version,
            rows,
            errors,
            latency_p50_seconds=p99,
            latency_p99_seconds=p99,
            calls=None if calls is None else calls[0],
            failed_calls=None if calls is None else calls[1],
            latencies=tuple(counts) if latencies else (),
        )

    return make


@pytest.fixture(scope="session")
def seen(arm: Arm) -> Seen:
    """A stage: if nothing is said, a canary of 10 % whose champion answered the rest without an error."""

    def make(
        challenger: ArmObservation | None,
        champion: ArmObservation | None = None,
        *,
        mode: RolloutMode = "canary",
        weight: float | None = None,
        disagreements: int | None = 0,
        edges: Sequence[float] = (),
    ) -> Observation:
        if champion is None:
            rows = 0 if challenger is None else challenger.rows
            champion = arm("3", 9 * rows if mode == "canary" else rows)
        weight = (0.1 if mode == "canary" else 0.0) if weight is None else weight
        return Observation(
            "flight_delay-v4", mode, weight, NOW, champion, challenger, disagreements, tuple(edges)
        )

    return make
