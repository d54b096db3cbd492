"""What one step's result says of a model in numbers, for who sends them as they come about.

A counter's sample is what it grows by. ``model_metrics`` has the families, and reads the same off the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from airflow_mlops.core.model_metrics import Sample
from airflow_mlops.core.news import refusal_of


def result_samples(step: str, result: Mapping[str, Any]) -> list[Sample]:
    """Of a step's result, as plain JSON; none for a step that has no numbers to tell."""
    read = _RESULTS.get(step)
    return [] if read is None else list(read(result))


def _of_drift(result: Mapping[str, Any]) -> Iterator[Sample]:
    summary = result["summary"]
    if summary.get("share") is not None:
        yield Sample("drifted_columns_ratio", float(summary["share"]))
        yield Sample("drifted", bool(summary.get("drifted")))
    psi = (summary.get("prediction_drift") or {}).get("psi")
    if isinstance(psi, int | float):
        yield Sample("prediction_drift_psi", float(psi))


def _of_performance(result: Mapping[str, Any]) -> Iterator[Sample]:
    summary = result["summary"]
    if summary.get("coverage") is not None:
        yield Sample("label_coverage_ratio", float(summary["coverage"]))
    if summary.get("expected_coverage") is not None:
        yield Sample("label_coverage_expected_ratio", float(summary["expected_coverage"]))
    if summary.get("outcome") in ("pass", "fail"):
        yield Sample("decayed", summary["outcome"] == "fail")
    for name, key in (("observed_metric", "observed"), ("promised_metric", "promise")):
        if isinstance(summary.get(key), int | float):
            yield Sample(name, float(summary[key]), (str(summary.get("metric")),))


def _of_quality(result: Mapping[str, Any]) -> Iterator[Sample]:
    yield Sample("upstream_fault", bool(result["summary"].get("upstream_fault")))


def _of_collect(result: Mapping[str, Any]) -> Iterator[Sample]:
    yield Sample("window_rows", float(result["rows"]))
    yield Sample("rows_monitored_total", float(result["rows"]))
    yield Sample("windows_monitored_total", 1)


def _of_decide(result: Mapping[str, Any]) -> Iterator[Sample]:
    decision = result["decision"]
    match decision["action"]:
        case "retrain":
            yield Sample("retrains_requested_total", 1, (str(decision["cause"]),))
        case "refuse":
            reasons = tuple(decision["reasons"])
            yield Sample("retrains_refused_total", 1, (str(decision["cause"]), refusal_of(reasons)))


def _of_promote(result: Mapping[str, Any]) -> Iterator[Sample]:
    yield from _version(str(result["version"]))
    yield Sample("rollouts_total", 1, ("promoted",))
    yield Sample("rollout_open", 0)


def _of_roll_back(_: Mapping[str, Any]) -> Iterator[Sample]:
    yield Sample("rollouts_total", 1, ("rolled_back",))
    yield Sample("rollout_open", 0)


def _of_reverse(result: Mapping[str, Any]) -> Iterator[Sample]:
    yield from _version(str(result["version"]))
    yield Sample("reversals_total", 1)


def _version(version: str) -> Iterator[Sample]:
    if version.isdigit():
        yield Sample("champion_version", int(version))


_RESULTS: Mapping[str, Callable[[Mapping[str, Any]], Iterable[Sample]]] = MappingProxyType(
    {
        "collect": _of_collect,
        "data_quality": _of_quality,
        "drift": _of_drift,
        "performance": _of_performance,
        "decide": _of_decide,
        "gate": lambda result: [Sample("challengers_gated_total", 1, (str(result["outcome"]),))],
        "take_challenger": lambda _: [Sample("rollout_open", 1)],
        "promote": _of_promote,
        "roll_back": _of_roll_back,
        "reverse": _of_reverse,
    }
)
