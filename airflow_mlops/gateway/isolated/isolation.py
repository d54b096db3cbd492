"""The versions' processes and Envoy, as the control process steers them."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from airflow_mlops.exceptions import BackendUnavailable, MlopsError
from airflow_mlops.gateway.isolated.child import PRELOAD_REGISTRY, Serve
from airflow_mlops.gateway.isolated.envoy import Envoy
from airflow_mlops.gateway.isolated.envoy_config import CONTROL, Split
from airflow_mlops.gateway.isolated.folder import CONTROL_SOCKET, SocketFolder
from airflow_mlops.gateway.isolated.forks import Forks
from airflow_mlops.gateway.isolated.versions import Versions
from airflow_mlops.gateway.models import ModelLoader, RegistryLoader
from airflow_mlops.gateway.observations import Arm
from airflow_mlops.gateway.routing import RoutingTable
from airflow_mlops.gateway.settings import Settings

_LINGER_SECONDS = 1.0


class Isolation:
    """Everything beside the control process, from before it starts until after it has ended.

    All sockets but Envoy's public one are in a folder that only this user may enter; the admin routes are
    reached through Envoy, with the token. ``serve`` is what a version's process runs.
    """

    def __init__(self, settings: Settings, loader: ModelLoader, serve: Serve) -> None:
        self.failure: str | None = None
        forks = Forks(*(PRELOAD_REGISTRY if isinstance(loader, RegistryLoader) else ()))
        self._folder = SocketFolder()
        self._control = self._folder.path / CONTROL_SOCKET
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self._control))
        self.listening.listen(2_048)
        self._envoy = Envoy(settings, self._folder.path, forks)
        self.loader = Versions(settings, loader, self._folder.path, forks, serve)
        # Envoy speaks TLS to the callers, and plain HTTP to the control process, on its socket.
        self.own_settings = replace(settings, tls=None)
        self._table = RoutingTable()
        self._lost: dict[str, int] = {}
        self._problem: str | None = None
        self._routing, self._gathering = asyncio.Lock(), asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._started = threading.Event()

    def __enter__(self) -> Isolation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._envoy.stop()
        self.loader.stop()
        self.listening.close()
        self._folder.remove()

    async def start(self) -> None:
        """Bring Envoy up; until there is a champion the control process answers all requests."""
        try:
            await asyncio.to_thread(self._envoy.start, self._addresses(), Split())
        except MlopsError as error:
            self.failure = str(error)
            raise
        finally:
            self._started.set()
        self._watching = asyncio.create_task(self._watch())

    def wait_started(self) -> None:
        """Raises ``BackendUnavailable`` where Envoy does not come up."""
        self._started.wait()
        if self.failure is not None:
            raise BackendUnavailable(self.failure)

    async def drain(self) -> None:
        """Take no new connections."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        try:
            await asyncio.to_thread(self._envoy.drain)
        except httpx.HTTPError:
            return  # it has ended already

    async def route(self, table: RoutingTable) -> None:
        """Versions are told what they are, then Envoy whom to ask; both are read back."""
        async with self._routing:
            try:
                await asyncio.to_thread(self._tell, table)
                await asyncio.to_thread(self._envoy.route, self._addresses(), _split(table))
            except (MlopsError, httpx.HTTPError) as error:
                await asyncio.to_thread(self._put_back)
                raise BackendUnavailable(f"Traffic stays as it was: {error}") from error
            self._table = table
            self._lost = await asyncio.to_thread(self._lost_now, table)

    async def gather(self, table: RoutingTable) -> None:
        """Add to the stage what its versions have counted, and requests that a process died on."""
        async with self._gathering:
            stage = table.stage
            if stage is None:
                return
            stage.disagreements = None
            lost = await asyncio.to_thread(self._lost_now, table)
            for arm in (stage.champion, stage.challenger):
                counted = await asyncio.to_thread(self.loader.counted, arm.version)
                if counted is not None:
                    arm.add(Arm.from_json(counted))
                now = lost.get(arm.version, 0)
                # Envoy counts from naught when it is started again.
                for _ in range(now - self._lost.get(arm.version, 0)):
                    arm.failed(1)
                self._lost[arm.version] = now

    async def end_unused(self, table: RoutingTable, held: set[str]) -> None:
        """End versions that nothing routes to, once Envoy has let go of them."""
        serving = {one.model.version for one in (table.champion, table.challenger) if one is not None}
        unused = self.loader.unused(serving | held, linger_seconds=_LINGER_SECONDS)
        async with self._routing:
            for version in unused:
                addresses = {name: at for name, at in self._addresses().items() if name != f"v{version}"}
                await asyncio.to_thread(self._envoy.route, addresses, _split(self._table))
                await asyncio.to_thread(self.loader.end, version)

    def answers(self, version: str) -> bool:
        return self.loader.answers(version)

    def problems(self) -> dict[str, str]:
        own = {} if self._problem is None else {"envoy": self._problem}
        return {**own, **self.loader.problems()}

    def flush(self) -> int:
        return self.loader.flush()

    def _addresses(self) -> dict[str, Path]:
        return {**self.loader.addresses(), CONTROL: self._control}

    def _put_back(self) -> None:
        try:
            self._envoy.route(self._addresses(), _split(self._table))
            self._tell(self._table)
        except (MlopsError, httpx.HTTPError) as error:
            self._problem = str(error)

    def _tell(self, table: RoutingTable) -> None:
        since = None if table.stage is None else table.stage.since.isoformat()
        part: dict[str, Any] = {
            "mode": table.mode, "weight": table.weight, "rollout_id": table.rollout_id, "since": since
        }  # fmt: skip
        if table.champion is not None:
            self.loader.take_part(table.champion.model.version, {**part, "role": "champion"})
        if table.challenger is not None:
            role = "shadow" if table.mode == "shadow" else "challenger"
            self.loader.take_part(table.challenger.model.version, {**part, "role": role})

    def _lost_now(self, table: RoutingTable) -> dict[str, int]:
        versions = [one.model.version for one in (table.champion, table.challenger) if one is not None]
        try:
            return {version: self._envoy.lost(f"v{version}") for version in versions}
        except (httpx.HTTPError, ValueError):
            return dict(self._lost)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            said = self._envoy.restart_if_ended()
            if said is not None:
                self._problem = said
                self._lost = {}
            elif self._problem is not None and await asyncio.to_thread(self._envoy.does_as_told):
                self._problem = None


def _split(table: RoutingTable) -> Split:
    if table.champion is None:
        return Split()
    challenger = None if table.challenger is None else f"v{table.challenger.model.version}"
    return Split(f"v{table.champion.model.version}", challenger, table.mode, table.weight, table.rollout_id)
