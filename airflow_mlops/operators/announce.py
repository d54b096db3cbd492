"""Tells the next pipeline: an asset event that carries the value."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.operators.base import bare


class AnnounceOperator(BaseOperator):
    """Emits an event of each of its ``outlets`` with ``value`` as the event's extra.

    Skipped, and then Airflow emits no event, where there is nothing to announce: no value, a decision other
    than to retrain, or a backfill, whose versions never go further (``backfills``: but its predictions do).
    With ``partitioned``, who listens runs for each partition key.
    """

    template_fields = ("value",)

    def __init__(
        self, *, value: Any, partitioned: bool = False, backfills: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.partitioned = partitioned
        self.backfills = backfills

    def execute(self, context: Any) -> dict[str, Any]:
        """Put the value into the events; Airflow emits them when the task succeeds."""
        if reason := self._nothing(context):
            raise AirflowSkipException(f"nothing to announce: {reason}")
        extra: dict[str, Any] = bare(self.value)
        for outlet in self.outlets:
            event = context["outlet_events"][outlet]
            event.extra.update(extra)
            self._give_a_key(event, context["dag_run"])
        names = ", ".join(str(outlet.name) for outlet in self.outlets)
        self.log.info("Announced on %s: %s", names, extra)
        return extra

    def _give_a_key(self, event: Any, run: Any) -> None:
        """An event has the partition key of its run. One by hand has none, and whoever listens to partitions
        would never hear of it, so the run's own id is its key. Airflow 3.2 cannot give an event a key."""
        if self.partitioned and not getattr(run, "partition_key", None) and hasattr(event, "add_partitions"):
            event.add_partitions(run.run_id)

    def _nothing(self, context: Any) -> str | None:
        run_type = context["dag_run"].run_type
        if not self.backfills and getattr(run_type, "value", run_type) == "backfill":
            return "a backfill's versions are neither promoted nor deployed"
        if not self.value:
            return "upstream made nothing"
        decision = self.value.get("decision")
        if decision is not None and decision["action"] != "retrain":
            return f"the decision was to {decision['action']}: {'; '.join(decision['reasons'])}"
        return None
