"""The tasks of a dag-factory DAG: which one trains, and where the others belong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from airflow_mlops.cli.convert.draft import TELL_FAILURE, Draft, shown
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.running import AIRFLOW
from airflow_mlops.cli.convert.values import Rule, Said, apply, params
from airflow_mlops.cli.convert.words import Role, role_of
from airflow_mlops.config.imports import refused_imports
from airflow_mlops.config.parts.training import Training

_BY_HAND = "write it in a hand-written DAG beside, see docs/how-to/hand-written-dag.md"
_FIXED_ORDER = "the order of the steps is the loop's own"
_FOR_ALL = "a setting of one task; a model's YAML sets its tasks all at once (execution)"
_SIGNATURE = "it is called as train(features, label, params, seed) and returns a fitted estimator"

_PYTHON = re.compile(
    r"(^|\.)(PythonOperator|(Branch|ShortCircuit|ExternalPython|PythonVirtualenv)\w*Operator|PythonSensor)$"
)
_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_NAME_TAG = "!!python/name:"
# Folders that Airflow puts on the import path: what stands below them is a module's name.
_IMPORTED_FROM = ("dags", "plugins")

# By the first word of a Python task's name that tells what it does.
_ROLES: Mapping[Role, str] = {
    "data": "its function may become data.source.callable, load(start, end, **params) -> DataFrame",
    "features": "make features in data.source.callable, or in a DAG of their own before it",
    "validation": "say what must hold of the rows in validation.expectations",
    "evaluation": "the loop evaluates on the holdout, by evaluation.metrics and gates.rules",
    "training": "it may be what training.callable should name",
    "deployment": "the loop registers and ships a model that passes its gates, see deploy",
    "monitoring": "monitor watches the model while it serves",
    "inference": f"scoring in batches: {_BY_HAND}",
    "notice": f"a notice: {_BY_HAND}",
}
# By the end of an operator's name.
_OPERATORS: Mapping[str, str] = {
    "EmptyOperator": "it does nothing",
    "DummyOperator": "it does nothing",
    "TriggerDagRunOperator": "the model's DAGs start each other by assets; for others, " + _BY_HAND,
    "Sensor": "waiting for something outside: " + _BY_HAND,
}
_SETTINGS: Mapping[str, str] = {
    "dependencies": _FIXED_ORDER,
    "task_group_name": _FIXED_ORDER,
    "expand": "a run trains one model: make one YAML for each",
    "partial": "a run trains one model: make one YAML for each",
    "op_kwargs": "no function was told to take them; write them in training.params",
    "op_args": "the function gets its arguments by name; write them in training.params",
    "templates_dict": "filled in when the task runs; training.params are plain values",
    "outlets": "the model's own assets are <model>/challenger and <model>/champion",
    "inlets": "what a run read is in its snapshot",
    "provide_context": "the function gets no Airflow context",
    **dict.fromkeys(("email", "email_on_failure", "on_failure_callback"), TELL_FAILURE),
}
# Settings that every task has, so that in a TaskFlow task the other keys are the function's arguments.
_AIRFLOW_SETTINGS = (
    " depends_on_past do_xcom_push doc_md email email_on_failure email_on_retry execution_timeout executor "
    "executor_config inlets max_active_tis_per_dag multiple_outputs on_execute_callback on_failure_callback "
    "on_retry_callback on_skipped_callback on_success_callback outlets owner params pool pool_slots "
    "priority_weight queue retries retry_delay retry_exponential_backoff sla task_display_name "
    "trigger_rule wait_for_downstream weight_rule "
)


@dataclass(frozen=True, slots=True)
class _Task:
    name: str
    node: Node

    @property
    def operator(self) -> str:
        node = self.node.at("operator") or self.node.at("decorator")
        return node.text if node is not None else ""

    @property
    def is_taskflow(self) -> bool:
        return self.node.at("decorator") is not None

    @property
    def is_python(self) -> bool:
        return self.is_taskflow or _PYTHON.search(self.operator) is not None

    @property
    def role(self) -> Role | None:
        return role_of(self.name) or role_of(self.function)

    @property
    def called(self) -> str:
        given = self.node.at("python_callable") or self.node.at("python_callable_name")
        return _dotted(given) if given is not None else ""

    @property
    def function(self) -> str:
        return self.called.rpartition(".")[2]


def carry_tasks(draft: Draft, settings: Mapping[str, Node]) -> None:
    """The one task that trains becomes ``training``; every other is left, with where it belongs."""
    tasks = list(_tasks(draft, settings["tasks"]))
    training = [task for task in tasks if task.is_python and task.role == "training"]
    if len(training) == 1:
        _carry_training(draft, training[0])
    elif named := [f"task {shown(task.name)}" for task in training or tasks if task.is_python]:
        draft.hint("training", f"{', '.join(named[:5])} may be it")
    reading = [task for task in tasks if task.is_python and task.role == "data"]
    if len(reading) == 1:
        draft.hint(
            "data.source.callable", f"the task {shown(reading[0].name)} reads by {shown(reading[0].called)}"
        )
    for task in tasks:
        if training != [task]:
            draft.leave(task.node, f"{_kind(task)} of the task {shown(task.name)}", _where(task))
    if (groups := settings.get("task_groups")) is not None:
        draft.leave(groups, "task_groups", _FIXED_ORDER)


def _tasks(draft: Draft, node: Node) -> list[_Task]:
    """From a mapping, or from a list whose entries carry a ``task_id``."""
    if node.entries:
        return [_Task(name, task) for name, task in node.entries.items()]
    found = []
    for number, task in enumerate(node.items, 1):
        name = task.at("task_id")
        if name is None:
            draft.leave(task, f"task {number}", "has no task_id")
        else:
            found.append(_Task(name.text, task))
    return found


def _kind(task: _Task) -> str:
    kind = task.operator.rpartition(".")[2]
    return f"@{kind}" if task.is_taskflow else kind or "no operator"


def _where(task: _Task) -> str:
    if task.is_python and task.role is not None:
        return _ROLES[task.role]
    kind = _kind(task)
    return next((why for end, why in _OPERATORS.items() if kind.endswith(end)), _BY_HAND)


def _carry_training(draft: Draft, task: _Task) -> None:
    label = f"of the task {shown(task.name)}"
    read = _carry_callable(draft, task, label)
    has_callable = "training.callable" in draft.values
    arguments = {}
    for what, node in task.node.entries.items():
        if what in ("task_id", *read):
            continue
        if what == "op_kwargs" and has_callable:
            params(draft, node, "op_kwargs", label, "training.params")
        elif what in AIRFLOW:
            apply(draft, node, f"{what} {label}", AIRFLOW[what])
        elif task.is_taskflow and has_callable and not _is_setting(what):
            arguments[what] = node
        else:
            draft.leave(node, f"{what} {label}", _SETTINGS.get(what, _FOR_ALL))
    if arguments:
        params(draft, Node(arguments, task.node.place), "arguments", label, "training.params")


def _is_setting(what: str) -> bool:
    return what in _SETTINGS or f" {what} " in _AIRFLOW_SETTINGS


def _carry_callable(draft: Draft, task: _Task, label: str) -> tuple[str, ...]:
    """The keys of the task that this has dealt with."""
    given, file = task.node.at("python_callable"), task.node.at("python_callable_file")
    name = task.node.at("python_callable_name")
    if given is not None:
        rule = Rule("training.callable", _import_path)
        _apply_or_hint(draft, given, f"{_kind(task)} python_callable {label}", rule, _dotted(given))
    elif name is not None and file is not None:
        path, note = _from_file(file, name)
        if _IMPORT_PATH.fullmatch(path) and not _refusal(path):
            draft.carry(name, f"python_callable_name {label}", "training.callable", path, note)
        else:
            draft.leave(
                name,
                f"python_callable_name {label}",
                "no module that may be imported can be told from its path",
            )
            draft.hint(
                "training", f"the task {shown(task.name)} trains by {shown(name.text)} in {shown(file.text)}"
            )
    return ("operator", "decorator", "python_callable", "python_callable_name", "python_callable_file")


def _apply_or_hint(draft: Draft, node: Node, what: str, rule: Rule, said: str) -> None:
    if not apply(draft, node, what, rule):
        draft.hint("training", f"the source says {shown(said)}")


def _dotted(node: Node) -> str:
    """``package.module.function``, given as text or by the tag that PyYAML's loader would import."""
    return node.tag.removeprefix(_NAME_TAG) if node.tag.startswith(_NAME_TAG) else node.text


def _import_path(node: Node) -> Said:
    module, _, function = _dotted(node).rpartition(".")
    path = f"{module}:{function}"
    if not _IMPORT_PATH.fullmatch(path):
        raise ValueError(f"{shown(_dotted(node))!r} is no package.module.function")
    if reason := _refusal(path):
        raise ValueError(reason)
    return Said(path, _SIGNATURE)


def _refusal(path: str) -> str:
    """Why a model may not name this code, or nothing."""
    found = refused_imports(Training(callable=path), ())
    return next((message for _, message, _ in found), "")


def _from_file(file: Node, name: Node) -> tuple[str, str]:
    """The import path of a function in a file: from below dags/ or plugins/, else the file's own name."""
    parts = PurePosixPath(file.text.removesuffix(".py")).parts
    below = next((at for at in range(len(parts) - 1, -1, -1) if parts[at] in _IMPORTED_FROM), len(parts) - 2)
    module = ".".join(parts[below + 1 :])
    return f"{module}:{name.text}", f"of {file.text}, which must be importable as {module}; {_SIGNATURE}"
