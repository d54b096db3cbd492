"""Who is told, in Airflow's own objects: callbacks of tasks, and the deadline of a DAG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_mlops.config.problems import KeyPath
from airflow_mlops.factory.refused import NotHere
from airflow_mlops.plan.graph import DagPlan


def failure_callbacks(dag_plan: DagPlan, model: str) -> list[Any] | None:
    """What writes a failure into the ledger, and then a notifier for each of ``alerts.on_failure``. Raises
    ``NotHere`` where its provider is not there."""
    noted: list[Any] = []
    if dag_plan.notes_failures:
        from airflow_mlops.operators.failing import NoteFailure

        noted.append(NoteFailure(model=model, stop_after=dag_plan.stop_after))
    if not dag_plan.alerts:
        return noted or None
    from airflow_mlops.notifications.catalog import failure_notifier

    told = _notifiers(failure_notifier, dag_plan.alerts, dag_plan.owner, ("alerts", "on_failure"))
    return [*noted, *told]


def success_callbacks(dag_plan: DagPlan, model: str) -> list[Any] | None:
    """What writes into the ledger that a task which had failed is past it."""
    if not dag_plan.notes_failures:
        return None
    from airflow_mlops.operators.failing import NoteRecovery

    return [NoteRecovery(model=model)]


def asking_notifiers(told: Sequence[Mapping[str, Any]], owner: str, at: KeyPath) -> list[Any]:
    """A notifier for each entry of the list ``notify`` at ``at``. Raises ``NotHere`` like the above."""
    from airflow_mlops.notifications.catalog import asking_notifier

    return _notifiers(asking_notifier, told, owner, at)


def held_notifiers(told: Sequence[Mapping[str, Any]], owner: str) -> list[Any]:
    """A notifier of a held stage for each of ``alerts.on_failure``. Raises ``NotHere`` like the above."""
    from airflow_mlops.notifications.catalog import held_notifier

    return _notifiers(held_notifier, told, owner, ("alerts", "on_failure"))


def findings_notifier(alerts: Mapping[str, Any], owner: str) -> Any:
    """What tells those whom ``alerts.routes`` name. Raises ``NotHere`` like the above."""
    from airflow_mlops.notifications.catalog import MissingProvider, check_provider
    from airflow_mlops.notifications.findings import FindingsNotifier

    for index, route in enumerate(alerts["routes"]):
        for place, receiver in enumerate(route["to"]):
            try:
                check_provider(receiver)
            except MissingProvider as error:
                at = ("alerts", "routes", index, "to", place, "type")
                raise NotHere(at, str(error), f"install it: {error.command}") from error
    return FindingsNotifier(**alerts, owner=owner)


def _notifiers(
    make: Callable[..., Any], told: Sequence[Mapping[str, Any]], owner: str, at: KeyPath
) -> list[Any]:
    from airflow_mlops.notifications.catalog import MissingProvider

    made = []
    for index, alert in enumerate(told):
        try:
            made.append(make(alert, owner=owner))
        except MissingProvider as error:
            raise NotHere((*at, index, "type"), str(error), f"install it: {error.command}") from error
    return made


def deadline_of(dag_plan: DagPlan) -> Any:
    """Airflow's deadline of a DAG's runs, from the moment they are queued; None where there is none."""
    if dag_plan.deadline_seconds is None:
        return None
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    callback = AsyncCallback(
        "airflow_mlops.notifications.deadline.tell",
        kwargs={
            "alerts": [dict(alert) for alert in dag_plan.alerts],
            "owner": dag_plan.owner,
            "limit_seconds": dag_plan.deadline_seconds,
        },
    )
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=dag_plan.deadline_seconds),
        callback=callback,
    )
