"""The two ends of a rollout: take and smoke-serve the challenger, then promote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.coming_up import ComingUpOperator
from airflow_mlops.operators.errors import airflow_error, airflow_errors
from airflow_mlops.operators.links import ModelVersionLink, ReportLink
from airflow_mlops.operators.stages import skip_unless_all_passed


class TakeChallengerOperator(StepOperator):
    """Claims the pending challenger for this run, after settling a rollout that was left open.
    Skipped where no challenger is pending.

    With the claim is written down which stages the challenger must pass before anybody may promote it: those
    of ``deploy`` in the YAML, unless ``shadow``, ``weights`` (an empty list is none) or ``approval`` say
    otherwise. A DAG of other stages than the YAML's says here which.
    """

    step = "take_challenger"
    needs_serving = True
    operator_extra_links = (ModelVersionLink(),)

    def __init__(
        self,
        *,
        shadow: bool | None = None,
        weights: Sequence[float] | None = None,
        approval: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.shadow = shadow
        self.weights = weights
        self.approval = approval

    def request(self, context: Any, configured: Configured, **more: Any) -> dict[str, Any]:
        stages = {"shadow": self.shadow, "weights": self.weights, "approval": self.approval}
        return super().request(context, configured, **stages, **more)


class SmokeServeOperator(ComingUpOperator):
    """Has the endpoint bring the challenger up off the live path, and predict a few rows with it.

    An endpoint that takes minutes for that is waited for, deferred if ``deferrable``. A challenger that is
    refused, or not up by ``deploy.deadline``, is a failed verdict.
    """

    step = "smoke_serve"
    inputs = template_fields = ("rollout",)
    gives_verdict = True

    def __init__(self, *, rollout: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rollout = rollout

    def execute(self, context: Any) -> dict[str, Any]:
        """Wait for it to come up, then look at its answers."""
        with airflow_errors():
            configured = self.configured()
            self.skip_without_inputs()
            self.wait_until_up(context, configured, self.rollout["id"], self.rollout["candidate"])
        return super().execute(context)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resumed by the trigger."""
        if "error" in event:
            raise airflow_error(str(event["error"]), retry=bool(event["retry"]))
        return super().execute(context)


class AbReportOperator(StepOperator):
    """Writes the report of an A/B test from its stage's ``verdict`` and the numbers behind it, while the
    endpoint still has them: before the rollout is concluded. ``weight`` is the challenger's share, 0 to 1.

    It runs whatever became of the stage (``all_done``), and is skipped where the stage gave no verdict, or
    there was no champion to compare with.
    """

    step = "ab_report"
    inputs = template_fields = ("rollout", "verdict")
    needs_serving = True
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, rollout: Any, verdict: Any, weight: float, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.verdict = verdict
        self.weight = weight

    def request(self, context: Any, configured: Configured, **more: Any) -> dict[str, Any]:
        return super().request(context, configured, weight=self.weight, **more)


class PromoteModelOperator(StepOperator):
    """Makes the challenger the champion, in the registry and at the endpoint.

    Skipped where ``rollout`` carries a verdict, as that of ``DeployCanaryOperator`` does, which is no pass.
    """

    step = "promote"
    inputs = template_fields = ("rollout",)
    needs_serving = True
    operator_extra_links = (ModelVersionLink(),)

    def __init__(self, *, rollout: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rollout = rollout

    def skip_without_inputs(self) -> None:
        super().skip_without_inputs()
        if "outcome" in self.rollout:
            skip_unless_all_passed([self.rollout])
