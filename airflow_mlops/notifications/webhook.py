"""A JSON object to the address of an Airflow connection: what any service can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseNotifier

from airflow_mlops.hooks.connections import address, connection

_TIMEOUT_SECONDS = 10.0


class WebhookNotifier(BaseNotifier):
    """Posts what happened to the address of an HTTP connection.

    The body has ``event`` (``task_failed``, ``deadline_missed``, ``person_asked``, or a finding such as
    ``drift``), ``dag_id``, ``run_id``, ``owner``, ``text`` and ``url`` (of the form, where a person is
    asked); of a task also ``task_id``, ``map_index`` and ``try_number``, of a failure ``error`` (the name of
    the exception's class), ``cause`` and ``next_step``. Its message stays in Airflow's log, where secrets are
    masked. Of a finding it has
    what ``FindingsNotifier`` says. The connection's password is sent as a bearer token, its extra as headers.
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, *, http_conn_id: str, endpoint: str = "", text: str = "", owner: str = "") -> None:
        super().__init__()
        self.http_conn_id = http_conn_id
        self.endpoint = endpoint
        self.text = text
        self.owner = owner

    def notify(self, context: Any) -> None:
        """Post once. Raises ``ConfigError`` where there is no such connection, ``httpx.HTTPError`` where
        nobody takes the post; Airflow puts either into the task's log."""
        import httpx

        target = connection(self.http_conn_id, conn_type="http", port=80, wanted_by="a webhook")
        headers = {str(name): str(value) for name, value in (target.extra_dejson or {}).items()}
        if target.password:
            headers.setdefault("Authorization", f"Bearer {target.password}")
        url = address(target) + (f"/{self.endpoint.lstrip('/')}" if self.endpoint else "")
        body = {**_happened(context), "owner": self.owner, "text": self.text}
        httpx.post(url, json=body, headers=headers, timeout=_TIMEOUT_SECONDS).raise_for_status()


def _happened(context: Mapping[str, Any]) -> dict[str, Any]:
    alert = context.get("alert")
    if alert is not None:
        return dict(alert["body"])
    deadline = context.get("deadline")
    if deadline is not None:
        run = context["dag_run"]
        return {
            "event": "deadline_missed",
            "dag_id": run["dag_id"],
            "run_id": run["dag_run_id"],
            "deadline": str(deadline["deadline_time"]),
            "url": context.get("url"),
        }
    task = context["ti"]
    named = {
        "dag_id": task.dag_id,
        "run_id": task.run_id,
        "task_id": task.task_id,
        "map_index": task.map_index,
        "try_number": task.try_number,
    }
    asks = getattr(context.get("task"), "answer_url", None)
    if asks is not None and context.get("exception") is None:
        return {"event": "person_asked", **named, "url": asks(task)}
    error = context.get("exception")
    return {
        "event": "task_failed",
        **named,
        "error": None if error is None else type(error).__name__,
        "url": getattr(task, "log_url", None),
        **_cause(context.get("task")),
    }


def _cause(task: Any) -> dict[str, Any]:
    """What the task found of its own failure."""
    found = getattr(task, "failure", None) or {}
    return {name: found[name] for name in ("cause", "next_step") if name in found}
