"""The two ends of a rollout: take and smoke-serve the challenger, then promote it or roll it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.links import ModelVersionLink


class TakeChallengerOperator(StepOperator):
    """Claims the pending challenger for this run, after settling a rollout that was left open.
    Skipped where no challenger is pending."""

    step = "take_challenger"
    needs_serving = True
    operator_extra_links = (ModelVersionLink(),)


class SmokeServeOperator(StepOperator):
    """Has the endpoint load the challenger off the live path and predict a few rows with it."""

    step = "smoke_serve"
    inputs = template_fields = ("rollout",)
    needs_serving = True
    gives_verdict = True

    def __init__(self, *, rollout: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rollout = rollout


class PromoteModelOperator(StepOperator):
    """Makes the challenger the champion, in the registry and at the endpoint."""

    step = "promote"
    inputs = template_fields = ("rollout",)
    needs_serving = True
    operator_extra_links = (ModelVersionLink(),)

    def __init__(self, *, rollout: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rollout = rollout


_BROKEN = "a stage of the rollout ended without a verdict: its task failed or was stopped"


class RollBackModelOperator(StepOperator):
    """Gives all traffic back to the champion, with the verdicts' reasons.

    It runs whatever became of the stages (``all_done``): a stage that failed left traffic behind. Where
    the branch upstream chose to promote, Airflow skips it. Where no verdict asked for the rollback,
    a stage broke: then this task fails once the champion has all traffic, so that the run ends red.
    """

    step = "roll_back"
    inputs = ("rollout",)
    template_fields = ("rollout", "verdicts")
    needs_serving = True

    def __init__(self, *, rollout: Any, verdicts: Sequence[Any], **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.verdicts = verdicts

    def configured(self) -> Configured:
        """The configuration of now, also where the YAML changed in mid-rollout: that ends the stages, and
        the challenger would keep its share of the traffic until somebody started a new run."""
        return self._read()

    def execute(self, context: Any) -> Any:
        """Roll back, then say whether that was a verdict or an accident."""
        result = super().execute(context)
        if not self._held():
            raise AirflowFailException(
                f"rolled back, the champion serves: {_BROKEN}. Look at the log of the stage that failed; "
                "once its cause is mended, trigger the train DAG for a new challenger"
            )
        return result

    def request(self, context: Any, configured: Configured, **more: Any) -> dict[str, Any]:
        return super().request(context, configured, reasons=self._reasons(), **more)

    def finish(self, result: Any, configured: Configured) -> dict[str, Any]:
        """The champion that serves; an empty result where there has never been one."""
        return super().finish(result or {}, configured)

    def _held(self) -> list[Any]:
        return [verdict for verdict in self.verdicts if verdict is not None and verdict["outcome"] != "pass"]

    def _reasons(self) -> list[str]:
        return [reason for verdict in self._held() for reason in verdict["reasons"]] or [_BROKEN]
