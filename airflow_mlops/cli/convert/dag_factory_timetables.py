"""Timetable objects of a dag-factory DAG: a cron, a period, or one of Airflow's timetables by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_mlops.cli.convert.draft import Draft, shown
from airflow_mlops.cli.convert.periods import exact, length
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.values import Rule, Said, apply, cron, not_plain, zone

ZONE = Rule("schedule.timezone", zone)
_CRON = Rule("schedule.cron", cron)
# Airflow's own, with the names of the arguments that may stand in __args__; the first is needed.
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "CronDataIntervalTimetable": ("cron", "timezone"),
    "CronTriggerTimetable": ("cron", "timezone"),
    "DeltaDataIntervalTimetable": ("delta",),
    "DeltaTriggerTimetable": ("delta",),
    "EventsTimetable": ("event_dates", "restrict_to_events", "presorted", "description"),
    "MultipleCronTriggerTimetable": ("crons",),
}
_DATES = ("datetime", "DateTime")
_DATE_PARTS = ("year", "month", "day", "hour", "minute", "second")


def carry_cron(draft: Draft, node: Node, what: str) -> None:
    """A cron line, or the place for one."""
    if not apply(draft, node, what, _CRON):
        draft.want("schedule.cron", f"a cron line or a preset, in place of {shown(node.text)}")


def carry_timetable(draft: Draft, node: Node, what: str) -> None:
    """By the simplest key that says the same."""
    kind = node.type_name
    if kind not in _ARGUMENTS:
        why = f"if an Airflow plugin registers it, write schedule.timetable, as in {{name: {shown(kind)}}}"
        draft.leave(node, f"{what} {kind}".rstrip(), why if kind else "no schedule that can be read")
        return
    given = _arguments(node)
    if (named := given.pop("timezone", None)) is not None:
        apply(draft, named, f"{what}.timezone", ZONE)
    match kind, [*given]:
        case "CronDataIntervalTimetable" | "CronTriggerTimetable", ["cron"]:
            carry_cron(draft, given["cron"], f"{what}.cron")
        case "DeltaDataIntervalTimetable", ["delta"]:
            apply(draft, given["delta"], f"{what}.delta", Rule("schedule.every", length))
        case _:
            apply(draft, node, f"{what} {kind}", Rule("schedule.timetable", _named))


def _arguments(node: Node) -> dict[str, Node]:
    if node.type_name == "MultipleCronTriggerTimetable":  # takes any number of lines
        lines = node.at("__args__")
        return node.arguments(()) | ({"crons": lines} if lines is not None else {})
    given = node.arguments(_ARGUMENTS[node.type_name])
    if "expression" in given:  # airflow.sdk's word for the line
        given.setdefault("cron", given.pop("expression"))
    return given


def _named(node: Node) -> Said:
    given = _arguments(node)
    needed = _ARGUMENTS[node.type_name][0]
    if needed not in given:
        raise ValueError(f"has no {needed}")
    params = {key: _READ.get(key, _plain)(one) for key, one in given.items() if key != "timezone"}
    return Said({"name": node.type_name, "params": params})


def _plain(node: Node) -> Any:
    if reason := not_plain(node):
        raise ValueError(f"an argument is not carried over ({reason})")
    return node.plain()


def _lines(node: Node) -> list[str]:
    if not node.items:
        raise ValueError("has no crons")
    return [cron(one).value for one in node.items]


def _moments(node: Node) -> list[str]:
    if not node.items:
        raise ValueError("has no event_dates")
    return [_moment(one) for one in node.items]


def _moment(node: Node) -> str:
    try:
        if node.type_name not in _DATES:
            return datetime.fromisoformat(node.text).isoformat()
        given = node.arguments(_DATE_PARTS)
        named = given.pop("tz", None) or given.pop("tzinfo", None)
        local = ZoneInfo(zone(named).value) if named is not None else None
        return datetime(**{key: one.value for key, one in given.items()}, tzinfo=local).isoformat()
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("an event date that cannot be read") from error


_READ: Mapping[str, Callable[[Node], Any]] = {
    "cron": lambda node: cron(node).value,
    "crons": _lines,
    "delta": lambda node: exact(node).value,
    "interval": lambda node: exact(node).value,
    "event_dates": _moments,
}
