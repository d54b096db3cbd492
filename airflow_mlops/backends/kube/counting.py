"""Where a stage's counters are read, from the pods or from Prometheus, and the ConfigMap they are kept in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from airflow_mlops.backends.kube.api import CONFIG_MAPS, PODS, Forbidden, KubeApi, KubeRefused, Object
from airflow_mlops.backends.kube.counts import (
    ERRORS,
    REQUESTS,
    ROWS,
    SECONDS,
    STARTED,
    ProcessCounts,
    StageCounts,
    process_counts,
    samples_of,
)
from airflow_mlops.backends.kube.pods import Names
from airflow_mlops.backends.kube.progress import running
from airflow_mlops.backends.kube.settings import PodSettings
from airflow_mlops.backends.kube.words import refused
from airflow_mlops.backends.prometheus import Prometheus
from airflow_mlops.exceptions import BackendUnavailable, ConfigError

_KEY = "stage.json"


class Source(Protocol):
    """Reads the counters of the running pods of a version."""

    def read(self, version: str, pods: Sequence[Object]) -> list[ProcessCounts]:
        """Of those that answer. Raises ``BackendUnavailable`` where we may not ask, or Prometheus is away."""


@dataclass(frozen=True, slots=True)
class PodSource:
    """Asks each pod for its metrics, through the API server."""

    api: KubeApi
    settings: PodSettings

    def read(self, version: str, pods: Sequence[Object]) -> list[ProcessCounts]:
        found = []
        for pod in pods:
            name = pod["metadata"]["name"]
            try:
                page = self.api.ask_pod(self.settings.namespace, name, self.settings.port, "GET", "/metrics")
                if page.status_code == 200:
                    found.append(process_counts(version, name, samples_of(page.text)))
            except Forbidden:
                raise
            except (KubeRefused, BackendUnavailable, ValueError):
                continue  # It has gone, or does not answer: who asks finds it missing.
        return found


@dataclass(frozen=True, slots=True)
class PrometheusSource:
    """Asks a Prometheus that scrapes the pods, with their ``namespace`` and ``pod`` as labels."""

    settings: PodSettings
    prometheus: Prometheus

    def read(self, version: str, pods: Sequence[Object]) -> list[ProcessCounts]:
        names = [pod["metadata"]["name"] for pod in pods]
        if not names:
            return []
        metrics = "|".join((ROWS, ERRORS, REQUESTS, SECONDS, STARTED))
        query = f'{{__name__=~"{metrics}",namespace="{self.settings.namespace}",pod=~"{"|".join(names)}"}}'
        try:
            found = self.prometheus.samples(query)
        except (BackendUnavailable, ConfigError) as error:
            raise type(error)(
                f"{error}. It is the one that deploy.target.prometheus_conn_id names"
            ) from error
        samples = [(one.labels["__name__"], one.labels, one.value) for one in found]
        return [
            process_counts(version, name, [one for one in samples if one[1].get("pod") == name])
            for name in names
            if any(one[1].get("pod") == name for one in samples)
        ]


class Counting:
    """The counters of the open stage. They are kept in a ConfigMap beside the route, so that another process
    goes on counting; where that is lost, the stage counts anew, which is slower and never wrong."""

    def __init__(self, api: KubeApi, settings: PodSettings, manifests: Names, source: Source) -> None:
        self._api = api
        self._settings = settings
        self._manifests = manifests
        self._source = source

    def begin(self, since: datetime, versions: Iterable[str]) -> None:
        """Note where the counters stand. Raises ``BackendUnavailable`` where a pod does not tell: what it
        has counted before would be counted again."""
        counted: list[ProcessCounts] = []
        for version in versions:
            pods = running(self._pods(version))
            found = self._source.read(version, pods)
            if silent := {pod["metadata"]["name"] for pod in pods} - {one.pod for one in found}:
                raise BackendUnavailable(
                    f"{', '.join(sorted(silent))} does not tell its metrics, so that no stage can begin to "
                    "count; repeat the change"
                )
            counted += found
        self._write(StageCounts.begin(since, counted))

    def look(self, since: datetime, versions: Sequence[str]) -> StageCounts:
        """What the stage has seen by now."""
        before = self._read()
        pods = {version: self._pods(version) for version in versions}
        counted = [one for version in versions for one in self._source.read(version, running(pods[version]))]
        if before is None or before.since != since:
            now = StageCounts.begin(since, counted)
        else:
            alive = {pod["metadata"]["name"] for found in pods.values() for pod in found}
            now = before.look(counted, alive)
        if now != before:
            self._write(now)
        return now

    def end(self) -> None:
        self._api.delete(CONFIG_MAPS, self._settings.namespace, self._settings.base)

    def _pods(self, version: str) -> list[Object]:
        return self._api.find(PODS, self._settings.namespace, self._manifests.selector(version))

    def _read(self) -> StageCounts | None:
        found = self._api.get(CONFIG_MAPS, self._settings.namespace, self._settings.base)
        try:
            return None if found is None else StageCounts.from_json(json.loads(found["data"][_KEY]))
        except (KeyError, TypeError, ValueError):
            return None

    def _write(self, counts: StageCounts) -> None:
        metadata = {"name": self._settings.base, "labels": self._manifests.labels}
        body = {"metadata": metadata, "data": {_KEY: json.dumps(counts.to_json())}}
        try:
            # Whatever stands there is of no use to anybody else.
            self._api.apply(CONFIG_MAPS, self._settings.namespace, body, force=True)
        except KubeRefused as error:
            raise refused(error, f"ConfigMap {self._settings.namespace}/{self._settings.base}") from error


def counting(api: KubeApi, settings: PodSettings, manifests: Names) -> Counting:
    """The counting that the settings ask for."""
    source: Source = PodSource(api, settings)
    if settings.prometheus is not None:
        source = PrometheusSource(settings, Prometheus(settings.prometheus))
    return Counting(api, settings, manifests, source)
