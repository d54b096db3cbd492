"""A bundle that Databricks mlops-stacks generated, as the draft of a model.

Its training job trains, validates and deploys in three notebooks; its monitor and retraining job watch the
table of predictions. Jobs and tasks are told by the words of their names, since people rename both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from airflow_mlops.cli.convert.bundle import Bundle, read_bundle
from airflow_mlops.cli.convert.draft import TELL_FAILURE, TELL_LATE, Draft, Left, model_name, shown
from airflow_mlops.cli.convert.mlops_stacks_monitor import carry_monitor
from airflow_mlops.cli.convert.mlops_stacks_validation import carry_validation
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.running import DATABRICKS
from airflow_mlops.cli.convert.values import Rule, Said, apply, one_line, quartz, zone
from airflow_mlops.cli.convert.words import Role, role_of

KIND = "mlops-stacks"

_TARGET = (
    "say what differs between deployments in profiles/<name>.yaml beside the model; each Airflow has "
    "connections of its own"
)
_RIGHTS = "give roles access to the DAGs in Airflow, and to the models in MLflow"
_CLUSTER = "the steps run in the Airflow worker, or in the Python that compute.python names"
_NOTICES = dict.fromkeys(
    ("email_notifications", "webhook_notifications", "notification_settings"), TELL_FAILURE
)
_ROOT: Mapping[str, str] = {
    "target": _TARGET,
    "variable": "its default stands where the bundle used it; vars of a model's YAML could hold it",
    "permissions": _RIGHTS,
    "run_as": "Airflow's connections carry the rights to data and models",
    "workspace": _TARGET,
    "presets": _TARGET,
    "sync": "Airflow reads YAML and code from its DAG bundle, see docs/how-to/bundle.md",
    "artifacts": "install your package where the steps run",
    "experimental": "a setting of Databricks bundles",
    "environments": _TARGET,
}
_RESOURCES: Mapping[str, str] = {
    "experiments": "runs are recorded in the MLflow experiment that has the model's name",
    "models": "registered in MLflow under the model's name by the first run",
    "registered_models": "registered in MLflow under the model's name by the first run",
    "model_serving_endpoints": "deploy.target is the model server that ships with airflow-mlops",
}
_JOBS: Mapping[Role, str] = {
    "training": "one file describes one model: its first training job was taken",
    "inference": "there is no batch scoring: write it in a hand-written DAG on the asset <model>/champion",
    "features": "make features in data.source.callable, or in an Airflow DAG of their own before it",
}
_JOB: Mapping[str, str] = {
    "job_clusters": _CLUSTER,
    "environments": _CLUSTER,
    "permissions": _RIGHTS,
    **_NOTICES,
    "max_concurrent_runs": "a model has one run of each of its DAGs at a time",
    "timeout_seconds": TELL_LATE,
    "health": TELL_LATE,
    "trigger": "new files start a model by schedule.watch, tables by schedule.assets",
    "continuous": "the model would run without a pause; write schedule.cron",
    "queue": "Airflow queues runs by itself",
    "git_source": "Airflow reads code from its DAG bundle, see docs/how-to/bundle.md",
    "parameters": "what training needs stands in training.params",
    "name": "the DAGs are named <model>.train, .deploy and .monitor",
}
_TRAIN_TASK: Mapping[str, str] = {
    **dict.fromkeys(("job_cluster_key", "new_cluster", "existing_cluster_id", "environment_key"), _CLUSTER),
    "libraries": "install them where the steps run",
    "depends_on": "the order of the steps is the loop's own",
    **_NOTICES,
}
_PARAMETERS: Mapping[str, str] = {
    "env": _TARGET,
    "experiment_name": _RESOURCES["experiments"],
    "model_name": "registered in MLflow under model",
    "git_source_info": "each run records the version of its code by itself",
}
_PARAMETER = "a notebook's parameter; write it in training.params if the training function takes it"
_OTHER = "no key of a model's YAML stands for it"


def describes(root: Node) -> bool:
    """Whether a file is the head of a Databricks bundle."""
    return root.at("bundle", "name") is not None


def draft_of(root: Node, path: Path) -> tuple[Draft, list[Left]]:
    """The one model of a bundle; and parts of the bundle that were not looked into."""
    bundle = read_bundle(path, root)
    name = _name(bundle)
    draft = Draft(model_name(name.text), f"{path} ({KIND})")
    draft.carry(name, "the model's name", "model", draft.name, _without(name.text))
    roles = {key: _role_of_job(key, job) for key, job in bundle.resources.get("jobs", {}).items()}
    training = next((key for key, role in roles.items() if role == "training"), None)
    for key, job in bundle.resources.get("jobs", {}).items():
        if key == training:
            _carry_training_job(draft, bundle, job)
    for key, job in bundle.resources.get("jobs", {}).items():
        if roles[key] != "monitoring" and key != training:
            draft.leave(job, f"job {key}", _JOBS.get(roles[key] or "data", _BY_HAND))
    carry_monitor(draft, bundle, [key for key, role in roles.items() if role == "monitoring"])
    for kind, resources in bundle.resources.items():
        if kind not in ("jobs", "quality_monitors"):
            for key, node in resources.items():
                draft.leave(node, f"{kind}.{key}", _RESOURCES.get(kind, _OTHER))
    _leave_root(draft, bundle)
    _settle(draft)
    draft.fill_up()
    return draft, bundle.left


_BY_HAND = "no part of the loop: write it in a hand-written DAG, see docs/how-to/hand-written-dag.md"


def _name(bundle: Bundle) -> Node:
    """Of the registered model, else of the bundle."""
    declared = bundle.root.at("variables", "model_name", "default")
    registered = [
        node
        for kind in ("registered_models", "models")
        for model in bundle.resources.get(kind, {}).values()
        if (node := model.at("name")) is not None
    ]
    named = bundle.root.at("bundle", "name")
    given = [_plain(bundle, one) for one in (declared, *registered, named) if one is not None]
    return next((one for one in given if one.text), given[-1])


def _plain(bundle: Bundle, node: Node) -> Node:
    """Without references to a target, which stand before the name with a dash."""
    resolved = bundle.resolved(node)
    text = resolved.text
    while (start := text.find("${")) >= 0 and (end := text.find("}", start)) >= 0:
        text = text[:start] + text[end + 1 :]
    return Node(text.strip("-_. "), resolved.place)


def _without(text: str) -> str:
    return "" if model_name(text) == text else f"from {shown(text)}, as models may be named"


def _role_of_job(key: str, job: Node) -> Role | None:
    """A job that has a task of training is the training job, whatever it is called; a job that starts another
    one only after a check is monitoring."""
    roles = [role_of(_task_name(task)) for task in _tasks(job) if task.at("run_job_task") is None]
    for role in ("training", "monitoring"):
        if role in roles:
            return role
    return role_of(key) or next((role for role in roles if role), None)


def _tasks(job: Node) -> list[Node]:
    tasks = job.at("tasks")
    return tasks.items if tasks is not None else []


def _task_name(task: Node) -> str:
    key = task.at("task_key")
    return key.text if key is not None else ""


def _carry_training_job(draft: Draft, bundle: Bundle, job: Node) -> None:
    takers: Mapping[str, Callable[[Node], None]] = {
        "schedule": partial(_carry_schedule, draft, bundle),
        "description": lambda node: _carry_text(draft, bundle, node),
        "tags": partial(_carry_tags, draft),
        "tasks": lambda node: _carry_tasks(draft, bundle, node),
    }
    for what, node in job.entries.items():
        if what in takers:
            takers[what](node)
        else:
            draft.leave(node, f"{what} of the training job", _JOB.get(what, _OTHER))


def _carry_text(draft: Draft, bundle: Bundle, node: Node) -> None:
    apply(draft, bundle.resolved(node), "description of the training job", Rule("description", one_line))


def _carry_tags(draft: Draft, node: Node) -> None:
    apply(draft, node, "tags of the training job", Rule("tags", _tags))


def _tags(node: Node) -> Said:
    """Databricks has keys with values, Airflow words."""
    words = [f"{key}:{one.text}" if one.text else key for key, one in node.entries.items()]
    if not words or not all(len(word) <= 100 and "${" not in word for word in words):
        raise ValueError("not keys with texts, together at most 100 characters")
    return Said(words)


def _carry_schedule(draft: Draft, bundle: Bundle, node: Node) -> None:
    for what, given in node.entries.items():
        label = f"schedule.{what} of the training job"
        one = bundle.resolved(given)
        match what:
            case "quartz_cron_expression":
                if not apply(draft, one, label, Rule("schedule.cron", quartz)):
                    draft.want("schedule.cron", f"a cron line or a preset, in place of {shown(one.text)}")
            case "timezone_id":
                if not apply(draft, one, label, Rule("schedule.timezone", zone)):
                    draft.want("schedule.timezone", f"an IANA time zone, in place of {shown(one.text)}")
            case "pause_status":
                draft.leave(given, label, "pause or unpause the DAG in Airflow")
            case _:
                draft.leave(given, label, _OTHER)


def _carry_tasks(draft: Draft, bundle: Bundle, node: Node) -> None:
    for task in node.items:
        name = _task_name(task)
        match role_of(name):
            case "training":
                _carry_train_task(draft, bundle, task)
            case "validation":
                carry_validation(draft, bundle, task)
            case "deployment":
                draft.carry(task, f"task {name}", "level", 2, "it ships by itself, through shadow and canary")
            case role:
                draft.leave(task, f"task {shown(name)}", _JOBS.get(role, _BY_HAND) if role else _BY_HAND)


def _carry_train_task(draft: Draft, bundle: Bundle, task: Node) -> None:
    name = shown(_task_name(task))
    for what, node in task.entries.items():
        label = f"{what} of the task {name}"
        match what:
            case "task_key":
                continue
            case _ if what in DATABRICKS:
                apply(draft, bundle.resolved(node), label, DATABRICKS[what])
            case "notebook_task":
                _carry_notebook(draft, bundle, node, name)
            case "spark_python_task" | "python_wheel_task":
                told = ", ".join(one.text for one in node.entries.values() if one.text)
                draft.hint("training", f"made of {shown(told)}, {node.place}")
                draft.leave(
                    node, f"{label} {shown(told)}", "a program; training.callable is a function of yours"
                )
            case _:
                draft.leave(node, label, _TRAIN_TASK.get(what, _OTHER))


def _carry_notebook(draft: Draft, bundle: Bundle, node: Node, name: str) -> None:
    for what, given in node.entries.items():
        label = f"{what} of the task {name}"
        if what == "notebook_path":
            draft.hint("training", f"made of the notebook {shown(given.text)}, {given.place}")
            draft.leave(given, label, "a notebook; make its training a function, for training.callable")
        elif what == "base_parameters":
            for key, one in given.entries.items():
                _leave_parameter(draft, bundle, key, one, name)
        else:
            draft.leave(given, label, _OTHER)


def _leave_parameter(draft: Draft, bundle: Bundle, key: str, node: Node, task: str) -> None:
    if key == "training_data_path":
        said = shown(bundle.resolved(node).text)
        draft.hint("data.source.callable", f"the bundle reads {said}, {node.place}")
        why = "a table on Databricks; read it in data.source.callable"
    else:
        why = _PARAMETERS.get(key, _PARAMETER)
    draft.leave(node, f"{key} of the task {task}", why)


def _leave_root(draft: Draft, bundle: Bundle) -> None:
    for what, node in _root_parts(bundle.root):
        draft.leave(node, what, _ROOT.get(what.partition(" ")[0], _OTHER))


def _root_parts(root: Node) -> Iterator[tuple[str, Node]]:
    for key, node in root.entries.items():
        if key == "targets":
            yield from ((f"target {name}", target) for name, target in node.entries.items())
        elif key == "variables":
            names = ((name, one) for name, one in node.entries.items() if name != "model_name")
            yield from ((f"variable {name}", one) for name, one in names)
        elif key not in ("bundle", "include", "resources"):
            yield key, node


def _settle(draft: Draft) -> None:
    """What only the whole tells: crons need a start, and rules need their metrics."""
    rules = [rule["metric"] for rule in draft.values.get("gates.rules", [])]
    watched = [draft.values[key] for key in ("monitor.performance.metric",) if key in draft.values]
    if rules or watched:
        origin = "gates.rules" if rules else "monitor.performance.metric"
        draft.derive("evaluation.metrics", list(dict.fromkeys([*rules, *watched])), origin)
    if draft.values.get("level") == 3 and not draft.asks_or_says("monitor.cron"):
        draft.want("monitor.cron", "when monitoring looks, as in '@daily'")
    if any(draft.asks_or_says(key) for key in ("schedule.cron", "monitor.cron")):
        draft.want("schedule.start", "when the first interval begins, as in 2024-01-01")
