"""The validation task of an mlops-stacks bundle: task, label, metrics and gates of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlops.cli.convert.bundle import Bundle
from airflow_mlops.cli.convert.draft import Carried, Draft, Left, shown
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.thresholds import read_thresholds
from airflow_mlops.cli.convert.values import Rule, apply, one_line
from airflow_mlops.config.parts.metrics import METRICS_OF

_LOADER = "validation_thresholds_loader_function"
_RUN_MODES: Mapping[str, str] = {
    "enabled": "the gates always hold back a model that fails them",
    "dry_run": "there is no dry run: from now on the gates hold back a model that fails them",
    "disabled": "validation cannot be switched off: from now on the gates hold back a model that fails them",
}
_BASELINES: Mapping[str, str] = {
    "true": "add {type: champion, metric: ..., margin: ...} to gates.rules: how much worse is still as good",
    "false": "gates.rules compare with no champion then; a rule of type champion would",
}
_PARAMETERS: Mapping[str, str] = {
    "validation_input": "the newest slice of the training data judges the model, see data.holdout",
    "custom_metrics_loader_function": "code of yours; evaluation.metrics are a fixed set",
    "evaluator_config_loader_function": "a setting of mlflow.evaluate, which is not used",
    "git_source_info": "each run records the version of its code by itself",
    "experiment_name": "runs are recorded in the MLflow experiment that has the model's name",
    "env": "profiles tell deployments apart",
}
_TASK: Mapping[str, str] = {
    "depends_on": "the order of the steps is the loop's own",
}
_OTHER = "evaluate and gate are steps of the loop, with the settings of all its tasks (execution)"


def carry_validation(draft: Draft, bundle: Bundle, task: Node) -> None:
    """Every parameter of the task's notebook, and the thresholds of the file beside it."""
    parameters = task.at("notebook_task", "base_parameters") or Node({}, task.place)
    for what, node in task.entries.items():
        if what not in ("task_key", "notebook_task"):
            draft.leave(node, f"{what} of the validation", _TASK.get(what, _OTHER))
    path = task.at("notebook_task", "notebook_path")
    if path is not None:
        draft.leave(path, "notebook_path of the validation", "evaluate and gate are steps of the loop")
    for key, given in parameters.entries.items():
        node, label = bundle.resolved(given), f"{key} of the validation"
        match key:
            case "model_type":
                _carry_task(draft, node, label)
            case "targets":
                apply(draft, node, label, Rule("data.label", one_line))
            case "run_mode":
                draft.leave(
                    node, f"{label} ({shown(node.text)})", _RUN_MODES.get(node.text, _RUN_MODES["enabled"])
                )
            case "enable_baseline_comparison":
                draft.leave(
                    node, f"{label} ({shown(node.text)})", _BASELINES.get(node.text, _BASELINES["true"])
                )
            case _ if key != _LOADER:
                draft.leave(
                    node, label, _PARAMETERS.get(key, "a parameter of the notebook, which is not run")
                )
    # After the others: which metrics fit depends on the task.
    if (loader := parameters.at(_LOADER)) is not None:
        _carry_thresholds(draft, loader, path)


def _carry_task(draft: Draft, node: Node, label: str) -> None:
    if node.text == "regressor":
        draft.carry(node, label, "task", "regression")
    elif node.text == "classifier":
        draft.hint("task", f"the bundle says classifier, {node.place}")
        draft.leave(node, f"{label} (classifier)", "task says how many classes there are")
    else:
        draft.leave(node, f"{label} ({shown(node.text)})", "task is one of three, none of which is this")


def _carry_thresholds(draft: Draft, loader: Node, notebook: Node | None) -> None:
    """Into gates.rules. The file stands beside the folder of the notebook, which imports it by its name."""
    label = f"{_LOADER} of the validation"
    if notebook is None:
        draft.leave(loader, label, "no notebook is named, so there is no validation.py to read")
        return
    file = Path(notebook.place.file).parent / notebook.text
    path = file.parent.parent / "validation.py"
    try:
        found = read_thresholds(Path(*_normal(path)), loader.text)
    except OSError as error:
        draft.leave(
            loader, label, f"{path} cannot be read ({error.strerror}); write its thresholds as gates.rules"
        )
        return
    except ValueError as error:
        draft.leave(loader, label, f"{error}; write its thresholds as gates.rules")
        return
    rules: list[Mapping[str, Any]] = []
    for one in found:
        if one.rule is None:
            draft.left.append(Left(one.place, one.what, one.note))
        elif not _fits(draft, one.rule["metric"]):
            draft.left.append(Left(one.place, one.what, f"no metric of a {draft.values['task']}"))
        else:
            rules.append(one.rule)
            draft.carried.append(Carried(one.place, one.what, "gates.rules", dict(one.rule), one.note))
    if rules:
        draft.values["gates.rules"] = [dict(rule) for rule in rules]
    elif not found:
        draft.leave(loader, label, "it returns no threshold")


def _fits(draft: Draft, metric: str) -> bool:
    task = draft.values.get("task")
    return task is None or metric in METRICS_OF[task]


def _normal(path: Path) -> tuple[str, ...]:
    """Without ``..``, as the bundle's paths are told from the file they stand in."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return tuple(parts)
