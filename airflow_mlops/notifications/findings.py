"""Tells people what the ledger holds of a model: drift, decay, a held challenger, a rollback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow_mlops.core.alerting import Alert, Routing

DEFAULT_REPEAT = "7 days"


class FindingsNotifier(BaseNotifier):
    """Tells those whom ``routes`` name of a model's findings, each once until it ends or changes.

    ``routes`` is what ``alerts.routes`` is in the YAML: mappings of ``to`` (a list of receivers: ``type``,
    ``conn_id`` and the type's settings), ``events`` and ``at_least``. What lasts is told again after
    ``repeat_after`` (never, if None), its end as well where ``tell_over`` is set, and ``severity`` gives an
    event another one. It may be a callback of any task or DAG; ``TellFindingsOperator`` makes a task of it,
    which retries.

    What was told is read off the ledger, so that a retry, or another run, does not tell it again. A webhook
    gets ``event``, ``id`` (the same where a task that died tells it twice), ``severity``, ``because``
    (``new``, ``changed``, ``still``, ``over``), ``model``, ``version``, ``window``, ``headline``,
    ``reasons``, ``links`` (run, reports, model version), ``owner`` and ``text``.
    """

    template_fields: Sequence[str] = ()

    def __init__(
        self,
        *,
        model: str,
        routes: Sequence[Mapping[str, Any]],
        repeat_after: str | None = DEFAULT_REPEAT,
        severity: Mapping[str, str] | None = None,
        tell_over: bool = True,
        owner: str = "",
        mlflow_conn_id: str = "mlflow_default",
    ) -> None:
        super().__init__()
        self.model = model
        self.routes = routes
        self.repeat_after = repeat_after
        self.severity = severity
        self.tell_over = tell_over
        self.owner = owner
        self.mlflow_conn_id = mlflow_conn_id

    def notify(self, context: Any) -> None:
        """Tell what there is to tell. See ``tell``."""
        self.tell(context)

    def tell(self, context: Mapping[str, Any]) -> list[str]:
        """The headlines of what was told now. Whom it cannot reach does not keep the others from being told;
        at the end an error is raised, the first that a retry can mend if there is one. Raises
        ``StoreUnavailable`` where another run tells the findings of this model at this moment,
        ``ConfigError`` for routes that are none."""
        from airflow_mlops.core.alerting import alerts, last_reached, told_entries, unreached_entry
        from airflow_mlops.hooks.backends import connect_store

        routing, receivers = self._routing()
        dag_id, run_id = _run_of(context)
        backends = connect_store()
        told: list[str] = []
        failed: list[Exception] = []
        # One at a time: two runs of one model that end together would both find it untold.
        with backends.store.exclusive(f"alerts/{self.model}"):
            entries = backends.ledger.entries(self.model)
            tried, away = set(last_reached(entries)), set[str]()
            for alert in alerts(entries, routing, datetime.now(timezone.utc)):
                if alert.to in away:
                    continue  # what it has missed is told first, or it would be history
                try:
                    self._send(alert, receivers[alert.to], context)
                except Exception as error:
                    self.log.exception("Cannot tell %s: %s", alert.to, alert.headline)
                    failed.append(error)
                    if alert.missed:
                        away.add(alert.to)
                    if alert.to in tried:
                        continue
                    written = [
                        unreached_entry(alert, at=datetime.now(timezone.utc), dag_id=dag_id, run_id=run_id)
                    ]
                else:
                    told.append(f"{alert.headline} ({alert.severity}, {alert.because}): {alert.to}")
                    written = told_entries(alert, at=datetime.now(timezone.utc), dag_id=dag_id, run_id=run_id)
                tried.add(alert.to)
                for entry in written:
                    backends.ledger.append(entry)
        for line in told:
            self.log.info("Told %s", line)
        if failed:
            raise next((error for error in failed if _retry_can_help(error)), failed[0])
        return told

    def _send(self, alert: Alert, receiver: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        from airflow_mlops.notifications.catalog import finding_notifier
        from airflow_mlops.notifications.shown import shown

        said = shown(alert, self._links(alert), self.owner)
        finding_notifier(receiver, owner=self.owner)({**context, "alert": said})

    def _links(self, alert: Alert) -> dict[str, str]:
        from airflow_mlops.hooks.pages import report_url, run_url, version_url

        entry = alert.news.entry
        reports = {_report_name(uri): report_url(uri) for uri in entry.evidence}
        version = version_url(self.mlflow_conn_id, entry.model, entry.version) if entry.version else ""
        links = {"run": run_url(entry.dag_id, entry.run_id), **reports, "model version": version}
        return {name: url for name, url in links.items() if url}

    def _routing(self) -> tuple[Routing, dict[str, Mapping[str, Any]]]:
        """The routes by names of receivers, and the receivers. A name tells one from another and holds no
        addresses of people, since it is kept in the ledger."""
        from pydantic import ValidationError

        from airflow_mlops.config.parts.alerts import Alerts
        from airflow_mlops.core.alerting import Route, Routing
        from airflow_mlops.core.windows import Period
        from airflow_mlops.exceptions import ConfigError

        given = {
            "routes": list(self.routes),
            "repeat_after": self.repeat_after,
            "severity": dict(self.severity or {}),
            "tell_over": self.tell_over,
        }
        try:
            alerts = Alerts.model_validate(given)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigError(f"FindingsNotifier of {self.model}: {wrong}") from error
        receivers: dict[str, Mapping[str, Any]] = {}
        routes = []
        for route in alerts.routes:
            named = {_receiver_name(one): one for one in (to.model_dump(mode="json") for to in route.to)}
            receivers |= named
            events = None if route.events is None else frozenset(route.events)
            routes.append(Route(tuple(named), route.floor, events))
        repeat = None if alerts.repeat_after is None else Period.parse(alerts.repeat_after)
        return Routing(tuple(routes), repeat, alerts.severity, alerts.tell_over), receivers


def _retry_can_help(error: Exception) -> bool:
    from airflow_mlops.exceptions import MlopsError

    return error.retry_can_help if isinstance(error, MlopsError) else True


def _receiver_name(receiver: Mapping[str, Any]) -> str:
    from airflow_mlops.core.identity import content_hash

    return f"{receiver['type']} {receiver['conn_id']} {content_hash(dict(receiver))[:8]}"


def _report_name(uri: str) -> str:
    name = uri.rpartition("/")[2].rpartition(".")[0].replace("_", " ")
    return f"{name} report" if name else "report"


def _run_of(context: Mapping[str, Any]) -> tuple[str, str]:
    """Whose run tells it: of a task's context, or of a DAG's callback."""
    run = context.get("dag_run") or context["ti"]
    if isinstance(run, Mapping):
        return str(run["dag_id"]), str(run.get("dag_run_id") or run["run_id"])
    return str(cast("Any", run).dag_id), str(cast("Any", run).run_id)
