"""Let the triggerer watch a model's ledger, and start a DAG of your own when drift is found.

Use this instead of the monitor's own asset where the monitor runs elsewhere, in another Airflow on the same
store, or where the DAG may be paused for a while: as long as it has not taken a cause, it is woken again
every hour.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_mlops.operators import TakeCausesOperator
from airflow_mlops.triggers import CauseTrigger

NAME = "example_drift_watcher"
WATCH = CauseTrigger(model="flight_delay", causes=["drift"], consumer=NAME, poll_interval=60)
DRIFT = Asset("flight_delay/drift_watched", watchers=[AssetWatcher(name=NAME, trigger=WATCH)])


@task
def open_a_ticket(taken: dict[str, Any]) -> str:
    """The causes are plain JSON."""
    features = {name for cause in taken["causes"] for name in cause["features"]}
    return f"{taken['model']}: look at {', '.join(sorted(features))}"


with DAG(
    NAME,
    schedule=[DRIFT],
    description="A DAG that the triggerer starts when a model's inputs have drifted",
    doc_md=__doc__,
    max_active_runs=1,
    tags=["example"],
) as dag:
    taken = TakeCausesOperator(task_id="take_causes", model="flight_delay", causes=["drift"], retries=2)
    open_a_ticket(taken.output)
