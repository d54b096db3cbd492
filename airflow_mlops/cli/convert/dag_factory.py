"""A dag-factory file's DAGs, each as the draft of a model.

A setting of a DAG comes from the DAG itself, else from a ``defaults.yml`` beside the file, else from the
file's ``default`` block (``default_args`` with the last two the other way round), as dag-factory merges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from airflow_mlops.cli.convert.dag_factory_schedule import READ, carry_schedule
from airflow_mlops.cli.convert.dag_factory_tasks import carry_tasks
from airflow_mlops.cli.convert.draft import TELL_FAILURE, TELL_LATE, Draft, Left, model_name, shown
from airflow_mlops.cli.convert.reading import Node, read_yaml
from airflow_mlops.cli.convert.running import AIRFLOW
from airflow_mlops.cli.convert.values import Rule, apply, one_line, tags, truth

KIND = "dag-factory"

_RULES: Mapping[str, Rule] = {
    "description": Rule("description", one_line),
    "default_args.owner": Rule("owner", one_line),
    "tags": Rule("tags", tags),
    "catchup": Rule("schedule.catchup", truth),
    **{f"default_args.{name}": rule for name, rule in AIRFLOW.items()},
}
_READ = {*_RULES, *READ, "tasks", "task_groups"}

_CALLBACK = "code of yours that runs at an event; call it from a hand-written DAG"
_DOCS = "the DAGs' docs are written from this YAML; put what a reader needs into description"
_OWN_PACE = "the DAGs have the number of runs and tasks that the loop needs"
_SLA = f"Airflow 3 has no SLAs; {TELL_LATE}"
_NOT_FOR_ALL = "no key of a model's YAML sets this for its tasks"
# Why a setting is left; a name that ends in * stands for all that begin so.
_REASONS: Mapping[str, str] = {
    "dag_display_name": "the DAGs are shown as <model>.train, .deploy and .monitor",
    "dag_id": "dag-factory itself takes the DAG's key; the DAGs are named after model",
    "doc_md*": _DOCS,
    "concurrency": _OWN_PACE,
    "max_active_tasks": _OWN_PACE,
    "max_active_runs": "a model has one run of each of its DAGs at a time",
    "dagrun_timeout*": TELL_LATE,
    "on_failure_callback*": TELL_FAILURE,
    "on_*": _CALLBACK,
    "sla*": _SLA,
    "params": "a run by hand takes its window; what training needs stands in training.params",
    "access_control": "give roles access to the DAGs in Airflow",
    "is_paused_upon_creation": "Airflow's dags_are_paused_at_creation decides",
    "template_searchpath": "the DAGs have no templates of yours",
    "render_template_as_native_obj": "the DAGs have no templates of yours",
    "user_defined_macros": "the DAGs have no templates of yours",
    "default_view": "Airflow 3 has none",
    "orientation": "Airflow 3 has none",
    "default_args.on_failure_callback*": TELL_FAILURE,
    "default_args.on_*": _CALLBACK,
    "default_args.sla*": _SLA,
    "default_args.email*": TELL_FAILURE,
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
    carry_schedule(draft, settings, now)
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
