"""A kubelet's probe: a request now and then, and how often in a row it went well or ill."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from airflow_mlops.backends.kube.api import Object


class Probe:
    """An ``httpGet`` probe. ``holds`` is None until it has succeeded or failed often enough in a row.
    Probes of other kinds hold at once."""

    def __init__(
        self, spec: Object, address: str, ports: Mapping[str, int], second: float, at: float
    ) -> None:
        self.holds: bool | None = None if "httpGet" in spec else True
        self._spec = spec
        self._second = second
        self._next = at + spec.get("initialDelaySeconds", 0) * second
        self._well, self._ill = 0, 0
        if "httpGet" in spec:
            asked = spec["httpGet"]
            port = ports.get(asked["port"], asked["port"])
            self._url = f"{asked.get('scheme', 'HTTP').lower()}://{address}:{port}{asked.get('path', '/')}"

    def turn(self, at: float) -> None:
        """Ask, if it is time to."""
        if "httpGet" not in self._spec or at < self._next:
            return
        self._next = at + self._spec.get("periodSeconds", 10) * self._second
        if self._asks_well():
            self._well, self._ill = self._well + 1, 0
            if self._well >= self._spec.get("successThreshold", 1):
                self.holds = True
        else:
            self._well, self._ill = 0, self._ill + 1
            if self._ill >= self._spec.get("failureThreshold", 3):
                self.holds = False

    def _asks_well(self) -> bool:
        try:
            answer = httpx.get(
                self._url,
                timeout=self._spec.get("timeoutSeconds", 1),
                trust_env=False,
                verify=False,  # noqa: S501 (kubelets do not look at the certificate either)
            )
        except httpx.HTTPError:
            return False
        return 200 <= answer.status_code < 400
