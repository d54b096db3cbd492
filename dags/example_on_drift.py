"""Start a DAG of your own when a model's monitor finds drift or decay, and act on each finding once.

``flight_delay.monitor`` emits the two assets when it has found something. Airflow may merge several events
into one run, and gives a paused DAG none: what there is to do stands in the ledger, and
``TakeCausesOperator`` takes all of it, each cause once. It is skipped where nothing is pending.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_mlops.operators import TakeCausesOperator


@task
def tell_the_team(taken: dict[str, Any]) -> list[str]:
    """Each cause says what it is, of which version, when, by which features, and where its report is."""
    return [
        f"{cause['subject']}: {', '.join(cause['reasons'])}; see {cause['reports'][0]}"
        for cause in taken["causes"]
    ]


with DAG(
    "example_on_drift",
    schedule=Asset("flight_delay/drift") | Asset("flight_delay/decay"),
    description="What is to happen when a model's monitor finds something",
    doc_md=__doc__,
    max_active_runs=1,
    tags=["example"],
) as dag:
    taken = TakeCausesOperator(
        task_id="take_causes", model="flight_delay", causes=["drift", "decay"], retries=2
    )
    tell_the_team(taken.output)
