"""The wait for a stage's verdict: one decision, fed by the operator's loop and by the trigger's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.analysis import StageCounts
from airflow_mlops.core.values import Verdict
from airflow_mlops.core.waiting import Waited, wait
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import BackendUnavailable, NotMeasured
from airflow_mlops.hooks.backends import connect_backends
from airflow_mlops.steps.requests import StageRequest
from airflow_mlops.steps.stage import earlier_stages, judge_stage, record_hold, record_stage
from airflow_mlops.steps.stage_evidence import is_look_due
from airflow_mlops.triggers.events import ResumingTrigger


@dataclass(frozen=True, slots=True)
class StageWatch:
    """A stage that is being looked at since a moment. ``earlier`` is what the stages before it counted, once
    that was asked."""

    request: StageRequest
    since: datetime
    earlier: tuple[StageCounts, ...] | None = None

    @classmethod
    def begin(cls, request: Mapping[str, Any], since: datetime | None = None) -> StageWatch:
        """From a request in JSON values; since the task began, if nothing is said."""
        typed = TypeAdapter(StageRequest).validate_json(json.dumps(dict(request)))
        return cls(typed, since or typed.run.now)

    def opened(self, backends: Backends, now: datetime) -> StageWatch:
        """The same watch since the endpoint opened the stage, so that a retry does not move the deadline.
        Raises ``BackendUnavailable``."""
        return replace(self, since=min(now, backends.serving.observe(self.request.rollout.id).since))

    def informed(self, backends: Backends) -> StageWatch:
        """The same watch with what the earlier stages counted, so that not every look reads the ledger."""
        return replace(self, earlier=earlier_stages(self.request, backends))

    def connect(self) -> Backends:
        """The backends that ``look`` needs; connections are resolved here, in the process that looks."""
        return connect_backends(self.request.config, needs_serving=True, needs_metrics=True)

    def is_look_due(self, backends: Backends, now: datetime) -> bool:
        """Whether the labels are to be looked at again. That reads the model's own data source, so a task
        does it, in the model's own Python, and not whoever watches."""
        return is_look_due(self.request, backends, now)

    def look(self, backends: Backends, now: datetime) -> Waited:
        """Judge once. An endpoint that cannot be reached is looked at again until the deadline, and then
        the challenger is rolled back, whatever ``on_inconclusive`` says: nobody saw that it did no harm.
        Where only labels or a business metric cannot be measured, it may be held, but is not promoted.
        """
        deploy = self.request.config.deploy
        request = replace(self.request, run=replace(self.request.run, now=now))
        on_inconclusive = deploy.on_inconclusive
        try:
            verdict = judge_stage(request, backends, earlier=self.earlier)
        except BackendUnavailable as error:
            verdict = Verdict("inconclusive", (str(error),))
            if not isinstance(error, NotMeasured) or on_inconclusive != "hold":
                on_inconclusive = "roll_back"
        waited = wait(
            verdict,
            since=self.since,
            now=now,
            deadline=Period.parse(deploy.deadline),
            on_inconclusive=on_inconclusive,
        )
        if waited.done and verdict.outcome == "inconclusive":
            record_stage(request, waited.verdict, backends)
        return waited

    def is_first_hold(self, waited: Waited, backends: Backends, now: datetime) -> bool:
        """Whether the stage has come to be held with this look, so that somebody is to be told, once."""
        request = replace(self.request, run=replace(self.request.run, now=now))
        return waited.held and record_hold(request, waited.verdict, backends)


class RolloutStageTrigger(ResumingTrigger):
    """Watches a stage from the triggerer. It carries the request and connection ids, never a secret."""

    arguments = ("request", "since", "poll_interval", "resume")

    def __init__(
        self,
        *,
        request: dict[str, Any],
        since: str,
        poll_interval: float,
        resume: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.resume = resume
        self.request = request
        self.since = since
        self.poll_interval = poll_interval

    @classmethod
    def of(
        cls, watch: StageWatch, *, poll_interval: float, resume: Mapping[str, Any] | None = None
    ) -> RolloutStageTrigger:
        """The trigger that goes on with a watch."""
        request = TypeAdapter(StageRequest).dump_python(watch.request, mode="json")
        since = watch.since.isoformat()
        return cls(request=request, since=since, poll_interval=poll_interval, resume=resume)

    async def _watch(self) -> Mapping[str, Any]:
        """``{"verdict": ...}``, ``{"look": true}`` when the task is to look at the labels again, or where the
        stage is held from now on ``{"held": ..., "watch": ...}``: then the task says so and defers to this
        watch again.

        It sleeps before the first look: the operator has just looked, and a task that is resumed within
        moments of its deferral can be marked failed (https://github.com/apache/airflow/issues/67287).
        """
        watch = StageWatch.begin(self.request, datetime.fromisoformat(self.since))
        backends = await asyncio.to_thread(watch.connect)
        watch = await asyncio.to_thread(watch.informed, backends)
        while True:
            await asyncio.sleep(self.poll_interval)
            now = datetime.now(timezone.utc)
            waited = await asyncio.to_thread(watch.look, backends, now)
            if waited.done:
                return {"verdict": verdict_json(waited.verdict)}
            if await asyncio.to_thread(watch.is_first_hold, waited, backends, now):
                return {"held": verdict_json(waited.verdict), "watch": self.serialize()[1]}
            if await asyncio.to_thread(watch.is_look_due, backends, now):
                return {"look": True}


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it goes to XCom."""
    return {"outcome": verdict.outcome, "reasons": list(verdict.reasons)}
