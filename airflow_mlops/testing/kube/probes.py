"""A kubelet's probe: a request now and then, and how often in a row it went well or ill."""

from __future__ import annotations

import http.client
from collections.abc import Mapping

from airflow_mlops.backends.kube.api import Object


class Probe:
    """An ``httpGet`` probe, without TLS. ``holds`` is None until it went well or ill often enough in a row.
    Probes of other kinds hold at once.
    """

    def __init__(
        self, spec: Object, address: str, ports: Mapping[str, int], second: float, at: float
    ) -> None:
        self.holds: bool | None = None if "httpGet" in spec else True
        self._spec = spec
        self._second = second
        self._next = at + spec.get("initialDelaySeconds", 0) * second
        self._well, self._ill = 0, 0
        self._address = address
        if "httpGet" in spec:
            asked = spec["httpGet"]["port"]
            self._port = ports.get(asked, asked)

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
        asked, seconds = self._spec["httpGet"], self._spec.get("timeoutSeconds", 1)
        connection = http.client.HTTPConnection(self._address, self._port, timeout=seconds)
        try:
            connection.request("GET", asked.get("path", "/"))
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
