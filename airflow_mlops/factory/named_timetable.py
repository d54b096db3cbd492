"""A timetable by its name: one of Airflow's own, or one that a plugin registers. Never an import path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import airflow.sdk

from airflow_mlops.config.problems import KeyPath, nearest
from airflow_mlops.core.windows import Period
from airflow_mlops.factory.refused import NotHere

BUILT_IN = (
    "CronDataIntervalTimetable",
    "CronTriggerTimetable",
    "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable",
    "EventsTimetable",
    "MultipleCronTriggerTimetable",
)
_AT: KeyPath = ("schedule", "timetable")


def named_timetable(said: Mapping[str, Any], zone: str) -> Any:
    """The timetable that ``schedule.timetable`` names, made with its ``params``.

    Airflow's own are handed ``schedule.timezone`` where they take one and ``params`` does not say; a plugin's
    gets its params as they are. Raises ``NotHere`` for a name that Airflow does not know, or wrong params.
    """
    name, params = said["name"], dict(said["params"])
    if name in BUILT_IN:
        kind = _kind(name)
        return _made(name, kind, lambda: _built_in(kind, params, zone))
    kind = _of_a_plugin(name)
    return _made(name, kind, lambda: kind(**params))


def _kind(name: str) -> Any:
    if name == "EventsTimetable":  # airflow.sdk's loses half of itself when a DAG is kept (3.3.2)
        from airflow.timetables.events import EventsTimetable

        return EventsTimetable
    return getattr(airflow.sdk, name)


def _of_a_plugin(name: str) -> Any:
    from airflow.plugins_manager import get_timetables_plugins  # reads every plugin, so only where asked for

    by_path = {path: kind for path, kind in get_timetables_plugins().items() if not _is_ours(path)}
    found = [path for path in by_path if name in (path, _last(path))]
    if len(found) == 1:
        return by_path[found[0]]
    if found:
        hint = f"give the full path: {' or '.join(found)}"
        raise NotHere((*_AT, "name"), f"several plugins register a {name}", hint)
    known = [*BUILT_IN, *by_path, *map(_last, by_path)]
    hint = nearest(name, known) or f"Airflow's own are {', '.join(BUILT_IN)}; a plugin can register others"
    raise NotHere((*_AT, "name"), f"Airflow knows no timetable {name!r}", hint)


def _is_ours(path: str) -> bool:
    """The factory's own, which stand behind ``schedule.end`` and ``schedule.partitioned``."""
    return path.startswith("airflow_mlops.")


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _made(name: str, kind: Any, make: Callable[[], Any]) -> Any:
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    try:
        made = make()
        made.validate()
        # What cannot be kept would be an error under the loader's path, where it hides every other model.
        decode_timetable(encode_timetable(made))
    except Exception as error:
        takes = f"it is {name}{inspect.signature(kind)}"
        raise NotHere((*_AT, "params"), f"{name} does not take these: {error}", takes) from error
    return made


def _built_in(kind: Any, params: Mapping[str, Any], zone: str) -> Any:
    made = {key: _READ[key](value) if key in _READ else value for key, value in params.items()}
    if "timezone" in inspect.signature(kind).parameters:
        made.setdefault("timezone", zone)
    # Airflow calls the line a cron, and airflow.sdk an expression.
    lines = made.pop("crons", ()) or [made.pop("cron")] if made.keys() & {"cron", "crons"} else ()
    return kind(*lines, **made)


def _period(text: str) -> timedelta:
    period = Period.parse(text)
    if period.months:
        raise ValueError(f"{text!r} is not always equally long")
    return timedelta(seconds=period.seconds)


def _moments(texts: list[str]) -> list[datetime]:
    """Airflow wants its own kind of moments."""
    from pendulum import instance

    read = [datetime.fromisoformat(text) for text in texts]
    return [instance(one if one.tzinfo else one.replace(tzinfo=timezone.utc)) for one in read]


_READ: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"interval": _period, "delta": _period, "event_dates": _moments}
)
