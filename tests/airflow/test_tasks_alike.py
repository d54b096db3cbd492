"""Tasks that many models have alike are copies, and nobody can tell them from tasks made one by one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from airflow.sdk.definitions.param import ParamsDict
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlops.factory import load_file
from airflow_mlops.factory.load import load_folders
from airflow_mlops.factory.parts import PARTS

ASK = "gates: {on_fail: ask, rules: [{type: threshold, metric: roc_auc, minimum: 0.6}]}\n"
AB = (
    "deploy:\n  strategy: ab\n  deadline: 21 days\n"
    "  analysis: {minimum_duration: 14 days, metrics: [{name: orders, query: up, minimum: 1}]}\n"
)
BATCH = "deploy: {target: {type: batch}, strategy: direct}\nscore: {schedule: {assets: [raw/rain]}}\n"
TUNING = "tuning: {metric: roc_auc, space: {C: {type: float, low: 0.01, high: 10.0}}}\n"
TOLD = "[{type: webhook, conn_id: ops}]"
KINDS: dict[str, tuple[int, str]] = {
    "by_hand": (1, ""),
    "asked": (1, ASK),
    "asked_and_told": (1, f"alerts: {{on_failure: {TOLD}}}\ndeploy: {{approval: {{notify: {TOLD}}}}}\n"),
    "told": (3, f"alerts: {{routes: [{{to: {TOLD}}}]}}\n"),
    "compared": (2, AB),
    "scored": (1, BATCH),
    "tuned": (2, f"preflight: {{tests: [tests/test_model.py]}}\n{TUNING}"),
    "patient": (2, "execution: {retries: 5, pool: mlops}\n"),
    "healed": (3, "healing: {roll_back: true}\n"),
}


@pytest.fixture
def folder(model_yaml, tmp_path) -> Path:
    """Models of every kind, each of them twice, with nothing of their own in common."""
    for kind, (level, more) in KINDS.items():
        for number, owner in enumerate(("weather", "water")):
            path = model_yaml(f"{kind}_{number}", level, more)
            text = path.read_text().replace("owner: weather", f"owner: {owner}")
            if "gates:" in more:
                text = re.sub(r"gates:\n.*?(?=gates:)", "", text, flags=re.DOTALL)
            path.write_text(text)
    return tmp_path


def test_a_model_among_many_gives_the_dags_that_it_gives_alone(folder):
    found = load_folders([folder])
    assert not found.problems
    steps = set()
    for path in sorted(folder.glob("*.yaml")):
        for name, alone in load_file(path).items():
            among = found.dags[name]
            assert told(among) == told(alone)
            steps |= {type(task).__name__ for task in among.tasks}
            for task in among.tasks:
                assert settings(task) == settings(alone.get_task(task.task_id))
    assert steps >= {part.operator for part in PARTS.values()} - {"SearchParametersOperator"}  # mapped


def test_what_is_changed_in_one_task_changes_no_other(folder):
    """As a cluster policy does it, for which Airflow hands each task to the user's own code."""
    found = load_folders([folder])
    held: dict[int, str] = {}
    for dag in found.dags.values():
        for task in dag.tasks:
            for name, value in vars(task).items():
                if isinstance(value, dict | list | set | ParamsDict):
                    owner = held.setdefault(id(value), f"{dag.dag_id} {task.task_id} {name}")
                    assert owner.startswith(f"{dag.dag_id} {task.task_id} ")


def told(dag) -> str:
    return json.dumps(DagSerialization.to_dict(dag))


def settings(task) -> dict[str, str]:
    """Each attribute as text, without the places in memory of what has no other."""
    kept = {name: value for name, value in vars(task).items() if name != "_cached_logger"}
    return {name: re.sub(r" at 0x[0-9a-f]+", "", repr(value)) for name, value in kept.items()}
