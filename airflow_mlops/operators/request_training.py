"""Asks for training: starts the train DAG with the cause, and tells whoever else listens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.operators.base import bare

LONGEST_NOTE = 1_000
"""Airflow's column holds no more."""
MOST_RUNS = 50
"""For one request; each but the last ended without taking it."""


class RequestTrainingOperator(TriggerDagRunOperator):
    """Starts ``train_dag_id`` for the request of ``value`` (what ``DecideRetrainingOperator`` returned), and
    emits an event of each of its ``outlets`` with all of it as the event's extra.

    Skipped unless the decision was to retrain, or an earlier request still waits for its run, which is then
    started if it is not there, and again where it ended before it took the request: it failed, or was held.
    The run's conf has request, cause, window, reasons and reports, and its note
    says the cause in words. It is named after the request, so that no repeat starts another, and where the
    policy has quiet hours it waits in Airflow's queue until they are over. A run that an asset starts could
    have neither conf nor note; and where the train DAG is paused, no event reaches it.
    """

    template_fields: Sequence[str] = ("value",)
    template_fields_renderers: ClassVar[dict[str, str]] = {}

    def __init__(self, *, value: Any, train_dag_id: str, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id=train_dag_id, skip_when_already_exists=True, **kwargs)
        self.value = value

    def execute(self, context: Any) -> None:
        """Hand over to Airflow, which makes the run and, when that is done, emits the events."""
        decided, waits_already = _asked_for(self.value)
        if decided is None:
            raise AirflowSkipException(f"no training is asked for: {_told(self.value)}")
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra.update(decided)
        self.conf = conf_of(decided)
        self.note = note_of(decided)
        self.trigger_run_id = run_id_of(decided)
        if waits_already:
            self.trigger_run_id = self._after_those_that_ended(self.trigger_run_id, context)
        waits = decided["decision"].get("not_before")
        # Never a logical date: Airflow would infer a data interval from it, and the run train as of that.
        self.run_after = waits or datetime.now(timezone.utc).isoformat()
        self.log.info("Asking %s for training:\n%s", self.trigger_dag_id, self.note)
        super().execute(context)

    def _after_those_that_ended(self, run_id: str, context: Any) -> str:
        """The first name of which no run has ended. Another run and not the same one cleared: should the
        request be taken at this moment, it finds nothing to do."""
        names = [run_id, *(f"{run_id}__{again}" for again in range(2, MOST_RUNS + 1))]
        for name in names:
            if not context["ti"].get_dr_count(
                dag_id=self.trigger_dag_id, run_ids=[name], states=["success", "failed"]
            ):
                return name
        raise AirflowSkipException(
            f"{MOST_RUNS} runs of {self.trigger_dag_id} ended before they took the request {run_id}: see why "
            "in their snapshot, then start a run by hand, which takes it"
        )


def conf_of(decided: Mapping[str, Any]) -> dict[str, Any]:
    """What the run's conf says of its cause."""
    decision = decided["decision"]
    return {
        "request": decided["request_id"],
        "cause": decision["cause"],
        "also": list(decision.get("also") or ()),
        "window": dict(decided["window"]),
        "reasons": list(decision["reasons"]),
        "scores": dict(decided.get("summary") or {}),
        "reports": dict(decided.get("evidence") or {}),
    }


def note_of(decided: Mapping[str, Any]) -> str:
    """The cause in words, in the Markdown that Airflow shows, as far as a note may be long."""
    decision = decided["decision"]
    causes = " and ".join([decision["cause"], *(decision.get("also") or ())])
    lines = [f"**Retraining because of {causes}**", "", *(f"- {reason}" for reason in decision["reasons"])]
    note = "\n".join(lines)
    return note if len(note) <= LONGEST_NOTE else f"{note[: LONGEST_NOTE - 4]} ..."


def run_id_of(decided: Mapping[str, Any]) -> str:
    """The same for every repeat of one request, and readable in a list of runs."""
    end = datetime.fromisoformat(str(decided["window"]["end"]))
    return f"retrain__{end:%Y-%m-%dT%H:%M}__{str(decided['request_id'])[:8]}"


def _asked_for(value: Any) -> tuple[dict[str, Any] | None, bool]:
    """What was decided, or (True) what was decided earlier and no run has taken."""
    if not value:
        return None, False
    decided: dict[str, Any] = bare(value)
    if decided["decision"]["action"] == "retrain":
        return {name: item for name, item in decided.items() if name != "waiting"}, False
    waiting: dict[str, Any] | None = bare(decided.get("waiting"))
    return waiting, True


def _told(value: Any) -> str:
    if not value:
        return "nothing was decided upstream"
    decision = value["decision"]
    return f"the decision was to {decision['action']}: {'; '.join(decision['reasons'])}"
