"""What changes between two plans of a model, and between the settings they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_mlops.config.load import LoadedModel
from airflow_mlops.core.windows import Period
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.plan.graph import DagPlan, TaskNode
from airflow_mlops.plan.trigger_words import trigger_in_words

_INDENT = "    "


def plan_diff(old: LoadedModel | None, new: LoadedModel, since: str) -> Iterator[str]:
    """Lines marked ``+`` (added), ``-`` (removed) and ``~`` (changed): DAGs with what starts them and their
    tasks, then the settings (presets filled in) that are the reason. ``since`` names the older side.
    """
    if old is not None and old.digest == new.digest:
        yield f"{new.config.model}: the DAGs and settings are those of {since}"
        return
    model = new.config.model if old is None else old.config.model
    name = model if model == new.config.model else f"{model} -> {new.config.model}"
    told = f"there is no such file at {since}" if old is None else f"{since} -> working file"
    yield f"{name} ({told})"
    yield from _dags(_dags_of(old), _dags_of(new))
    yield "settings"
    before = {} if old is None else old.config.model_dump(mode="json")
    for line in _settings(before, new.config.model_dump(mode="json"), ""):
        yield _INDENT + line


def _dags_of(loaded: LoadedModel | None) -> dict[str, DagPlan]:
    if loaded is None:
        return {}
    return {dag.dag_id: dag for dag in compile_plan(loaded.config, loaded.digest).dags}


def _dags(old: Mapping[str, DagPlan], new: Mapping[str, DagPlan]) -> Iterator[str]:
    for dag_id in dict.fromkeys([*old, *new]):
        before, after = old.get(dag_id), new.get(dag_id)
        if before is not None and after is not None:
            changes = [*_facts(_dag_facts(before), _dag_facts(after)), *_tasks(before.tasks, after.tasks)]
            if changes:
                yield f"~ {dag_id}"
                yield from (_INDENT + line for line in changes)
            continue
        dag, sign = (after, "+") if after is not None else (before, "-")
        assert dag is not None  # noqa: S101 (the name comes from one of the two)
        yield f"{sign} {dag_id}  runs {_words(dag)}"
        yield from (f"{_INDENT}{sign} {_task_line(task)}" for task in dag.tasks)


def _tasks(old: Sequence[TaskNode], new: Sequence[TaskNode]) -> Iterator[str]:
    before, after = ({task.full_id: task for task in tasks} for tasks in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield f"- {_task_line(before[name])}"
        elif name not in before:
            yield f"+ {_task_line(after[name])}"
        else:
            for line in _facts(_task_facts(before[name]), _task_facts(after[name])):
                yield f"~ {name}: {line.removeprefix('~ ')}"


def _dag_facts(dag: DagPlan) -> dict[str, str]:
    trigger = dag.trigger
    return {
        "runs": _words(dag),
        "start": str(trigger.start or "none"),
        "end": str(trigger.end or "none"),
        "catchup": str(trigger.catchup).lower(),
        "tags": ", ".join(dag.tags),
        "tasks": ", ".join(_running(dag)),
        "alerts": ", ".join(_alerts(dag)) or "none",
    }


def _running(dag: DagPlan) -> Iterator[str]:
    """What the plan sets of Airflow's own task settings."""
    for name, value in dag.running._asdict().items():
        if value is not None:
            yield f"{name} {value}"


def _alerts(dag: DagPlan) -> Iterator[str]:
    yield from (f"{alert['type']} by {alert['conn_id']}" for alert in dag.alerts)
    if dag.deadline_seconds is not None:
        yield f"late after {Period(seconds=dag.deadline_seconds)}"


def _task_facts(task: TaskNode) -> dict[str, str]:
    return {
        "after": ", ".join(task.upstream) or "nothing",
        "asset": task.emits or "none",
        "workers": str(task.workers or "none"),
        **{name: json.dumps(value, ensure_ascii=False) for name, value in task.settings.items()},
    }


def _facts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, "none"), new.get(name, "none")
        if before != after:
            yield f"~ {name} {before} -> {after}"


def _words(dag: DagPlan) -> str:
    return trigger_in_words(dag.trigger).replace("`", "")


def _task_line(task: TaskNode) -> str:
    after = f"  <- {', '.join(task.upstream)}" if task.upstream else ""
    return f"{task.full_id}{after}" + (f"  => asset {task.emits}" if task.emits else "")


def _settings(old: Any, new: Any, path: str) -> Iterator[str]:
    """Two settings' differences, key by key. Entries of a list keep their numbers only while the list keeps
    its length: one put in at the front does not change all that follow it.
    """
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            below = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield f"- {below}: {_said(old[key])}"
            elif key not in old:
                yield f"+ {below}: {_said(new[key])}"
            else:
                yield from _settings(old[key], new[key], below)
    elif _are_parts(old) and _are_parts(new) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _settings(before, after, f"{path}[{number}]")
    elif _are_parts(old) and _are_parts(new):
        yield from (f"- {path}: {_said(entry)}" for entry in old if entry not in new)
        yield from (f"+ {path}: {_said(entry)}" for entry in new if entry not in old)
    else:
        yield f"~ {path}: {_said(old)} -> {_said(new)}"


def _are_parts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _said(value: Any) -> str:
    """What a file would say: a key that is not given is not said."""
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if item is not None}
    return json.dumps(value, ensure_ascii=False)
