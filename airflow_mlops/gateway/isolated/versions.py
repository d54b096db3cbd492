"""A process per version: started, waited for, started again when it crashes, ended when unused."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import httpx

from airflow_mlops.backends.plain_json import plain_rows
from airflow_mlops.core.values import ColumnKind, TaskKind
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused
from airflow_mlops.gateway.isolated.child import Serve, run_version
from airflow_mlops.gateway.isolated.forks import Forks
from airflow_mlops.gateway.models import ModelLoader
from airflow_mlops.gateway.settings import Settings

_LOAD_SECONDS = 110.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_END_SECONDS = 40.0


@dataclass(eq=False)
class Child:
    """One version's process. ``part`` is what it was told to be, to be told again after a crash."""

    version: str
    address: Path
    client: httpx.Client
    process: BaseProcess
    told: Connection
    ready: bool = False
    crashes: int = 0
    pause_seconds: float = _FIRST_PAUSE_SECONDS
    retry_at: float = 0.0
    ready_since: float = 0.0
    problem: str | None = None
    part: dict[str, Any] = field(default_factory=dict)
    unused_since: float | None = None


@dataclass(frozen=True, slots=True)
class FarModel:
    """A version in another process, as the control process sees it."""

    columns: Mapping[str, ColumnKind]
    task: TaskKind | None
    version: str
    client: httpx.Client

    def predict(self, features: Any) -> Any:
        """Answers by the process's own smoke test. Raises ``ModelRefused`` with its reason."""
        body = {"version": self.version, "rows": plain_rows(features.to_dict("records"))}
        answer = self.client.post("/admin/smoke", json=body, timeout=_LOAD_SECONDS)
        if answer.status_code != 200:
            raise ModelRefused(str(answer.json().get("detail", answer.text)))
        return answer.json()["predictions"]


class Versions:
    """The ``ModelLoader`` of an isolated server: to load a version is to bring its process up.

    A thread of its own looks after the processes. Calls block.
    """

    def __init__(
        self, settings: Settings, loader: ModelLoader, folder: Path, forks: Forks, serve: Serve
    ) -> None:
        self._own = replace(
            settings, isolated=False, token=None, tls=None, host="127.0.0.1", log=_no_compaction(settings)
        )
        self._loader = loader
        self._folder = folder
        self._forks = forks
        self._serve = serve
        self._children: dict[str, Child] = {}
        self._numbers = itertools.count(1)
        self._changing = threading.RLock()
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="versions", daemon=True)
        self._watcher.start()

    def champion_version(self) -> str | None:
        return self._loader.champion_version()

    def load(self, version: str) -> FarModel:
        """Raises ``ModelRefused`` for a version that is refused or ends its process while it loads, and
        ``BackendUnavailable`` where the registry is away."""
        with self._changing:
            child = self._children.get(version)
            if child is not None:
                child.unused_since = None
        if child is None or not child.ready:
            child = self._bring_up(version)
        said = child.client.get("/admin/signature").raise_for_status().json()
        return FarModel(said["columns"], said["task"], version, child.client)

    def addresses(self) -> dict[str, Path]:
        """Where each version's process listens, also one that is being started again."""
        with self._changing:
            return {_cluster(version): child.address for version, child in self._children.items()}

    def answers(self, version: str) -> bool:
        child = self._children.get(version)
        return child is not None and child.ready

    def problems(self) -> dict[str, str]:
        children = list(self._children.values())
        return {f"version {one.version}": one.problem for one in children if one.problem is not None}

    def take_part(self, version: str, part: dict[str, Any]) -> None:
        """Tell a version what it is; one that is down is told when it is up again. Raises
        ``BackendUnavailable`` where it has been ended."""
        child = self._children.get(version)
        if child is None:
            raise BackendUnavailable(f"Version {version} has no process any more; repeat the change.")
        child.part = part
        if child.ready:
            self._tell(child)

    def counted(self, version: str) -> dict[str, Any] | None:
        """What the version's process has counted since it was asked last; None where it is down."""
        child = self._children.get(version)
        if child is None or not child.ready:
            return None
        try:
            found: dict[str, Any] | None = child.client.post("/admin/counts").json()["counted"]
        except httpx.HTTPError:
            return None
        return found

    def flush(self) -> int:
        rows = 0
        for child in [one for one in list(self._children.values()) if one.ready]:
            try:
                rows += int(child.client.post("/admin/flush").json()["rows_written"])
            except httpx.HTTPError:
                continue  # it is down; what it had on disk is there
        return rows

    def unused(self, used: Collection[str], *, linger_seconds: float) -> list[str]:
        """Versions that have been unused for so long. A request may still be on its way to one before."""
        now, found = time.monotonic(), []
        for version, child in list(self._children.items()):
            if version in used:
                child.unused_since = None
            elif child.unused_since is None:
                child.unused_since = now
            elif now - child.unused_since >= linger_seconds:
                found.append(version)
        return found

    def end(self, version: str) -> None:
        """End a version's process when it has answered what is under way; not one that has been asked for
        since it was found unused."""
        with self._changing:
            child = self._children.get(version)
            if child is None or child.unused_since is None:
                return
            del self._children[version]
        _end([child])

    def stop(self) -> None:
        self._ending.set()
        self._watcher.join()
        with self._changing:
            children = list(self._children.values())
            self._children.clear()
        _end(children)

    def _bring_up(self, version: str) -> Child:
        with self._changing:
            child = self._children.pop(version, None)
        if child is not None:
            _kill(child)
        child = self._start(version)
        try:
            self._wait(child)
        except BaseException:
            _kill(child)
            raise
        with self._changing:
            self._children[version] = child
        return child

    def _start(self, version: str) -> Child:
        address = self._folder / f"{next(self._numbers)}.sock"
        client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(address)), base_url="http://version", timeout=10
        )
        process, told = self._fork(version, address)
        return Child(version, address, client, process, told)

    def _fork(self, version: str, address: Path) -> tuple[BaseProcess, Connection]:
        told, telling = self._forks.pipe()
        settings = replace(self._own, version=version)
        process = self._forks.start(
            f"version-{version}", run_version, self._serve, settings, self._loader, address, telling
        )
        telling.close()
        return process, told

    def _wait(self, child: Child) -> None:
        deadline = time.monotonic() + _LOAD_SECONDS
        while not (said := _ready(child))["ready"]:
            if not child.process.is_alive():
                raise _ended(child)
            if reason := said["problems"].get("champion"):
                raise ModelRefused(reason) if said.get("refused") else BackendUnavailable(reason)
            if time.monotonic() > deadline or self._ending.is_set():
                raise BackendUnavailable(
                    f"Version {child.version} was not ready after {_LOAD_SECONDS:g} seconds."
                )
            time.sleep(0.01)
        child.ready, child.ready_since = True, time.monotonic()

    def _watch(self) -> None:
        while not self._ending.wait(0.05):
            for child in list(self._children.values()):
                try:
                    self._look_after(child)
                except Exception:
                    # A thread that ends here would leave every later crash as it is.
                    logging.getLogger(__name__).exception("Version %s is looked at again:", child.version)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process.is_alive():
            if not child.ready and _ready(child)["ready"]:
                self._tell(child)
                child.ready, child.ready_since, child.problem = True, now, None
            elif child.ready and now - child.ready_since > _STEADY_SECONDS:
                child.pause_seconds = _FIRST_PAUSE_SECONDS
        elif child.ready or not child.retry_at:
            child.ready = False
            child.crashes += 1
            child.retry_at = now + child.pause_seconds
            child.pause_seconds = min(2 * child.pause_seconds, _LONGEST_PAUSE_SECONDS)
            child.problem = f"{_how(child)}, the {child.crashes}. time; it is started again."
        elif now >= child.retry_at:
            child.retry_at = 0.0
            with self._changing:
                if self._children.get(child.version) is child:
                    child.process, child.told = self._fork(child.version, child.address)

    def _tell(self, child: Child) -> None:
        if child.part:
            try:
                child.client.put("/admin/part", json=child.part).raise_for_status()
            except httpx.TransportError:
                return  # it has crashed, and is told when it is up again


def _cluster(version: str) -> str:
    return f"v{version}"


def _ready(child: Child) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], child.client.get("/ready").json())
    except (httpx.HTTPError, ValueError):
        return {"ready": False, "problems": {}}


def _ended(child: Child) -> Exception:
    if child.told.poll():
        try:
            retry_can_help, reason = child.told.recv()
        except EOFError:
            return ModelRefused(f"{_how(child)} while it was loading.")
        return BackendUnavailable(reason) if retry_can_help else ModelRefused(reason)
    return ModelRefused(f"{_how(child)} while it was loading.")


def _how(child: Child) -> str:
    code = child.process.exitcode
    by = f"signal {-code}" if code is not None and code < 0 else f"code {code}"
    return f"The process of version {child.version} ended by {by}"


def _end(children: Collection[Child]) -> None:
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + _END_SECONDS
    for child in children:
        child.process.join(max(0.0, deadline - time.monotonic()))
        child.process.kill()
        child.client.close()
        child.address.unlink(missing_ok=True)


def _kill(child: Child) -> None:
    child.process.kill()
    _end([child])


def _no_compaction(settings: Settings) -> Any:
    return replace(settings.log, compact_seconds=0)
