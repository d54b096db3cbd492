"""What a step is told of the Airflow run it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.core.values import RunInfo, RunKey, RunKind
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.operators.partitions import PartitionKeys

_KINDS: Mapping[str, RunKind] = {
    "scheduled": "scheduled",
    "manual": "manual",
    "operator_triggered": "manual",
    "asset_materialization": "manual",
    "asset_triggered": "asset",
    "backfill": "backfill",
}


def run_info(
    context: Mapping[str, Any],
    *,
    now: datetime,
    config_digest: str,
    start_before: Callable[[datetime], datetime],
    partition_keys: PartitionKeys = PartitionKeys(),  # noqa: B008 (frozen)
) -> RunInfo:
    """The run as its steps see it.

    ``start_before`` gives the start of a window for which only ``window_end`` is given. In a run by hand
    that window stands before the data interval. Raises ``DataRefused`` where the run's ``window_start`` or
    ``window_end`` is no date.
    """
    dag_run, instance = context["dag_run"], context["ti"]
    map_index = instance.map_index if instance.map_index is not None else -1
    # A way of starting runs that a later Airflow adds is somebody's doing.
    kind = _KINDS.get(str(getattr(dag_run.run_type, "value", dag_run.run_type)), "manual")
    told = _params_window(context.get("params") or {}, start_before)
    # Airflow's form fills in a logical date of now, from which it infers an interval that nobody asked for.
    is_inferred = kind == "manual" and told is not None
    interval = None if is_inferred else _interval(dag_run.data_interval_start, dag_run.data_interval_end)
    return RunInfo(
        key=RunKey(dag_run.dag_id, dag_run.run_id, map_index),
        kind=kind,
        sources=WindowSources(
            partition=partition_keys.window(getattr(dag_run, "partition_key", None)),
            data_interval=interval,
            params=told,
            run_after=dag_run.run_after,
        ),
        now=now,
        actor=getattr(dag_run, "triggering_user_name", None) or "airflow",
        config_digest=config_digest,
        code_version=getattr(getattr(instance, "bundle_instance", None), "version", None),
        woken_by=_woken_by(dag_run),
        reason=str((context.get("params") or {}).get("reason") or ""),
        request=_request(dag_run),
    )


def _request(dag_run: Any) -> str:
    """The retraining request that monitoring started the run for; by hand, a conf may say anything."""
    by_task = str(getattr(dag_run.run_type, "value", dag_run.run_type)) == "operator_triggered"
    told = getattr(dag_run, "conf", None)
    return str(told.get("request") or "") if by_task and isinstance(told, Mapping) else ""


def _woken_by(dag_run: Any) -> tuple[str, ...]:
    """The assets whose events started the run, each once."""
    events = getattr(dag_run, "consumed_asset_events", None) or ()
    return tuple(sorted({str(event.asset.name) for event in events}))


def _interval(start: datetime | None, end: datetime | None) -> Window | None:
    """None for the zero-width interval of a bare cron or a run by hand."""
    if start is None or end is None or start >= end:
        return None
    return Window(_utc(start), _utc(end))


def _params_window(params: Mapping[str, Any], start_before: Callable[[datetime], datetime]) -> Window | None:
    start, end = _moment(params, "window_start"), _moment(params, "window_end")
    if end is None:
        if start is not None:
            raise DataRefused("the run has a window_start but no window_end; give both, or only window_end")
        return None
    start = start or start_before(end)
    if start >= end:
        raise DataRefused(
            f"the run's window is empty: window_start {start.isoformat()} is not before "
            f"window_end {end.isoformat()}; start a new run with other params"
        )
    return Window(start, end)


def _moment(params: Mapping[str, Any], name: str) -> datetime | None:
    value = params.get(name)
    if value in (None, ""):
        return None
    try:
        return _utc(datetime.fromisoformat(str(value)))
    except ValueError as error:
        raise DataRefused(
            f"the run's param {name} is {value!r}, which is no date; write it as in 2026-03-01"
        ) from error


def _utc(moment: datetime) -> datetime:
    """In UTC; a moment without a zone is taken to be UTC already."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return datetime.fromtimestamp(moment.timestamp(), timezone.utc)
