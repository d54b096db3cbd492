"""The two ways back: an earlier champion is put back by hand, or a rollout is undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mlops.exceptions import ConfigError
from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.coming_up import ComingUpOperator
from airflow_mlops.operators.errors import airflow_error, airflow_errors
from airflow_mlops.operators.links import ModelVersionLink


class ReversalOperator(ComingUpOperator):
    """Puts an earlier champion back, and waits for it to come up. Subclasses say which, and why."""

    step = "reverse"
    operator_extra_links = (ModelVersionLink(),)

    def __init__(self, *, reason: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = reason

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resumed by the trigger."""
        if "error" in event:
            raise airflow_error(str(event["error"]), retry=bool(event["retry"]))
        with airflow_errors():
            return self._reverse(context, event["resume"]["version"])

    def _reverse(self, context: Any, version: str | None) -> dict[str, Any]:
        from airflow_mlops.core.rollout import rollout_id

        configured = self.configured()
        while True:
            request = self._reversal(context, configured, version)
            found = self.run_step("reverse", request, configured) or {}
            if found["done"]:
                break
            version = found["version"]
            candidate = {"name": found["name"], "version": version}
            known_by = rollout_id(found["name"], version)
            self.wait_until_up(context, configured, known_by, candidate, resume={"version": version})
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra.update({name: found[name] for name in ("name", "version")})
        return self.finish(found, configured)

    def _reversal(self, context: Any, configured: Configured, version: str | None) -> dict[str, Any]:
        asked = self.request(context, configured, version=version, reason=self._reason(context))
        return {name: value for name, value in asked.items() if name not in self.inputs}

    def _reason(self, context: Any) -> str:
        reason = self.reason or _param(context, "reason")
        if not reason:
            raise ConfigError(
                "a rollback needs a reason, for the ledger: give the operator one, or the run's param reason"
            )
        return reason


class RollbackModelOperator(ReversalOperator):
    """Puts an earlier champion back: ``version``, or the one before the present champion.

    An open rollout is ended first. The version is asked for known rows, then alias and traffic move to it
    and are read back. The ledger keeps the ``reason`` and the person who started the run. What is left out
    is taken from the run's params of the same names. A task that was interrupted goes on when it is cleared,
    and so does the next deploy run. An event of each of its ``outlets`` carries the version.
    """

    template_fields = ("version", "reason")

    def __init__(self, *, version: str | None = None, reason: str | None = None, **kwargs: Any) -> None:
        super().__init__(reason=reason, **kwargs)
        self.version = version

    def execute(self, context: Any) -> dict[str, Any]:
        """Put it back, or wait for it to come up first."""
        with airflow_errors():
            return self._reverse(context, self.version or _param(context, "version"))


class RollBackDecayedOperator(ReversalOperator):
    """Puts the champion before this one back where ``healing.roll_back`` asks for it and decay is proven:
    once, until another version is promoted, and never one that decayed too. Skipped where there is nothing to
    do."""

    step = "plan_healing"
    clock = "monitoring"
    inputs = template_fields = ("collected", "quality", "performance")
    optional_inputs = ("performance",)

    def __init__(self, *, collected: Any, quality: Any, performance: Any = None, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(reason="decay is proven, and healing.roll_back is on", **kwargs)
        self.collected = collected
        self.quality = quality
        self.performance = performance

    def execute(self, context: Any) -> dict[str, Any]:
        """Plan it, then put it back like a person would."""
        with airflow_errors():
            self.skip_without_inputs()
            configured = self.configured()
            found = self.run_step("plan_healing", self.request(context, configured), configured)
            if found is None:
                raise AirflowSkipException("nothing to heal: no decay is proven, or the policy says no")
            return self._reverse(context, found["version"])


def _param(context: Any, name: str) -> str | None:
    value = (context.get("params") or {}).get(name)
    return str(value) if value else None


_BROKEN = "a stage of the rollout ended without a verdict: its task failed or was stopped"


class UndoRolloutOperator(StepOperator):
    """Ends a rollout: gives all traffic back to the champion, with the verdicts' reasons.

    It runs whatever became of the stages (``all_done``): a stage that failed left traffic behind. Where the
    branch upstream chose to promote, Airflow skips it. Where no verdict asked for it, a stage broke: then
    this task fails once the champion has all traffic, so that the run ends red. With a ``reason`` it is
    meant, as at the end of a shadow that was only to be looked at, and only a stage without a verdict fails
    it.
    """

    step = "roll_back"
    inputs = ("rollout",)
    template_fields = ("rollout", "verdicts", "reason")
    needs_serving = True

    def __init__(
        self, *, rollout: Any, verdicts: Sequence[Any], reason: str | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.verdicts = verdicts
        self.reason = reason

    def configured(self) -> Configured:
        """The configuration of now, also where the YAML changed in mid-rollout: that ends the stages, and
        the challenger would keep its share of the traffic until somebody started a new run."""
        return self._read()

    def execute(self, context: Any) -> Any:
        """Roll back, then say whether that was a verdict or an accident."""
        result = super().execute(context)
        if not self._held() and (self.reason is None or None in self.verdicts):
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
        held = [reason for verdict in self._held() for reason in verdict["reasons"]]
        meant = [] if self.reason is None else [self.reason]
        return [*meant, *held] or [_BROKEN]
