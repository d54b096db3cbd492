"""Validation thresholds out of the Python file of an mlops-stacks bundle, read and never run."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlops.cli.convert.reading import Place
from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.config.source import MAX_BYTES
from airflow_mlops.core.metrics import LOWER_IS_BETTER

# MLflow's and Databricks' names of metrics that we have under another; ours are taken as they are.
_METRICS: Mapping[str, str] = {
    "r2_score": "r2",
    "accuracy_score": "accuracy",
    "f1_score": "f1",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "mape": "mean_absolute_percentage_error",
    "precision_score": "precision",
    "recall_score": "recall",
}
_KNOWN = frozenset(metric for metrics in METRICS_OF.values() for metric in metrics)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One entry of the dictionary: a gate's rule, or why it is none."""

    place: Place
    what: str
    rule: Mapping[str, Any] | None
    note: str = ""


def metric_of(name: str) -> str | None:
    """Our name of a metric, if we compute it."""
    ours = _METRICS.get(name, name)
    return ours if ours in _KNOWN else None


def read_thresholds(path: Path, function: str) -> list[Threshold]:
    """What ``function`` of the file returns, if that is a dictionary of ``MetricThreshold(...)`` written out.

    Raises ``ValueError`` with the reason if it is not, ``OSError`` if there is no such file.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, about the other tool's code
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path} is no Python that can be read: {error}") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    returns = [node.value for one in functions for node in one.body if isinstance(node, ast.Return)]
    if len(returns) != 1 or not isinstance(returns[0], ast.Dict):
        raise ValueError(f"{path} has no function {function} that returns a dictionary written out")
    entries = zip(returns[0].keys, returns[0].values, strict=True)
    return [found for key, value in entries for found in _entry(str(path), key, value)]


def _entry(file: str, key: ast.expr | None, value: ast.expr) -> list[Threshold]:
    place = Place(file, value.lineno, value.col_offset + 1)
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return [Threshold(place, "a threshold", None, "its metric is not written out")]
    place = Place(file, key.lineno, key.col_offset + 1)
    what = f"threshold of {key.value}"
    if not isinstance(value, ast.Call):
        return [Threshold(place, what, None, "no MetricThreshold(...) written out")]
    given = {word.arg: _constant(word.value) for word in value.keywords if word.arg is not None}
    given |= dict(
        zip(
            ("threshold", "min_absolute_change", "min_relative_change"),
            map(_constant, value.args),
            strict=False,
        )
    )
    changes = [
        Threshold(place, f"{name} of {key.value}", None, _CHANGE)
        for name in ("min_absolute_change", "min_relative_change")
        if given.get(name) is not None
    ]
    return [*_rule(place, what, key.value, given), *changes]


_CHANGE = (
    "a champion gate asks that a challenger is not worse by more than a margin, not that it is better; "
    "add {type: champion, metric: ..., margin: ...} to gates.rules"
)


def _rule(place: Place, what: str, name: str, given: Mapping[str, Any]) -> list[Threshold]:
    if "threshold" not in given:
        return []
    bound = given["threshold"]
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not abs(bound) < 1e18:
        return [Threshold(place, what, None, "its value is not written out")]
    note = ""
    if name == "mean_squared_error" and bound >= 0:
        name, bound, note = "root_mean_squared_error", math.sqrt(bound), f"the root of {bound}"
    metric = metric_of(name)
    if metric is None:
        return [Threshold(place, what, None, "not a metric that evaluation.metrics can compute")]
    side = "maximum" if metric in LOWER_IS_BETTER else "minimum"
    said = given.get("greater_is_better", given.get("higher_is_better"))
    if isinstance(said, bool) and said == (side == "maximum"):
        return [
            Threshold(place, what, None, f"it says greater_is_better={said}, and for {metric} that is wrong")
        ]
    rule = {"type": "threshold", "metric": metric, side: bound}
    return [Threshold(place, what, rule, note)]


def _constant(node: ast.expr) -> Any:
    """A number with a sign or without, a text, true, false; None for anything else."""
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        value = node.operand.value
        return -value if isinstance(value, int | float) else None
    return node.value if isinstance(node, ast.Constant) else None
