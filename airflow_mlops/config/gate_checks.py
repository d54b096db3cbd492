"""What is wrong between the gates on groups of rows and the rest of a file."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.cuts import Groups
from airflow_mlops.config.parts.gates_groups import FAIRNESS_OF, FairnessGate, SlicesGate
from airflow_mlops.config.problems import KeyPath, nearest


def gate_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Columns that nobody reads, and measures that say nothing about the task."""
    for index, rule in enumerate(config.gates.rules):
        at: KeyPath = ("gates", "rules", index)
        if isinstance(rule, Groups):
            yield from _edge_problems(rule, (*at, "edges"))
        if isinstance(rule, SlicesGate):
            yield from _column_problems(rule.by, (*at, "by"), config)
        if isinstance(rule, FairnessGate):
            yield from _column_problems(rule.sensitive, (*at, "sensitive"), config)
            if problem := _fairness_problem(rule, config):
                yield (*at, "measure"), problem


def _column_problems(
    cuts: tuple[tuple[str, ...], ...], at: KeyPath, config: ModelConfig
) -> Iterator[tuple[KeyPath, str]]:
    data = config.data
    outcome = {
        data.label: "the label",
        data.key: "the key, which has one row a value",
        data.time_column: "the time of a row",
    }
    for index, cut in enumerate(cuts):
        for name in cut:
            if name in outcome:
                yield (*at, index), f"{name!r} is {outcome[name]}: it makes no groups"
            elif name not in data.columns:
                hint = nearest(name, data.columns) or "list it there"
                yield (*at, index), f"{name!r} is neither in data.features nor in data.sensitive; {hint}"


def _edge_problems(rule: Groups, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    for name, edges in rule.edges.items():
        if list(edges) != sorted(set(edges)):
            yield (*at, name), "must go up, each edge once"


def _fairness_problem(rule: FairnessGate, config: ModelConfig) -> str | None:
    allowed = FAIRNESS_OF.get(config.task, frozenset())
    if rule.measure in allowed:
        return None
    if not allowed:
        return f"a {config.task} decides nothing about a row alone: no measure of fairness is for it"
    return f"{rule.measure} does not fit task {config.task}; use one of {', '.join(sorted(allowed))}"
