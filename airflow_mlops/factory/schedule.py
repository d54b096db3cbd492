"""What starts a DAG, in Airflow's own objects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow import sdk  # which imports a timetable, and the cron library behind it, at its first use
from airflow.sdk import Asset, AssetAll, AssetAny

from airflow_mlops.plan.graph import AssetTree, Trigger


def schedule_of(trigger: Trigger) -> Any:
    """The ``schedule`` of a DAG. A bare cron string would give runs a zero-width interval, and a plain list
    of assets waits for all of them. Raises ``NotHere`` for a timetable or a watcher that nobody provides.
    """
    assets = _any_of([*(_asset(tree) for tree in trigger.assets), *_watched(trigger)])
    clock = _clock(trigger)
    if clock is not None:
        return sdk.AssetOrTimeSchedule(timetable=clock, assets=assets) if assets else clock
    return sdk.PartitionedAssetTimetable(assets=assets) if assets and trigger.partitioned else assets


def _clock(trigger: Trigger) -> Any:
    # Our own timetables need Airflow's core, which only the DAGs that use them have to import.
    if trigger.cron is not None and trigger.partitioned:
        from airflow_mlops.config.cron import partition_key_format
        from airflow_mlops.factory.timetable import CronPartitions

        key_format = partition_key_format(trigger.cron)
        return CronPartitions(trigger.cron, timezone=trigger.timezone, key_format=key_format, end=trigger.end)
    endless = _endless(trigger)
    if endless is None or trigger.end is None:
        return endless
    from airflow_mlops.factory.timetable import Until

    return Until(endless, end=trigger.end)


def _endless(trigger: Trigger) -> Any:
    if trigger.cron is not None:
        return sdk.CronDataIntervalTimetable(trigger.cron, timezone=trigger.timezone)
    if trigger.every is not None:
        return sdk.DeltaDataIntervalTimetable(_delta(trigger.every))
    if trigger.timetable is not None:
        from airflow_mlops.factory.named_timetable import named_timetable

        return named_timetable(trigger.timetable, trigger.timezone)
    return None


def _delta(every: str) -> Any:
    from airflow_mlops.core.windows import Period

    period = Period.parse(every)
    if not period.months:
        return timedelta(seconds=period.seconds)
    from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]

    return relativedelta(months=period.months)


def _asset(tree: AssetTree) -> Asset | AssetAny | AssetAll:
    if isinstance(tree, str):
        return Asset(tree)
    if "name" in tree:
        return Asset(tree["name"], uri=tree["uri"])
    form, parts = next(iter(tree.items()))
    return (AssetAll if form == "all" else AssetAny)(*(_asset(part) for part in parts))


def _watched(trigger: Trigger) -> list[Asset]:
    if not trigger.watch:
        return []
    from airflow_mlops.factory.watchers import watched_asset

    return [watched_asset(watch, ("schedule", "watch", index)) for index, watch in enumerate(trigger.watch)]


def _any_of(assets: Sequence[Any]) -> Any:
    if len(assets) > 1:
        return AssetAny(*assets)
    return assets[0] if assets else None
