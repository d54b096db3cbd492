"""Who takes causes, by Airflow's context, and what sensors and operators hand on of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.core.causes import CauseEvent, Causes, Taker


def taker_of(context: Mapping[str, Any], consumer: str | None) -> Taker:
    """The run that takes, for its DAG unless another name is given."""
    run = context["dag_run"]
    return Taker(consumer or str(run.dag_id), str(run.dag_id), str(run.run_id), datetime.now(timezone.utc))


def taken_json(model: str, taken: Sequence[CauseEvent]) -> dict[str, Any]:
    """Causes and their reasons in JSON values, for XCom and for events."""
    from pydantic import TypeAdapter

    dumped: dict[str, Any] = TypeAdapter(Causes).dump_python(Causes.of(model, taken), mode="json")
    return dumped
