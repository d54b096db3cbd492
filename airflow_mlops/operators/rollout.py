"""The two ends of a rollout: take and smoke-serve the challenger, then promote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.operators.base import StepOperator
from airflow_mlops.operators.coming_up import ComingUpOperator
from airflow_mlops.operators.errors import airflow_error, airflow_errors
from airflow_mlops.operators.links import ModelVersionLink
from airflow_mlops.operators.stages import skip_unless_all_passed


class TakeChallengerOperator(StepOperator):
    """Claims the pending challenger for this run, after settling a rollout that was left open.
    Skipped where no challenger is pending."""

    step = "take_challenger"
    needs_serving = True
    operator_extra_links = (ModelVersionLink(),)


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
