"""A dag-factory file's DAGs, each as the draft of a model.

A setting of a DAG comes from the DAG itself, else from a ``defaults.yml`` beside the file, else from the
file's ``default`` block (``default_args`` with the last two the other way round), as dag-factory merges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from airflow_mlops.cli.convert.dag_factory_tasks import carry_tasks
from airflow_mlops.cli.convert.draft import Draft, Left, model_name, shown
from airflow_mlops.cli.convert.reading import Node, read_yaml
from airflow_mlops.cli.convert.values import (
    Rule,
    apply,
    cron,
    instant,
    moment,
    one_line,
    retries,
    tags,
    truth,
    zone,
)

KIND = "dag-factory"

_RULES: Mapping[str, Rule] = {
    "description": Rule("description", one_line),
    "default_args.owner": Rule("owner", one_line),
    "tags": Rule("tags", tags),
    "catchup": Rule("schedule.catchup", truth),
    "default_args.retries": Rule("execution.retries", retries),
}
_CRON = Rule("schedule.cron", cron)
_ZONE = Rule("schedule.timezone", zone)
_MOMENTS: Mapping[str, str] = {"start_date": "schedule.start", "end_date": "schedule.end"}
_SCHEDULES = ("schedule", "schedule_interval", "timetable")
_LEVELS = ("", "default_args.")
_READ = {*_RULES, *_SCHEDULES, "tasks", "task_groups"} | {
    f"{level}{name}" for level in _LEVELS for name in (*_MOMENTS, "timezone")
}

_CALLBACK = "code of yours that runs at an event; call it from a hand-written DAG"
_DOCS = "the DAGs' docs are written from this YAML; put what a reader needs into description"
_OWN_PACE = "the DAGs have the number of runs and tasks that the loop needs"
_NOT_FOR_ALL = "no key of a model's YAML sets this for its tasks"
# Why a setting is left; a name that ends in * stands for all that begin so.
_REASONS: Mapping[str, str] = {
    "dag_display_name": "the DAGs are shown as <model>.train, .deploy and .monitor",
    "dag_id": "dag-factory itself takes the DAG's key; the DAGs are named after model",
    "doc_md*": _DOCS,
    "concurrency": _OWN_PACE,
    "max_active_tasks": _OWN_PACE,
    "max_active_runs": "a model has one run of each of its DAGs at a time",
    "dagrun_timeout": "deploy.deadline bounds a rollout; a training run is not bounded",
    "on_*": _CALLBACK,
    "sla*": "Airflow 3 has no SLAs",
    "params": "a run by hand takes its window; what training needs stands in training.params",
    "access_control": "give roles access to the DAGs in Airflow",
    "is_paused_upon_creation": "Airflow's dags_are_paused_at_creation decides",
    "template_searchpath": "the DAGs have no templates of yours",
    "render_template_as_native_obj": "the DAGs have no templates of yours",
    "user_defined_macros": "the DAGs have no templates of yours",
    "default_view": "Airflow 3 has none",
    "orientation": "Airflow 3 has none",
    "default_args.on_*": _CALLBACK,
    "default_args.sla*": "Airflow 3 has no SLAs",
    "default_args.email*": "Airflow's own mails; call a notifier from a hand-written DAG",
    "default_args.depends_on_past": "runs of a model are one at a time, and take up what is pending",
    "default_args.wait_for_downstream": "runs of a model are one at a time, and take up what is pending",
    "default_args.*": _NOT_FOR_ALL,
}


def describes(root: Node) -> bool:
    """Whether a file's keys are DAGs with tasks."""
    return any(node.at("tasks") is not None for node in root.entries.values())


def drafts(root: Node, path: Path, now: datetime) -> tuple[dict[str, Draft], list[Left]]:
    """A draft for each DAG of the file, by the DAG's id; and what of the file is no DAG."""
    beside = _defaults_beside(path)
    default = root.at("default")
    made: dict[str, Draft] = {}
    skipped: list[Left] = []
    for name, dag in root.entries.items():
        if name in ("default", "task_groups"):
            continue
        settings = _merged(dag, beside, default)
        if "tasks" not in settings:
            skipped.append(Left(dag.place, name, "has no tasks; dag-factory makes an empty DAG of it"))
            continue
        made[name] = _draft(name, path, dag, settings, now)
    return made, skipped


def _defaults_beside(path: Path) -> Node | None:
    found = (path.with_name(name) for name in ("defaults.yml", "defaults.yaml"))
    return next((read_yaml(one) for one in found if one.is_file() and one != path), None)


def _merged(dag: Node, beside: Node | None, default: Node | None) -> dict[str, Node]:
    """Every setting by its dotted name: those of ``default_args`` one by one, the others as they stand."""
    above, near = (one.entries if one is not None else {} for one in (default, beside))
    settings = _over(dag.entries, _over(near, above, deep=False))
    arguments = [
        source["default_args"].entries for source in (dag.entries, above, near) if "default_args" in source
    ]
    settings.pop("default_args", None)
    for source in reversed(arguments):  # those of the block win over those beside the file
        settings |= {f"default_args.{key}": node for key, node in source.items()}
    return settings


def _over(own: Mapping[str, Node], below: Mapping[str, Node], deep: bool = True) -> dict[str, Node]:
    """``own`` where both say something; mappings of both are merged in their turn."""
    merged = {**below, **own}
    for key in own.keys() & below.keys() if deep else ():
        if isinstance(own[key].value, dict) and isinstance(below[key].value, dict):
            merged[key] = replace(own[key], value=_over(own[key].entries, below[key].entries))
    return merged


def _draft(name: str, path: Path, dag: Node, settings: Mapping[str, Node], now: datetime) -> Draft:
    draft = Draft(model_name(name), f"{path} ({KIND}, DAG {shown(name)})")
    draft.carry(dag, f"the DAG {shown(name)}", "model", draft.name)
    for what, rule in _RULES.items():
        if what in settings:
            apply(draft, settings[what], what, rule)
    _carry_schedule(draft, settings)
    _carry_times(draft, settings, now)
    carry_tasks(draft, settings)
    for what, node in settings.items():
        if what not in _READ:
            draft.leave(node, what, _reason(what))
    draft.fill_up()
    return draft


def _reason(what: str) -> str:
    for pattern, reason in _REASONS.items():
        if what == pattern or (pattern.endswith("*") and what.startswith(pattern[:-1])):
            return reason
    return "no key of a model's YAML stands for it"


def _carry_schedule(draft: Draft, settings: Mapping[str, Node]) -> None:
    for what in _SCHEDULES:
        if (node := settings.get(what)) is None or node.value is None:
            continue
        if node.entries or node.items:
            _carry_object(draft, node, what)
        elif node.text.strip().lower() == "none":
            draft.leave(node, what, "started by hand, as a model is whose YAML has no schedule")
        elif not apply(draft, node, what, _CRON):
            draft.want("schedule.cron", f"a cron line or a preset, in place of {shown(node.text)}")


# The object's class to how it is read. Positional arguments stand in __args__.
_CRON_TIMETABLES = ("CronTriggerTimetable", "CronDataIntervalTimetable")
_OBJECTS: Mapping[str, str] = {
    "timedelta": "a fixed interval is no cron; write the nearest cron line as schedule.cron",
    "relativedelta": "a calendar interval is no cron; write the nearest cron line as schedule.cron",
    "Asset": "the model would start on an asset; start <model>.train from a hand-written DAG on it",
    "Dataset": "the model would start on a dataset; start <model>.train from a hand-written DAG on it",
}
_ON_ASSETS = "the model would start on assets; start <model>.train from a hand-written DAG on them"


def _carry_object(draft: Draft, node: Node, what: str) -> None:
    kind = _type_of(node)
    if kind in _CRON_TIMETABLES:
        _carry_timetable(draft, node, what)
        return
    if (timetable := node.at("timetable")) is not None:
        _carry_object(draft, timetable, f"{what}.timetable")
        for key, rest in node.entries.items():
            if key != "timetable":
                draft.leave(rest, f"{what}.{key}", _ON_ASSETS)
        return
    draft.leave(
        node, f"{what} {kind}".rstrip(), _OBJECTS.get(kind, _ON_ASSETS if not kind else _UNKNOWN_OBJECT)
    )


_UNKNOWN_OBJECT = "a timetable of its own; write the nearest cron line as schedule.cron"


def _type_of(node: Node) -> str:
    kind = node.at("__type__")
    return kind.text.rpartition(".")[2] if kind is not None else ""


def _carry_timetable(draft: Draft, node: Node, what: str) -> None:
    arguments = node.at("__args__")
    given = dict(zip(("cron", "timezone"), arguments.items if arguments is not None else [], strict=False))
    given |= {key: one for key, one in node.entries.items() if not key.startswith("__")}
    for key, one in given.items():
        match key:
            case "cron":
                if not apply(draft, one, f"{what}.cron", _CRON):
                    draft.want("schedule.cron", f"a cron line or a preset, in place of {shown(one.text)}")
            case "timezone":
                apply(draft, one, f"{what}.timezone", _ZONE)
            case _:
                draft.leave(
                    one, f"{what}.{key}", "the model's runs cover the interval from one tick to the next"
                )


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
    if draft.asks_or_says("schedule.cron") and start is None:
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
    elif not apply(draft, node, what, _ZONE):
        draft.want("schedule.timezone", f"an IANA time zone, in place of {shown(node.text)}")


def _zone_name(node: Node | None) -> str:
    try:
        return str(zone(node).value) if node is not None else "UTC"
    except ValueError:
        return "UTC"
