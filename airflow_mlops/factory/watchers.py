"""Assets that the triggerer updates when something happens outside of Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from airflow.sdk import Asset, AssetWatcher

from airflow_mlops.config.problems import KeyPath, nearest
from airflow_mlops.factory.refused import NotHere

ENTRY_POINTS = "airflow_mlops.watch_triggers"


def watched_asset(watch: Mapping[str, Any], at: KeyPath) -> Asset:
    """The asset of one entry of ``schedule.watch``. Raises ``NotHere`` where nobody provides its type."""
    name = watch["asset"]
    try:
        return Asset(name, watchers=[AssetWatcher(name=name, trigger=_trigger(watch, at))])
    except (TypeError, ValueError) as error:
        message = f"the watcher {watch['type']!r} cannot be made: {error}"
        raise NotHere(at, message, "look at its params") from error


def _trigger(watch: Mapping[str, Any], at: KeyPath) -> Any:
    if watch["type"] == "files":
        from airflow_mlops.triggers.files import NewFilesTrigger

        return NewFilesTrigger(
            asset=watch["asset"], path=watch["path"], poll_interval=float(watch["poll_seconds"])
        )
    for found in entry_points(group=ENTRY_POINTS, name=watch["type"]):
        return found.load()(**watch["params"])
    known = ["files", *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]
    hint = nearest(watch["type"], known) or f"there are: {', '.join(known)}"
    raise NotHere((*at, "type"), f"nobody provides the watcher {watch['type']!r}", hint)
