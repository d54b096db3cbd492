"""The watched stages of a rollout: shadow, and each step of the canary."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.operators.base import DIGEST_KEY, Configured, StepOperator
from airflow_mlops.operators.errors import airflow_error, airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier


class StageOperator(StepOperator):
    """Opens a stage, looks at it once, and waits (deferred, if ``deferrable``) until there is a verdict.
    Where quality is judged, the task comes back now and then to look at the labels that have landed.

    A verdict against the challenger does not fail the task: it is the result, and the end of the rollout
    decides on all of them. ``after`` holds the verdicts of earlier stages (those of the tasks directly
    upstream, if left out); the stage is skipped unless all passed. Without a champion there is nothing
    to compare with: the stage is skipped too, but leaves a passed verdict in XCom, so that a first
    model is promoted. ``notifiers`` are told once where ``deploy.on_inconclusive: hold`` keeps the stage open
    beyond its deadline; one that fails is logged.
    """

    step = "open_stage"
    inputs = ("rollout",)
    template_fields = ("rollout", "after")
    needs_serving = True
    gives_verdict = True
    mode: ClassVar[Literal["shadow", "canary"]]

    def __init__(
        self,
        *,
        rollout: Any,
        weight: float,
        after: Sequence[Any] | None = None,
        deferrable: bool = True,
        notifiers: Sequence[BaseNotifier] = (),
        **kwargs: Any,
    ) -> None:
        # An earlier stage that was skipped (a first model) must not skip this one before it can say why.
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.weight = weight
        self.after = after
        self.deferrable = deferrable
        self.told = tuple(notifiers)

    def execute(self, context: Any) -> dict[str, Any]:
        """Open, look once, then wait."""
        return self._opened(context)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resumed by the trigger with the verdict, with the error that ended its watch, because the stage is
        held from now on (then it says so and waits on), or to look at the labels again."""
        if "error" in event:
            raise airflow_error(str(event["error"]), retry=bool(event["retry"]))
        if "held" in event:
            wait_on(self, event, context)
        if "look" in event:
            return self._opened(context)
        with airflow_errors():
            return self.finish(event["verdict"], self.configured())

    def doing(self) -> str:
        return self.mode

    def _opened(self, context: Any) -> dict[str, Any]:
        from airflow_mlops.triggers.rollout_stage import StageWatch

        with airflow_errors():
            configured = self.configured()
            self.skip_without_inputs()
            self._skip_first_model(context, configured)
            skip_unless_all_passed(earlier_verdicts(self, self.after, context))
            request = self.request(context, configured, mode=self.mode, weight=self.weight)
            StageWatch.begin(request).connect()  # what the watch needs must be there before traffic moves
            opened = self.run_step("open_stage", request, configured) or {}
            if opened.get("verdict") is not None:  # an earlier try came to it
                return self.finish(opened["verdict"], configured)
            return self.finish(verdict_of_stage(self, request, context, self.deferrable), configured)

    def _skip_first_model(self, context: Any, configured: Configured) -> None:
        if self.rollout.get("champion") is not None:
            return
        reason = f"{self.mode} skipped: a first model has no champion to be compared with"
        verdict = {DIGEST_KEY: configured.digest, "outcome": "pass", "reasons": [reason]}
        context["ti"].xcom_push(key="return_value", value=verdict)
        raise AirflowSkipException(reason)


class ShadowOperator(StageOperator):
    """The challenger answers copies of the requests; nobody sees its answers."""

    mode = "shadow"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(weight=0.0, **kwargs)


class CanaryStepOperator(StageOperator):
    """The challenger answers ``weight`` (0 to 1) of the rows."""

    mode = "canary"

    def doing(self) -> str:
        return f"canary at {100 * self.weight:g} %"


def verdict_of_stage(
    operator: StepOperator,
    request: Mapping[str, Any],
    context: Any,
    deferrable: bool,
    *,
    resume: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Look at a stage that was opened until there is a verdict. An operator that is deferred meanwhile is
    resumed in its ``execute_complete``, with ``resume`` in the event. Labels are looked at by a step, in the
    model's own Python, for they come from the model's own source."""
    from airflow_mlops.triggers.rollout_stage import RolloutStageTrigger, StageWatch, verdict_json

    watch = StageWatch.begin(request)
    backends, deploy = watch.connect(), watch.request.config.deploy
    watch = watch.opened(backends, datetime.now(timezone.utc)).informed(backends)
    while True:
        if watch.is_look_due(backends, now := datetime.now(timezone.utc)):
            at = {"run": {**request["run"], "now": now.isoformat()}}
            operator.run_step("look_quality", {**request, **at}, operator.configured())
            now = datetime.now(timezone.utc)
        waited = watch.look(backends, now)
        if waited.done:
            return verdict_json(waited.verdict)
        if watch.is_first_hold(waited, backends, now):
            tell_held(operator, waited.verdict.reasons, context)
        else:
            operator.log.info("Not decided yet: %s", "; ".join(waited.verdict.reasons))
        if deferrable:
            every = deploy.poll_interval_seconds
            trigger = RolloutStageTrigger.of(watch, poll_interval=every, resume=resume)
            operator.defer(trigger=trigger, method_name="execute_complete")
        time.sleep(deploy.poll_interval_seconds)


def wait_on(operator: BaseOperator, event: Mapping[str, Any], context: Any) -> NoReturn:
    """Go on with a watch of the trigger's, whose stage is held from now on, and tell so."""
    from airflow_mlops.triggers.rollout_stage import RolloutStageTrigger

    tell_held(operator, event["held"]["reasons"], context)
    trigger = RolloutStageTrigger(**event["watch"])
    operator.defer(trigger=trigger, method_name="execute_complete")


def tell_held(operator: BaseOperator, reasons: Sequence[str], context: Any) -> None:
    """In the task's log, and to whom it may concern."""
    operator.log.warning("The stage is held and waits on: %s", "; ".join(reasons))
    for notifier in getattr(operator, "told", ()):
        try:
            notifier(context)
        except Exception:
            operator.log.exception("Cannot tell anybody that the stage is held")


def earlier_verdicts(
    operator: BaseOperator, after: Sequence[Any] | None, context: Any
) -> Sequence[Mapping[str, Any] | None]:
    """``after``, or what the verdict-giving tasks directly upstream left in XCom (None where nothing)."""
    if after is not None:
        return after
    upstream = operator.get_direct_relatives(upstream=True)
    return [
        context["ti"].xcom_pull(task_ids=task.task_id)
        for task in upstream
        if getattr(task, "gives_verdict", False)
    ]


def skip_unless_all_passed(earlier: Sequence[Mapping[str, Any] | None]) -> None:
    """Raises ``AirflowSkipException`` where an earlier stage held the challenger or gave no verdict."""
    for verdict in earlier:
        if verdict is None:
            raise AirflowSkipException("an earlier stage of this rollout gave no verdict")
        if verdict["outcome"] != "pass":
            reasons = "; ".join(verdict["reasons"])
            raise AirflowSkipException(f"an earlier stage held this challenger: {reasons}")
