"""A server of one version: it follows no alias and moves no traffic, for a router splits the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_mlops.exceptions import MlopsError
from airflow_mlops.gateway.control import TrafficControl
from airflow_mlops.gateway.observations import Stage
from airflow_mlops.gateway.state import TrafficState

_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class NoFiles:
    """In place of the traffic's files: the version is an option of the process, and nothing is kept."""

    def load(self) -> TrafficState:
        return TrafficState()

    def save(self, state: TrafficState) -> None:
        """Nothing to write."""

    def load_stage(self, state: TrafficState) -> Stage | None:  # noqa: ARG002 (there are no stages here)
        return None

    def save_stage(self, stage: dict[str, Any]) -> None:
        """Nothing to write."""


class OneVersion:
    """Loads the version, and loads it again while the registry is away. ``refusal`` is set, and ``give_up``
    called, where it can never be served: the process then ends, so that whoever started it can see why."""

    def __init__(self, version: str, control: TrafficControl, pause_seconds: float) -> None:
        self.refusal: MlopsError | None = None
        self.give_up: Callable[[], None] = lambda: None
        self._version = version
        self._control = control
        self._pause_seconds = pause_seconds

    async def load(self) -> None:
        pause = self._pause_seconds
        while True:
            try:
                return await self._control.follow(self._version)
            except MlopsError as error:
                self._control.problems["champion"] = str(error)
                if not error.retry_can_help:
                    self.refusal = error
                    return self.give_up()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
