"""What is wrong between the gates on the model itself and the rest of a file whose parts are each right."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.gates_baseline import BaselineGate
from airflow_mlops.config.parts.gates_folds import CrossValidationGate
from airflow_mlops.config.parts.gates_resources import LatencyGate
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.core.gates import fewest_for_quantile


def model_gate_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Where, and what to do about it."""
    gates = config.gates
    if gates.bootstrap == "thresholds_only" and not any(rule.judges_first for rule in gates.rules):
        yield (
            ("gates", "rules"),
            "no threshold: a first model, which has no champion to beat, would be judged by nothing; "
            "add a rule of type threshold, or a baseline, or bootstrap: refuse",
        )
    for index, rule in enumerate(gates.rules):
        at: KeyPath = ("gates", "rules", index)
        if isinstance(rule, LatencyGate):
            yield from _latency(rule, config.evaluation.confidence, at)
        if isinstance(rule, BaselineGate):
            yield from _baseline(rule, config, at)
        if isinstance(rule, CrossValidationGate) and config.evaluation.cross_validation is None:
            yield at, "there are no folds to judge: give evaluation.cross_validation"


def _baseline(rule: BaselineGate, config: ModelConfig, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    data = config.data
    if rule.kind == "last_value" and config.task.endswith("classification"):
        yield (*at, "kind"), f"the last value is no answer to a {config.task}; use constant"
    if rule.kind == "column" and config.task == "multiclass_classification":
        yield (*at, "kind"), "one column cannot hold the probabilities of several classes; use constant"
    for name, word in ((data.label, "label"), (data.key, "key"), (data.time_column, "time column")):
        if rule.column == name:
            yield (*at, "column"), f"{name!r} is the {word}, not the answers of another system"


def _latency(rule: LatencyGate, confidence: float, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    needed = fewest_for_quantile(rule.percentile / 100, confidence)
    if rule.decide_by != "value" and rule.calls < needed:
        yield (
            (*at, "calls"),
            f"{rule.calls} calls give no interval of the {rule.percentile}th percentile at "
            f"{100 * confidence:g} %; ask for {needed} or more, or decide_by: value",
        )
