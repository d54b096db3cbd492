"""Causes for DAGs of anybody's: the monitor tells of them, and whoever acts takes them, each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.operators.base import StepOperator, bare
from airflow_mlops.operators.errors import airflow_errors

# Whoever only parses a DAG pays for each import at the top of this file: the rest waits for its first use.
if TYPE_CHECKING:
    from pathlib import Path

    from airflow_mlops.config.described import Described
    from airflow_mlops.config.models import ModelConfig
    from airflow_mlops.core.causes import FoundCause, TakenCause


class AnnounceCauseOperator(StepOperator):
    """Records the drift or decay that a report has found, and emits an event of each of its ``outlets``.

    Decay that shows in an earlier window, since its labels have landed, is found as well. ``report`` is the
    output of ``DriftOperator`` for ``cause="drift"``, of ``PerformanceOperator`` for ``cause="decay"``;
    ``quality`` that of ``DataQualityOperator``. The event carries the causes: report, features, slices,
    window, scores. Skipped, and then Airflow emits no event, where there is none, where the data came in
    broken, and in a backfill. The ledger has the cause before anybody is woken.
    """

    step = "find_cause"
    clock = "monitoring"
    inputs = template_fields = ("collected", "quality", "report")
    optional_inputs = ("quality",)

    def __init__(
        self, *, cause: FoundCause, collected: Any, report: Any, quality: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cause = cause
        self.collected = collected
        self.quality = quality
        self.report = report

    def execute(self, context: Any) -> dict[str, Any]:
        """Put the cause into the events; Airflow emits them when the task succeeds."""
        found = super().execute(context)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra.update(bare(found))
        return found

    def request(self, context: Any, configured: Any, **more: Any) -> dict[str, Any]:
        """The step's request as JSON values."""
        return super().request(context, configured, cause=self.cause, **more)


class TakeCausesOperator(BaseOperator):
    """Takes every cause that is pending for this DAG, each once; skipped where there is none.

    Put it first in a DAG that acts on ``drift``, ``decay`` or ``retrain`` (a request of the retraining
    policy, which one run in all can take). An event only wakes the DAG: Airflow merges events, and a paused
    DAG gets none. What there is to do stands in the ledger, where no cause is lost. A cause is taken by one
    run, and a retry of this task finds it again; where a run failed for good, clear its tasks.

    ``model`` is a model's name, a ``Model``, its configuration, or the path of its YAML (``.yaml`` or
    ``.yml``). ``consumer`` names who takes, if it is not this DAG: DAGs with one name share the causes.
    ``since`` leaves out what was found before; if it is not given, that is the DAG's ``start_date``. The
    result holds ``causes``, oldest first, and all their ``reasons``.
    """

    result_form: ClassVar[str] = "airflow_mlops.core.causes:Causes"

    def __init__(
        self,
        *,
        model: Described | ModelConfig | str | Path,
        causes: Sequence[TakenCause] = ("drift", "decay"),
        consumer: str | None = None,
        since: datetime | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if unknown := sorted(set(causes) - {"drift", "decay", "retrain"}):
            raise ValueError(f"no such cause: {', '.join(unknown)}; there are drift, decay and retrain")
        self.model = model
        self.causes = list(causes)
        self.consumer = consumer
        self.since = since

    def execute(self, context: Any) -> dict[str, Any]:
        """Claim them in the ledger."""
        from airflow_mlops.hooks.backends import connect_store
        from airflow_mlops.hooks.causes import taken_json, taker_of
        from airflow_mlops.hooks.model import name_of
        from airflow_mlops.steps.take_causes import take_causes

        with airflow_errors():
            dag = self.get_dag()
            model = name_of(self.model, dag)
            taker = taker_of(context, self.consumer)
            since = self.since or getattr(dag, "start_date", None)
            taken = take_causes(connect_store().ledger, model, self.causes, taker, since)
        if not taken:
            told = " or ".join(self.causes)
            raise AirflowSkipException(f"nothing to do: no {told} of {model} is pending for {taker.consumer}")
        for event in taken:
            self.log.info("Took %s", "; ".join([event.subject, *event.reasons]))
        return taken_json(model, taken)
