"""The deploy DAG as Airflow would run it: tasks in order, tried again where they died, some cleared later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Rollout, RunInfo, RunKey, Verdict
from airflow_mlops.core.windows import WindowSources
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.steps.approval import record_approval
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.requests import (
    ApprovalRequest,
    RollBackRequest,
    RolloutRequest,
    StageOpened,
    StageRequest,
    TakeChallengerRequest,
)
from airflow_mlops.steps.roll_back import roll_back
from airflow_mlops.steps.smoke_serve import smoke_serve
from airflow_mlops.steps.stage import open_stage, record_stage
from airflow_mlops.steps.take_challenger import take_challenger

from .outside import MODEL, NOW, Backends, Disturbance, Killed, Lost, Outside

TRIES = 3
_Result = TypeVar("_Result")


class Failed(Exception):
    """The task has failed for good."""


@dataclass
class Site:
    """One model and its deploy DAG. ``ran`` are the tasks of all runs, to be cleared later."""

    outside: Outside
    config: ModelConfig
    fails: frozenset[str] = frozenset()
    clock: int = 0
    ran: list[Callable[[], Any]] = field(default_factory=list)
    promoting: Callable[[], Any] | None = None
    opening: Sequence[Callable[[], Any]] = ()

    def register(self, version: str) -> None:
        """A challenger comes out of training."""
        self.clock += 1
        at = NOW + timedelta(minutes=self.clock)
        self.outside.append(
            Entry(MODEL, "registered", version, at, "churn.train", f"t{version}", version=version,
                  data={"role": "challenger"})
        )  # fmt: skip
        self.outside.aliases["challenger"] = version

    def deploy(self, run_id: str, *, fails: frozenset[str] = frozenset()) -> None:
        """One run of the DAG. ``fails`` are the stages that its challenger does not pass."""
        rollout = self._task(lambda run: self._take(run), run_id)
        if rollout is None:
            return
        self.promoting = partial(self._promote, run_id, rollout)
        self.opening = [
            partial(self._open_in, run_id, rollout, mode, weight) for mode, weight in self._traffic_stages()
        ]
        self.ran += [self.promoting, lambda: self._roll_back(self._run(run_id), rollout), *self.opening]
        try:
            passed = self._stages(rollout, run_id, fails)
        except Failed:
            passed = False
        if passed:
            self._task(lambda run: promote(RolloutRequest(self.config, run, rollout), self._backends), run_id)
        else:
            self._task(lambda run: self._roll_back(run, rollout), run_id)

    def _take(self, run: RunInfo) -> Rollout | None:
        return take_challenger(TakeChallengerRequest(self.config, run), self._backends)

    def _roll_back(self, run: RunInfo, rollout: Rollout) -> Any:
        return roll_back(RollBackRequest(self.config, run, rollout, ("a test",)), self._backends)

    def _stages(self, rollout: Rollout, run_id: str, fails: frozenset[str]) -> bool:
        smoked = self._task(
            lambda run: smoke_serve(RolloutRequest(self.config, run, rollout), self._backends), run_id
        )
        if not smoked.passed:
            return False
        if self.config.deploy.approval:
            said = "approval" not in fails
            verdict = self._task(
                lambda run: record_approval(
                    ApprovalRequest(self.config, run, rollout, approved=said, person="ada", reason=""),
                    self._backends,
                ),
                run_id,
            )
            if not verdict.passed:
                return False
        if rollout.champion is None:
            return True
        for mode, weight in self._traffic_stages():
            name = "shadow" if mode == "shadow" else f"canary {weight:g}"
            verdict = Verdict("fail" if name in fails else "pass", ("a test",))
            stage = partial(self._stage, rollout=rollout, mode=mode, weight=weight, verdict=verdict)
            if not self._task(stage, run_id):
                return False
        return True

    def _promote(self, run_id: str, rollout: Rollout) -> Any:
        return promote(RolloutRequest(self.config, self._run(run_id), rollout), self._backends)

    def _open_in(self, run_id: str, rollout: Rollout, mode: str, weight: float) -> Any:
        return self._open(self._run(run_id), rollout, mode, weight)

    def _traffic_stages(self) -> list[tuple[str, float]]:
        shadow = [("shadow", 0.0)] if self.config.deploy.shadows else []
        return [*shadow, *(("canary", weight) for weight in self.config.deploy.weights)]

    def _open(self, run: RunInfo, rollout: Rollout, mode: Any, weight: float) -> StageOpened:
        return open_stage(StageRequest(self.config, run, rollout, mode, weight), self._backends)

    def _stage(self, run: RunInfo, rollout: Rollout, mode: Any, weight: float, verdict: Verdict) -> bool:
        request = StageRequest(self.config, run, rollout, mode, weight)
        opened = self._open(run, rollout, mode, weight)
        if opened.verdict is not None:
            return opened.verdict.passed
        seen = self._backends.serving.observe(rollout.id)
        if seen.mode != mode or seen.weight != weight:
            verdict = Verdict("fail", ("somebody else moved the traffic",))
        record_stage(request, verdict, self._backends)
        return verdict.passed

    def _task(self, work: Callable[[RunInfo], _Result], run_id: str) -> _Result:
        """Try a task until it is through. Raises ``Failed`` where a retry cannot help or has not."""
        self.ran.append(lambda: work(self._run(run_id)))
        for _ in range(TRIES):
            try:
                return work(self._run(run_id))
            except (Killed, BackendUnavailable):
                continue
            except (RolloutRefused, ModelRefused) as error:
                raise Failed(str(error)) from error
        raise Failed("no retry is left")

    def disturb(self, what: Disturbance, number: int) -> None:
        """Somebody runs a task out of its turn."""
        if what == "promoted too early" and self.promoting is not None:
            self.ran.append(self.promoting)
            self.clear(0)
        elif what == "opened too early" and self.opening:
            self.ran.append(self.opening[number % len(self.opening)])
            self.clear(0)
        else:
            self.clear(number)

    def clear(self, number: int) -> None:
        """Run a task once more, or too early, whatever has happened since; 0 is the latest."""
        if self.ran:
            try:
                self.ran[-1 - number % len(self.ran)]()
            except (Killed, Lost, Failed, BackendUnavailable, RolloutRefused, ModelRefused):
                return

    def attempt(self, run_id: str, *, fails: frozenset[str] = frozenset()) -> None:
        """A run that may end anyhow."""
        try:
            self.deploy(run_id, fails=fails)
        except (Failed, Lost):
            return

    def edited(self, **deploy: Any) -> Site:
        """The same site after an edit of the YAML."""
        return replace(self, config=with_deploy(self.config, **deploy))

    @property
    def _backends(self) -> Any:
        return Backends(self.outside)

    def _run(self, run_id: str) -> RunInfo:
        self.clock += 1
        now = NOW + timedelta(minutes=self.clock)
        return RunInfo(RunKey("churn.deploy", run_id), "manual", WindowSources(run_after=now), now, "d1")


def with_deploy(config: ModelConfig, **changes: Any) -> ModelConfig:
    """The configuration with other settings below ``deploy``; an A/B test has what it must have."""
    if changes.get("strategy") == "ab":
        orders = {"name": "orders", "query": "sum(orders_total)", "minimum": 0.0}
        changes = {"analysis": {"minimum_duration": "1 hour", "metrics": [orders]}, **changes}
    deploy = type(config.deploy).model_validate({**config.deploy.model_dump(exclude_unset=True), **changes})
    return config.model_copy(update={"deploy": deploy})
