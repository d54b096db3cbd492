"""The few calls of Airflow's REST API that the demo makes, as any client would."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import httpx

from airflow_mlops.cli.demo.failures import DemoFailed

FINISHED = frozenset({"success", "failed"})


class AirflowApi:
    """Airflow at an address, logged in at the first call and again when the token has run out."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._user = user
        self._password = password
        # SQLite under load: an answer may take seconds.
        self._http = httpx.Client(base_url=url, timeout=60)

    def is_healthy(self) -> bool:
        """Whether the parts that a run needs all say so."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5)
            parts: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return False
        wanted = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((parts.get(name) or {}).get("status") == "healthy" for name in wanted)

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed."""
        return self._send("GET", f"/dags/{dag_id}", missing_is_fine=True) is not None

    def import_errors(self) -> list[str]:
        """What could not be parsed, each with its file."""
        found = self._call("GET", "/importErrors")["import_errors"]
        return [f"{item['filename']}:\n{item['stack_trace']}" for item in found]

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Stop a DAG from starting runs, or let it."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run by hand; its id. The id is ours, so that asking twice starts one run."""
        run_id = f"manual__{datetime.now(timezone.utc).isoformat()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        self._call("POST", f"/dags/{dag_id}/dagRuns", conflict_is_fine=True, json=body)
        return run_id

    def runs(self, dag_id: str) -> dict[str, str]:
        """The state of each run of a DAG."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 100, "order_by": "-id"})
        return {str(run["dag_run_id"]): str(run["state"]) for run in found["dag_runs"]}

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The state of each task of a run; ``none`` before it is scheduled."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return {str(task["task_id"]): str(task["state"] or "none") for task in found["task_instances"]}

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self._send(method, path, **request)
        if answer is None:
            raise DemoFailed(f"Airflow has nothing at {path}")
        body: dict[str, Any] = answer.json()
        return body

    def _send(
        self,
        method: str,
        path: str,
        *,
        missing_is_fine: bool = False,
        conflict_is_fine: bool = False,
        **request: Any,
    ) -> httpx.Response | None:
        if "Authorization" not in self._http.headers:
            self._log_in()
        answer = self._request(method, path, **request)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._request(method, path, **request)
        if answer.status_code == httpx.codes.NOT_FOUND and missing_is_fine:
            return None
        if answer.status_code == httpx.codes.CONFLICT and conflict_is_fine:
            return answer
        if answer.is_error:
            raise DemoFailed(
                f"Airflow answers {method} {path} with {answer.status_code}: {answer.text[:500]}"
            )
        return answer

    def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Sent again after a server's fault: SQLite can be busy, and every call of ours may be repeated."""
        for wait_seconds in (1, 3, None):
            try:
                answer = self._http.request(method, f"/api/v2{path}", **request)
            except httpx.HTTPError as error:
                raise DemoFailed(f"Airflow does not answer {method} {path}: {error}") from error
            if not answer.is_server_error or wait_seconds is None:
                break
            time.sleep(wait_seconds)
        return answer

    def _log_in(self) -> None:
        body = {"username": self._user, "password": self._password}
        try:
            answer = self._http.post("/auth/token", json=body).raise_for_status()
        except httpx.HTTPError as error:
            raise DemoFailed(f"Airflow refuses the login: {error}") from error
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
