"""The pods of a model's versions: found, asked, and their last words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx

from airflow_mlops.backends.kube.api import PODS, KubeApi, KubeRefused, Object
from airflow_mlops.backends.kube.progress import Stuck, ready, stuck
from airflow_mlops.backends.kube.settings import PodSettings
from airflow_mlops.backends.plain_json import plain_rows
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused

MODEL_LABEL, VERSION_LABEL = "airflow-mlops/model", "airflow-mlops/version"
_LOG_LINES = 15


class Names(Protocol):
    """What a model's objects are known by."""

    @property
    def labels(self) -> dict[str, str]: ...
    def selector(self, version: str) -> dict[str, str]: ...


class Pods:
    """Servers of this package in pods, each of one version; ``container`` is the one that they run in."""

    def __init__(self, api: KubeApi, settings: PodSettings, names: Names, *, container: str) -> None:
        self._api = api
        self._settings = settings
        self._names = names
        self._container = container

    def of(self, version: str) -> list[Object]:
        return self._api.find(PODS, self._settings.namespace, self._names.selector(version))

    def check_not_stuck(self, version: str) -> None:
        """Raises ``ModelRefused`` where a pod of a version will not come up."""
        found = next(stuck(self.of(version), self._container), None)
        if found is not None:
            raise self.refusal(version, found)

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Predict rows by one of a version's pods, off the live path and not counted."""
        body = {"model": candidate.name, "version": candidate.version, "rows": plain_rows(rows)}
        answer = self._ask(candidate.version, "POST", "/admin/smoke", body)
        if answer.status_code == 422:
            raise ModelRefused(f"{candidate} refused the rows: {_sentence(_detail(answer))}")
        if answer.status_code != 200:
            raise BackendUnavailable(f"a pod of {candidate} answered {answer.status_code}: {_detail(answer)}")
        predictions: list[Any] = answer.json()["predictions"]
        return predictions

    def check_same_requests(self, champion: str, challenger: str) -> None:
        """Raises ``ModelRefused`` where the challenger needs what the champion's callers do not send."""
        theirs, ours = self._row(champion), self._row(challenger)
        if missing := sorted(set(ours.get("required", ())) - theirs.get("properties", {}).keys()):
            raise ModelRefused(
                f"Version {challenger} needs {', '.join(missing)}, which requests to version {champion} do "
                "not carry. Promote it by hand if that is meant."
            )

    def _row(self, version: str) -> Object:
        """The schema of a row in the version's own description of its API."""
        page = self._ask(version, "GET", "/openapi.json")
        if page.status_code != 200:
            raise BackendUnavailable(f"a pod of version {version} answered {page.status_code}")
        found: Object = page.json().get("components", {}).get("schemas", {}).get("Row", {})
        return found

    def _ask(self, version: str, method: str, path: str, body: Any = None) -> httpx.Response:
        for pod in ready(self.of(version)):
            try:
                return self._api.ask_pod(
                    self._settings.namespace,
                    pod["metadata"]["name"],
                    self._settings.port,
                    method,
                    path,
                    body,
                )
            except KubeRefused:
                continue  # It has gone since the list was made.
        raise BackendUnavailable(
            f"Version {version} of {self._settings.namespace}/{self._settings.base} has no pod that takes "
            "requests"
        )

    def refusal(self, version: str, stuck: Stuck) -> ModelRefused:
        """Why a version does not come up, with its pod's last words."""
        said = f"Version {version} does not come up: pod {stuck.pod} is in {stuck.reason}"
        if stuck.ended is None:
            return ModelRefused(f"{said} ({stuck.message})")
        words = self._last_words(stuck) or "it said nothing"
        return ModelRefused(f"{said}; it ended ({stuck.ended}) with: {words}")

    def _last_words(self, stuck: Stuck) -> str:
        """Of the container that ended; it may have been started again since, and have said nothing yet."""
        try:
            return self._said(stuck.pod) or self._said(stuck.pod, previous=True)
        except (KubeRefused, BackendUnavailable) as error:
            return f"(its log cannot be read: {error})"

    def _said(self, pod: str, *, previous: bool = False) -> str:
        namespace = self._settings.namespace
        log = self._api.logs(namespace, pod, container=self._container, lines=_LOG_LINES, previous=previous)
        return log.strip()


def _detail(answer: httpx.Response) -> Any:
    try:
        return answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]


def _sentence(reason: Any) -> str:
    """The server's refusal: words, or a list of the fields at fault."""
    if not isinstance(reason, list):
        return str(reason)
    return "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in reason)
