"""What is wrong between gates on groups of rows, or on calibration, and the rest of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.cuts import Groups
from airflow_mlops.config.parts.gates_calibration import CALIBRATION_OF, CalibrationGate
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
            yield from _measure_problems(rule, FAIRNESS_OF, "fairness", (*at, "measure"), config)
        if isinstance(rule, CalibrationGate):
            yield from _measure_problems(rule, CALIBRATION_OF, "calibration", (*at, "measure"), config)


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
            elif name in data.texts:
                yield (*at, index), f"{name!r} is text: nearly every row would be a group of its own"
            elif name not in config.columns:
                hint = nearest(name, config.columns) or "list it there"
                yield (*at, index), f"{name!r} is neither in data.features nor in data.sensitive; {hint}"


def _edge_problems(rule: Groups, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    for name, edges in rule.edges.items():
        if list(edges) != sorted(set(edges)):
            yield (*at, name), "must go up, each edge once"


def _measure_problems(
    rule: FairnessGate | CalibrationGate,
    measures_of: Mapping[str, frozenset[str]],
    what: str,
    at: KeyPath,
    config: ModelConfig,
) -> Iterator[tuple[KeyPath, str]]:
    allowed = measures_of.get(config.task, frozenset())
    if not allowed:
        yield at, f"a {config.task} decides nothing about a row alone: no measure of {what} is for it"
    elif rule.measure not in allowed:
        yield at, f"{rule.measure} does not fit task {config.task}; use one of {', '.join(sorted(allowed))}"
