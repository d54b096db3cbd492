"""Which notifier stands behind each type of alert, and which provider brings it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_mlops.exceptions import MlopsError

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier

FAILED = (
    "{{ ti.dag_id }}: task {{ ti.task_id }} failed in run {{ ti.run_id }} "
    "(try {{ ti.try_number }}). "
    "{% if task is defined and task.failure_said is defined and task.failure_said %}"
    "{{ task.failure_said }} {% endif %}"
    "Log: {{ ti.log_url }}"
)

HELD = (
    "{{ ti.dag_id }}: {{ ti.task_id }} of run {{ ti.run_id }} has no verdict by its deadline and is held, "
    "with the traffic as it is. Log: {{ ti.log_url }}"
)

# Findings are put into the templates as values: what data or people have written is never read as one.
FINDING = "{{ alert.text }}"

ASKED = "{{ ti.dag_id }}: {{ task.subject }} Answer: {{ task.answer_url(ti) }}"


class MissingProvider(MlopsError):
    """The distribution that brings a notifier is not installed; ``command`` installs it."""

    def __init__(self, kind: str, distribution: str) -> None:
        super().__init__(f"{kind} needs {distribution}, which is not installed here")
        self.command = f"pip install {distribution}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a notifier is, what installs it, and its arguments: of the settings, a line and the owner.
    ``finding`` are those that it says a finding by."""

    module: str
    name: str
    arguments: Callable[[Mapping[str, Any], str, str], dict[str, Any]]
    distribution: str = "airflow-mlops"
    finding: Mapping[str, str] = field(default_factory=dict)


def failure_notifier(alert: Mapping[str, Any], *, owner: str) -> BaseNotifier:
    """The callback of a task that fails. Raises ``MissingProvider``."""
    return notifier(alert, FAILED, owner=owner)


def asking_notifier(alert: Mapping[str, Any], *, owner: str) -> BaseNotifier:
    """Called by a task that asks a person, each time it does. Raises ``MissingProvider``."""
    return notifier(alert, ASKED, owner=owner)


def held_notifier(alert: Mapping[str, Any], *, owner: str) -> BaseNotifier:
    """Called by a stage of a rollout that is held, once. Raises ``MissingProvider``."""
    return notifier(alert, HELD, owner=owner)


def finding_notifier(alert: Mapping[str, Any], *, owner: str) -> BaseNotifier:
    """Says the finding that its context holds as ``alert``. Raises ``MissingProvider``."""
    return notifier(alert, FINDING, owner=owner, **_KINDS[alert["type"]].finding)


def check_provider(alert: Mapping[str, Any]) -> None:
    """Raises ``MissingProvider``, and imports nothing of the provider, which a parse would pay for."""
    kind = _KINDS[alert["type"]]
    package = kind.module.rpartition(".")[0]
    try:
        there = find_spec(package) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise MissingProvider(alert["type"], kind.distribution)


def notifier(alert: Mapping[str, Any], line: str, *, owner: str, **instead: Any) -> BaseNotifier:
    """A notifier that says ``line``, which may be a template over the context that it is called with;
    ``instead`` are arguments of its own."""
    kind = _KINDS[alert["type"]]
    try:
        made = getattr(import_module(kind.module), kind.name)
    except ModuleNotFoundError as error:
        if not kind.module.startswith(error.name or "?"):
            raise  # something that the provider itself needs
        raise MissingProvider(alert["type"], kind.distribution) from error
    found: BaseNotifier = made(**{**kind.arguments(alert, line, owner), **instead})
    return found


def _webhook(alert: Mapping[str, Any], line: str, owner: str) -> dict[str, Any]:
    return {"http_conn_id": alert["conn_id"], "endpoint": alert["endpoint"], "text": line, "owner": owner}


def _slack(alert: Mapping[str, Any], line: str, owner: str) -> dict[str, Any]:
    text = f"{{% filter {_SLACK} %}}{line} (owner: {owner}){{% endfilter %}}"
    return {"slack_webhook_conn_id": alert["conn_id"], "text": text}


def _smtp(alert: Mapping[str, Any], line: str, owner: str) -> dict[str, Any]:
    said = (line, f"Owner: {owner}")
    return {
        "smtp_conn_id": alert["conn_id"],
        "to": list(alert["to"]),
        "from_email": alert["from_email"],
        "subject": line.partition(". ")[0].partition(" Answer: ")[0],
        "html_content": "".join(f"<p>{{% filter urlize %}}{one}{{% endfilter %}}</p>" for one in said),
    }


# A task's words may hold what Slack and HTML read as markup. Both escape them; urlize makes links as well.
_SLACK = "replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;')"


_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "webhook": Kind("airflow_mlops.notifications.webhook", "WebhookNotifier", _webhook),
        "slack_webhook": Kind(
            "airflow.providers.slack.notifications.slack_webhook",
            "SlackWebhookNotifier",
            _slack,
            "apache-airflow-providers-slack",
            {"text": "{{ alert.slack }}"},
        ),
        "smtp": Kind(
            "airflow.providers.smtp.notifications.smtp",
            "SmtpNotifier",
            _smtp,
            "apache-airflow-providers-smtp",
            {"subject": "{{ alert.subject }}", "html_content": "{{ alert.html }}"},
        ),
    }
)
