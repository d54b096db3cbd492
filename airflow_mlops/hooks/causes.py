"""Who takes causes, by Airflow's context, and what sensors and operators hand on of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.core.causes import CauseEvent, Taker


def taker_of(context: Mapping[str, Any], consumer: str | None) -> Taker:
    """The run that takes, for its DAG unless another name is given."""
    run = context["dag_run"]
    return Taker(consumer or str(run.dag_id), str(run.dag_id), str(run.run_id), datetime.now(timezone.utc))


def taken_json(model: str, taken: Sequence[CauseEvent]) -> dict[str, Any]:
    """Causes in JSON values, for XCom."""
    reasons = dict.fromkeys(reason for event in taken for reason in event.reasons)
    return {"model": model, "causes": causes_json(taken), "reasons": list(reasons)}


def causes_json(events: Sequence[CauseEvent]) -> list[dict[str, Any]]:
    """Causes in JSON values."""
    from pydantic import TypeAdapter

    dumped: list[dict[str, Any]] = TypeAdapter(list[CauseEvent]).dump_python(list(events), mode="json")
    return dumped
