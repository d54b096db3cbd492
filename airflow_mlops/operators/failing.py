"""What a failed task says of itself: its cause and the next step, in its log, in XCom, in the alert and in
the ledger; and whether it has failed so too often."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.exceptions import MlopsError

if TYPE_CHECKING:
    from airflow_mlops.backends.base import Backends
    from airflow_mlops.core.failures import Failure
    from airflow_mlops.core.healing import Stop

log = logging.getLogger(__name__)
XCOM_KEY = "failure"


def failure(step: str, error: BaseException) -> Failure:
    """The failure that an exception, with all that caused it, comes to."""
    from airflow_mlops.core.failures import Raised, failure_of
    from airflow_mlops.operators.other_python import StepFailed

    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    raised = [
        Raised(
            # A step in another Python hands on the name and the words, which may quote anybody's.
            (*([it.kind] if isinstance(it, StepFailed) else []), *(one.__name__ for one in type(it).__mro__)),
            str(it),
            isinstance(it, MlopsError) and not isinstance(it, StepFailed),
        )
        for it in chain
    ]
    return failure_of(step, raised)


def tell_failure(task: Any, step: str, error: BaseException, context: Mapping[str, Any]) -> None:
    """In the log, and as the task's XCom ``failure``, which the UI shows; the alert has it from the task."""
    found = failure(step, error)
    task.failure = {"cause": found.cause, "error": found.error, "next_step": found.next_step}
    task.failure_said = str(found)
    task.log.error("%s", found)
    try:
        context["ti"].xcom_push(key=XCOM_KEY, value=dict(task.failure))
    except Exception:  # the failure itself must be what the task ends with
        task.log.warning("The cause could not be put into XCom", exc_info=True)


class TaskKilled(MlopsError):
    """Stands for the error of a task that could not leave one."""


class NoteFailure:
    """Called by Airflow where a task failed after its last retry, before anybody is told.

    Writes the failure into the ledger and, where the step has failed the same way in ``stop_after`` runs in a
    row, that automatic runs are held from now on; the alert then says so.
    """

    def __init__(self, *, model: str, stop_after: int | None = None) -> None:
        self.model = model
        self.stop_after = stop_after

    def __call__(self, context: Mapping[str, Any]) -> None:
        """Never raises: those who are to be told come after it. A process that was killed left no error: then
        it is the scheduler that has this called."""
        task, error = context["task"], context.get("exception")
        step = _step_of(context)
        try:
            if not isinstance(error, BaseException):
                error = TaskKilled(
                    "the task ended without an error: its process was killed or its machine lost"
                )
            if getattr(task, "failure", None) is None:
                tell_failure(task, step, error, context)
            stop = self._note(failure(step, error), context)
            if stop is not None:
                task.failure_said = f"{stop}."
                log.error("%s", stop)
        except Exception:
            log.exception("Cannot note the failure of %s", step)

    def _note(self, found: Failure, context: Mapping[str, Any]) -> Stop | None:
        from airflow_mlops.core.healing import NOTED, standing_stop
        from airflow_mlops.core.ledger import Entry
        from airflow_mlops.hooks.backends import connect_store

        dag_id, run_id = context["dag_run"].dag_id, context["dag_run"].run_id
        ledger = connect_store().ledger
        about = {"model": self.model, "subject": found.step, "dag_id": dag_id, "run_id": run_id}
        now = datetime.now(timezone.utc)
        data = {
            "cause": found.cause,
            "error": found.error,
            "fingerprint": found.fingerprint,
            "next_step": found.next_step,
        }
        reasons = (found.said,) if found.said else ()
        ledger.append(
            # A task that is cleared may fail in another way: both are kept.
            Entry(**about, kind="failed", at=now, stage=found.fingerprint, reasons=reasons, data=data)
        )
        stop = standing_stop(ledger.entries(self.model, NOTED), dag_id, self.stop_after)
        if stop is not None and stop.step == found.step:
            ledger.append(Entry(**about, kind="stopped", at=now, reasons=(str(stop),), data=data))
            return stop
        return None


def skip_where_stopped(dag_id: str, model: str, stop_after: int | None, backends: Backends) -> None:
    """Raises ``AirflowSkipException`` where a step of the DAG has failed the same way too often."""
    from airflow_mlops.core.healing import NOTED, standing_stop

    stop = standing_stop(backends.ledger.entries(model, NOTED), dag_id, stop_after)
    if stop is not None:
        raise AirflowSkipException(f"held: {stop}")


class NoteRecovery:
    """Called by Airflow where a task has succeeded: one that failed in its last run has got past it, and its
    row is over. Of every task whose failures are noted, since a row that nothing ends would hold the DAG's
    automatic runs for ever.
    """

    def __init__(self, *, model: str) -> None:
        self.model = model

    def __call__(self, context: Mapping[str, Any]) -> None:
        """Never raises: the work is done. What could not be noted is noted by the next success."""
        step = _step_of(context)
        try:
            self._note(step, context["dag_run"].dag_id, context["dag_run"].run_id)
        except Exception:
            log.exception("Cannot note that %s has succeeded", step)

    def _note(self, step: str, dag_id: str, run_id: str) -> None:
        from airflow_mlops.core.healing import NOTED, has_failed
        from airflow_mlops.core.ledger import Entry
        from airflow_mlops.hooks.backends import connect_store

        ledger = connect_store().ledger
        if has_failed(ledger.entries(self.model, NOTED), dag_id, step):
            now = datetime.now(timezone.utc)
            ledger.append(
                Entry(
                    self.model,
                    "recovered",
                    step,
                    now,
                    dag_id,
                    run_id,
                    stage=now.isoformat(timespec="seconds"),
                )
            )


def _step_of(context: Mapping[str, Any]) -> str:
    """The task, not what it does: each stage of a canary and each worker of a search fails for itself, and
    another one's success says nothing about it."""
    task, index = context["task"], getattr(context.get("ti"), "map_index", None)
    return f"{task.task_id}[{index}]" if isinstance(index, int) and index >= 0 else str(task.task_id)
