"""When a dag-factory DAG runs, as a model's ``schedule``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from airflow_mlops.cli.convert.dag_factory_assets import are_of, assets, describes, expression
from airflow_mlops.cli.convert.dag_factory_timetables import ZONE, carry_cron, carry_timetable
from airflow_mlops.cli.convert.draft import Draft, shown
from airflow_mlops.cli.convert.periods import length
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.values import Rule, Said, apply, instant, moment, zone

_SCHEDULES = ("schedule", "schedule_interval", "timetable")
_MOMENTS: Mapping[str, str] = {"start_date": "schedule.start", "end_date": "schedule.end"}
_LEVELS = ("", "default_args.")
READ = {*_SCHEDULES, *(f"{level}{name}" for level in _LEVELS for name in (*_MOMENTS, "timezone"))}

_CLOCKS = ("schedule.cron", "schedule.every", "schedule.timetable")
_ELSEWHERE = "names what another file lists; write names or URIs of assets in schedule.assets"


def carry_schedule(draft: Draft, settings: Mapping[str, Node], now: datetime) -> None:
    """The first of the settings that start runs, and the moments between which they do."""
    for what in _SCHEDULES:
        if (node := settings.get(what)) is None or node.value is None:
            continue
        if said := _first_said(draft, *_CLOCKS, "schedule.assets"):
            draft.leave(node, what, f"{said} says when to run already")
        else:
            _carry_start(draft, node, what)
    if are_of(draft.name, draft.values.get("schedule.assets")):
        draft.take_back("schedule.assets", "the model's own DAGs would start each other for ever")
    _carry_times(draft, settings, now)
    if not _first_said(draft, *_CLOCKS) and draft.values.get("schedule.catchup"):
        draft.take_back("schedule.catchup", "only a clock has intervals that can be missed")


def _first_said(draft: Draft, *keys: str) -> str:
    return next((key for key in keys if draft.asks_or_says(key)), "")


def _carry_start(draft: Draft, node: Node, what: str) -> None:
    label = f"{what} {node.type_name}".rstrip()
    if describes(node):
        apply(draft, node, label, Rule("schedule.assets", assets))
    elif node.entries.keys() & {"timetable", "datasets", "assets"}:
        _carry_parts(draft, node, what)
    elif node.type_name in ("timedelta", "relativedelta"):
        apply(draft, node, label, Rule("schedule.every", _every))
    elif isinstance(node.value, dict):
        carry_timetable(draft, node, what)
    elif node.text.strip().lower() == "none":
        draft.leave(node, what, "started by hand, as a model is whose YAML has no schedule")
    else:
        carry_cron(draft, node, what)


def _every(node: Node) -> Said:
    try:
        return length(node)
    except ValueError as error:
        raise ValueError(f"{error} (the nearest cron line would be schedule.cron)") from error


def _carry_parts(draft: Draft, node: Node, what: str) -> None:
    """A clock and assets together, where either starts a run."""
    for key, part in node.entries.items():
        match key:
            case "__type__":
                continue
            case "timetable":
                _carry_start(draft, part, f"{what}.timetable")
            case "datasets" | "assets" if node.at("file") is None:
                apply(draft, part, f"{what}.{key}", Rule("schedule.assets", expression))
            case _:
                draft.leave(part, f"{what}.{key}", _ELSEWHERE)


def _carry_times(draft: Draft, settings: Mapping[str, Node], now: datetime) -> None:
    """start_date, end_date and timezone of the DAG, then of default_args: each level has a zone of its own.

    Crons are read in the zone of the start that counts, for Airflow takes it from there.
    """
    for level in _LEVELS:
        given = settings.get(f"{level}timezone")
        is_used = f"{level}start_date" in settings and "schedule.start" not in draft.values
        for name, key in _MOMENTS.items():
            if (node := settings.get(f"{level}{name}")) is not None:
                apply(
                    draft, node, f"{level}{name}", Rule(key, partial(moment, name=_zone_name(given), now=now))
                )
        if given is not None:
            _carry_zone(draft, given, f"{level}timezone", is_used)
    start, end = draft.values.get("schedule.start"), draft.values.get("schedule.end")
    if _first_said(draft, *_CLOCKS) and start is None:
        draft.want("schedule.start", "when the first interval begins, as in 2024-01-01")
    if start and end and instant(end) <= instant(start):
        draft.take_back("schedule.end", "does not lie after the start")


def _carry_zone(draft: Draft, node: Node, what: str, is_used: bool) -> None:
    if not is_used:
        draft.leave(
            node, what, "dag-factory reads it for the start_date beside it, and there is none that counts"
        )
    elif "schedule.timezone" in draft.values:
        draft.leave(
            node, what, "the timetable names its own; schedule.start is written with this one's offset"
        )
    elif not apply(draft, node, what, ZONE):
        draft.want("schedule.timezone", f"an IANA time zone, in place of {shown(node.text)}")


def _zone_name(node: Node | None) -> str:
    try:
        return str(zone(node).value) if node is not None else "UTC"
    except ValueError:
        return "UTC"
