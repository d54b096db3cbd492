"""What starts a DAG, in words: for its page, for ``plan`` and for its diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_mlops.config.cron import cron_in_words
from airflow_mlops.plan.graph import AssetTree, Trigger


def trigger_in_words(trigger: Trigger) -> str:
    """``every month on day 1 at 00:00 (UTC), or when `flight_delay/retrain` is updated``."""
    ways = [*_clock(trigger), *_assets(trigger), *(_watch(watch) for watch in trigger.watch)]
    return ", or ".join(ways) if ways else "by hand only"


def _clock(trigger: Trigger) -> Iterator[str]:
    if trigger.cron is not None:
        one_each = ", a partition for each interval" if trigger.partitioned else ""
        yield f"{cron_in_words(trigger.cron)} ({trigger.timezone}){one_each}"
    if trigger.every is not None:
        yield f"every {trigger.every.removeprefix('1 ')}"
    if trigger.timetable is not None:
        yield f"by the timetable `{trigger.timetable['name']}`"


def _assets(trigger: Trigger) -> Iterator[str]:
    """Single assets together, then what is more than one name."""
    names = [_name(tree) for tree in trigger.assets if _name(tree)]
    verb = "has a new partition" if trigger.partitioned else "is updated"
    if names:
        yield f"when {' or '.join(names)} {verb}"
    for tree in trigger.assets:
        if not _name(tree):
            yield f"when {_tree(tree)} have {'a new partition' if trigger.partitioned else 'been updated'}"


def _name(tree: AssetTree) -> str:
    if isinstance(tree, str):
        return f"`{tree}`"
    return f"`{tree['name']}`" if "name" in tree else ""


def _tree(tree: AssetTree, inside: bool = False) -> str:
    if isinstance(tree, str) or "name" in tree:
        return _name(tree)
    form, parts = next(iter(tree.items()))
    said = f" {'and' if form == 'all' else 'or'} ".join(_tree(part, inside=True) for part in parts)
    return f"({said})" if inside else said


def _watch(watch: Mapping[str, Any]) -> str:
    if watch["type"] == "files":
        return f"when files land at `{watch['path']}`"
    return f"when the watcher `{watch['type']}` sees something"
