"""The table of steps, and the one way to run any of them: JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends

STEPS: Mapping[str, str] = MappingProxyType(
    {
        "snapshot": "airflow_mlops.steps.snapshot:snapshot",
        "validate": "airflow_mlops.steps.validate:validate",
        "contracts": "airflow_mlops.steps.contracts:contracts",
        "model_tests": "airflow_mlops.steps.model_tests:model_tests",
        "sample_run": "airflow_mlops.steps.sample_run:sample_run",
        "tune_search": "airflow_mlops.steps.tune_search:tune_search",
        "tune_choose": "airflow_mlops.steps.tune_choose:tune_choose",
        "train": "airflow_mlops.steps.train:train",
        "evaluate": "airflow_mlops.steps.evaluate:evaluate",
        "gate": "airflow_mlops.steps.gate:gate",
        "record_review": "airflow_mlops.steps.review:record_review",
        "register": "airflow_mlops.steps.register:register",
        "take_challenger": "airflow_mlops.steps.take_challenger:take_challenger",
        "smoke_serve": "airflow_mlops.steps.smoke_serve:smoke_serve",
        "record_approval": "airflow_mlops.steps.approval:record_approval",
        "open_stage": "airflow_mlops.steps.stage:open_stage",
        "judge_stage": "airflow_mlops.steps.stage:judge_stage",
        "look_quality": "airflow_mlops.steps.look_quality:look_quality",
        "ab_report": "airflow_mlops.steps.ab_report:ab_report",
        "promote": "airflow_mlops.steps.promote:promote",
        "roll_back": "airflow_mlops.steps.roll_back:roll_back",
        "bring_up": "airflow_mlops.steps.bring_up:bring_up",
        "reverse": "airflow_mlops.steps.reverse:reverse",
        "choose_partitions": "airflow_mlops.steps.choose_partitions:choose_partitions",
        "score": "airflow_mlops.steps.score:score",
        "collect": "airflow_mlops.steps.collect:collect",
        "data_quality": "airflow_mlops.steps.data_quality:data_quality",
        "drift": "airflow_mlops.steps.drift:drift",
        "performance": "airflow_mlops.steps.performance:performance",
        "decide": "airflow_mlops.steps.decide:decide",
        "plan_healing": "airflow_mlops.steps.plan_healing:plan_healing",
        "find_cause": "airflow_mlops.steps.find_cause:find_cause",
    }
)


def run_step(name: str, request: Mapping[str, Any], backends: Backends) -> dict[str, Any] | None:
    """Run a step on plain JSON values; None where it found nothing to do.

    Raises ``KeyError`` for a name that is not in ``STEPS``, ``pydantic.ValidationError`` for a request of
    the wrong form, and whatever the step raises (an ``MlopsError`` for all that was foreseen).
    """
    step = _load(name)
    hints = get_type_hints(step)
    typed = TypeAdapter(hints["request"]).validate_json(json.dumps(dict(request)))
    result = step(typed, backends)
    if result is None:
        return None
    dumped = TypeAdapter(hints["return"]).dump_python(result, mode="json")
    if not isinstance(dumped, dict):
        raise TypeError(f"step {name} returned {type(result).__name__}, which is no JSON object")
    return dumped


def dump_request(request: Any) -> dict[str, Any]:
    """A request of ``steps.requests`` as the plain JSON values that ``run_step`` takes."""
    dumped = TypeAdapter(type(request)).dump_python(request, mode="json")
    if not isinstance(dumped, dict):
        raise TypeError(f"{type(request).__name__} is no request")
    return dumped


def _load(name: str) -> Callable[..., Any]:
    module, _, attribute = STEPS[name].partition(":")
    step: Callable[..., Any] = getattr(import_module(module), attribute)
    return step
