"""The wait for a serving target that brings a version up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import Deployment
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.hooks.backends import connect_backends
from airflow_mlops.steps.bring_up import bring_up, why_late
from airflow_mlops.steps.requests import BringUpRequest
from airflow_mlops.triggers.events import ResumingTrigger


@dataclass(frozen=True, slots=True)
class DeploymentWatch:
    """A version that is coming up."""

    request: BringUpRequest

    @classmethod
    def begin(cls, request: Mapping[str, Any]) -> DeploymentWatch:
        """From a request in JSON values."""
        return cls(TypeAdapter(BringUpRequest).validate_json(json.dumps(dict(request))))

    def connect(self) -> Backends:
        """The backends that ``look`` needs; connections are resolved in the process that looks."""
        return connect_backends(self.request.config, needs_serving=True)

    def look(self, backends: Backends, now: datetime) -> Deployment:
        """Ask once. A target that is away is asked again until the deadline, and then raises
        ``BackendUnavailable``."""
        request = replace(self.request, run=replace(self.request.run, now=now))
        try:
            return bring_up(request, backends)
        except BackendUnavailable as error:
            if why_late(request.candidate, request.config, request.run, backends) is not None:
                raise
            return Deployment(False, str(error))


class DeploymentTrigger(ResumingTrigger):
    """Asks a serving target from the triggerer until a version is up. It carries the request and connection
    ids, never a secret."""

    arguments = ("request", "poll_interval", "resume")

    def __init__(
        self, *, request: dict[str, Any], poll_interval: float, resume: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.request = request
        self.poll_interval = poll_interval
        self.resume = resume

    async def _watch(self) -> Mapping[str, Any]:
        """``{"said": ...}``. It sleeps before the first look, as ``RolloutStageTrigger`` does, and for its
        reason."""
        watch = DeploymentWatch.begin(self.request)
        backends = await asyncio.to_thread(watch.connect)
        while True:
            await asyncio.sleep(self.poll_interval)
            found = await asyncio.to_thread(watch.look, backends, datetime.now(timezone.utc))
            if found.ready:
                return {"said": found.said}
