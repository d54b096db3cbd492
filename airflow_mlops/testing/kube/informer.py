"""Objects of one kind, kept up to date by a watch: what controllers look at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from airflow_mlops.backends.kube.api import Forbidden, Kind, KubeApi, KubeRefused, Object
from airflow_mlops.exceptions import BackendUnavailable

_SILENCE_SECONDS = 1.0
_PAUSE_SECONDS = 0.2


class Informer:
    """A thread that lists and then watches a kind in all namespaces, and calls ``changed`` at each change."""

    def __init__(self, api: KubeApi, kind: Kind, changed: Callable[[], None]) -> None:
        self._api = api
        self._kind = kind
        self._changed = changed
        self._objects: dict[tuple[str, str], Object] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{kind.plural}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it does within a second, which nobody needs to wait for."""
        self._stopping.set()

    def all(self) -> list[Object]:
        with self._lock:
            return list(self._objects.values())

    def get(self, namespace: str, name: str) -> Object | None:
        with self._lock:
            return self._objects.get((namespace, name))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                found, version = self._api.find_with_version(self._kind, None)
                with self._lock:
                    self._objects = {_key(one): one for one in found}
                self._changed()
                self._follow(version)
            except (BackendUnavailable, KubeRefused):
                # Away, or our version is too old to watch from: begin anew.
                self._stopping.wait(_PAUSE_SECONDS)

    def _follow(self, version: str) -> None:
        while not self._stopping.is_set():
            for event, one in self._api.watch(self._kind, None, version, silence_seconds=_SILENCE_SECONDS):
                version = one["metadata"]["resourceVersion"]
                with self._lock:
                    if event == "DELETED":
                        self._objects.pop(_key(one), None)
                    else:
                        self._objects[_key(one)] = one
                self._changed()


def _key(one: Object) -> tuple[str, str]:
    metadata = one["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Controller:
    """A loop that brings the world in line with the objects it watches: whenever one changes, and now and
    then. What is refused because somebody else was faster is tried again at the next turn."""

    kinds: tuple[Kind, ...] = ()
    pause_seconds = 0.5

    def __init__(self, api: KubeApi) -> None:
        self.api = api
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.seen = {kind.kind: Informer(api, kind, self._wake.set) for kind in self.kinds}
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        for informer in self.seen.values():
            informer.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        for informer in self.seen.values():
            informer.stop()
        self._thread.join()

    def reconcile(self) -> None:
        """One turn. Raises what the API client raises."""
        raise NotImplementedError

    def for_each(self, objects: Iterable[Object], act: Callable[[Object], None]) -> None:
        """One after the other. Where one is refused the others have their turn all the same; then it raises
        what the last refusal was."""
        refused: KubeRefused | Forbidden | None = None
        for one in objects:
            try:
                act(one)
            except (KubeRefused, Forbidden) as error:
                refused = error
        if refused is not None:
            raise refused

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(self.pause_seconds)
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self.reconcile()
            except KubeRefused:
                self._stopping.wait(0.02)
                self._wake.set()
            except BackendUnavailable:
                self._stopping.wait(_PAUSE_SECONDS)
