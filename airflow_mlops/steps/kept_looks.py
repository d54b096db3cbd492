"""Kept looks: what a stage of a rollout was last found to be like, for whoever looks next.

A stage may last for weeks and is looked at from several processes. What costs more than a question to the
endpoint is asked seldom, and its answer waits in the store below ``rollouts/<model>/<rollout>/<stage>``.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.quality import QualityLook
from airflow_mlops.core.queries import Reading
from airflow_mlops.steps.requests import StageRequest

_QUALITY = TypeAdapter(QualityLook)
_READINGS = TypeAdapter(dict[str, Reading])


def kept_quality(request: StageRequest, backends: Backends) -> QualityLook | None:
    """The last look at the labels of this stage, if there was one."""
    body = _kept(request, "quality", backends)
    return None if body is None else _QUALITY.validate_json(body)


def keep_quality(request: StageRequest, look: QualityLook, backends: Backends) -> None:
    """Put a look into the place of the one before."""
    backends.store.put(_key(request, "quality"), _QUALITY.dump_json(look))


def kept_readings(request: StageRequest, backends: Backends) -> dict[str, Reading]:
    """The last reading of each business metric of this stage, by name."""
    body = _kept(request, "metrics", backends)
    return {} if body is None else _READINGS.validate_json(body)


def keep_readings(request: StageRequest, readings: Mapping[str, Reading], backends: Backends) -> None:
    """Put readings into the place of those before."""
    backends.store.put(_key(request, "metrics"), _READINGS.dump_json(dict(readings)))


def _kept(request: StageRequest, what: str, backends: Backends) -> bytes | None:
    try:
        return backends.store.get(_key(request, what))
    except KeyError:
        return None


def _key(request: StageRequest, what: str) -> str:
    stage = request.mode if request.mode == "shadow" else f"{request.mode}-{request.weight:g}"
    return f"rollouts/{request.config.model}/{request.rollout.id}/{stage}/{what}.json"
