"""A whole rollout in one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_mlops.exceptions import BackendUnavailable, MlopsError
from airflow_mlops.operators.base import DIGEST_KEY, Configured, bare, changed_under_way
from airflow_mlops.operators.coming_up import ComingUpOperator
from airflow_mlops.operators.errors import airflow_errors
from airflow_mlops.operators.links import ModelVersionLink
from airflow_mlops.operators.stages import verdict_of_stage, wait_on


class DeployCanaryOperator(ComingUpOperator):
    """Takes a challenger through a rollout, up to its verdict: brings it up, smoke-serves it, shadows it, and
    lets it answer growing shares of the rows.

    ``rollout`` is what ``TakeChallengerOperator`` left; without it this task claims the pending challenger
    itself, and is skipped where there is none. ``shadow`` and ``weights`` say which stages there are, else
    ``deploy`` in the YAML does. What each must show is always the YAML's affair.

    The result is the rollout with its verdict; a ``PromoteModelOperator`` that it is handed to promotes what
    has passed. Where the verdict is against the challenger the champion has all rows again before this task
    ends, and the task is green; so it is where a stage breaks for good, but then the task fails.
    """

    step = "deploy_canary"
    inputs = optional_inputs = template_fields = ("rollout",)
    operator_extra_links = (ModelVersionLink(),)
    gives_verdict = True
    result_form: ClassVar[str] = "airflow_mlops.steps.requests:RolledOut"

    def __init__(
        self,
        *,
        rollout: Any = None,
        shadow: bool | None = None,
        weights: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        rising = weights is None or list(weights) == sorted(set(weights))
        if not rising or not all(0 < weight <= 1 for weight in weights or ()):
            raise ValueError(f"weights are rising shares of the rows, as in [0.1, 0.5], not {weights}")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.shadow = shadow
        self.weights = weights

    def execute(self, context: Any) -> dict[str, Any]:
        """Take the challenger, and go through the stages."""
        with airflow_errors():
            configured = self.configured()
            rollout = bare(self.rollout)
            if rollout is None:
                # It asks nobody: where a person is to approve, the rollout comes from another task.
                stages = {"shadow": self.shadow, "weights": self.weights, "approval": False}
                request = self.request(context, configured, **stages)
                rollout = self.run_step("take_challenger", request, configured)
            if rollout is None:
                return self.finish(None, configured)  # which skips the task
            return self._guarded(context, {DIGEST_KEY: configured.digest, **rollout}, [])

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resumed by the trigger of a stage, or of a target that brings the challenger up."""
        if "held" in event:
            wait_on(self, event, context)
        was_at = event["resume"]
        with airflow_errors():
            return self._guarded(context, was_at["rollout"], was_at["verdicts"], event)

    def _guarded(
        self,
        context: Any,
        rollout: dict[str, Any],
        verdicts: list[dict[str, Any]],
        event: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """No stage is left behind that nobody looks at: a task that will not be tried again undoes it."""
        configured = self._read()
        try:
            if rollout[DIGEST_KEY] != configured.digest:
                raise changed_under_way(configured.config.model, rollout[DIGEST_KEY], configured.digest)
            return self._go_on(context, configured, rollout, _with_event(verdicts, event))
        except MlopsError as error:
            if error.retry_can_help and not _is_last_try(context):
                raise
            because = f"a stage of the rollout ended without a verdict: {error}"
            try:
                self._undo(context, configured, rollout, [because])
            except MlopsError as also:
                raise BackendUnavailable(
                    f"{error}; and the challenger may still answer rows, for the rollout could not be undone "
                    f"({also}). The next rollout does that"
                ) from error
            raise

    def _go_on(
        self, context: Any, configured: Configured, rollout: dict[str, Any], verdicts: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """From where it stopped: ``verdicts`` are those of the smoke test and of the stages that are over."""
        told = bare(rollout)
        if not verdicts:
            going_on = {"rollout": rollout, "verdicts": verdicts}
            self.wait_until_up(context, configured, told["id"], told["candidate"], resume=going_on)
            smoke = self.request(context, configured, rollout=told)
            verdicts = [self.run_step("smoke_serve", smoke, configured) or {}]
        for mode, weight in self._stages(configured, told)[len(verdicts) - 1 :]:
            if verdicts[-1]["outcome"] != "pass":
                break
            self.log.info("Now %s, the challenger answers %g %% of the rows", mode, 100 * weight)
            stage = self.request(context, configured, rollout=told, mode=mode, weight=weight)
            going_on = {"rollout": rollout, "verdicts": verdicts}
            opened = self.run_step("open_stage", stage, configured) or {}
            verdict = opened.get("verdict") or verdict_of_stage(
                self, stage, context, self.deferrable, resume=going_on
            )
            verdicts = [*verdicts, verdict]
        return self._ended(context, configured, rollout, verdicts)

    def _stages(self, configured: Configured, rollout: Mapping[str, Any]) -> list[tuple[str, float]]:
        """Mode and weight of each; none for a first model, which has no champion to be compared with."""
        if rollout["champion"] is None:
            return []
        deploy = configured.config.deploy
        shadows = deploy.shadows if self.shadow is None else self.shadow
        weights = deploy.weights if self.weights is None else self.weights
        return [*([("shadow", 0.0)] if shadows else []), *(("canary", weight) for weight in weights)]

    def _ended(
        self, context: Any, configured: Configured, rollout: dict[str, Any], verdicts: list[dict[str, Any]]
    ) -> dict[str, Any]:
        held = [
            reason for verdict in verdicts if verdict["outcome"] != "pass" for reason in verdict["reasons"]
        ]
        if held:
            self._undo(context, configured, rollout, held)
        reasons = held or [reason for verdict in verdicts for reason in verdict["reasons"]]
        outcome = "fail" if held else "pass"
        return self.finish({**bare(rollout), "outcome": outcome, "reasons": reasons}, configured)

    def _undo(
        self, context: Any, configured: Configured, rollout: dict[str, Any], reasons: Sequence[str]
    ) -> None:
        request = self.request(context, configured, rollout=bare(rollout), reasons=list(reasons))
        self.run_step("roll_back", request, configured)


def _with_event(verdicts: list[dict[str, Any]], event: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if event is None:
        return verdicts
    if "error" in event:
        raise BackendUnavailable(str(event["error"])) if event["retry"] else _Ended(str(event["error"]))
    return [*verdicts, event["verdict"]] if "verdict" in event else verdicts


class _Ended(MlopsError):
    """What ended a watch in the triggerer for good."""


def _is_last_try(context: Any) -> bool:
    instance = context["ti"]
    return int(instance.try_number) > int(instance.max_tries)
