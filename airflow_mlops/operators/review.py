"""A person's look at a challenger that its gates held, where the YAML lets a person override them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.hooks.pages import report_url
from airflow_mlops.operators.asking import AskPersonOperator
from airflow_mlops.operators.base import Configured, bare
from airflow_mlops.operators.errors import airflow_errors

if TYPE_CHECKING:
    from airflow_mlops.config.parts.asking import Question
    from airflow_mlops.core.approval import Answer
    from airflow_mlops.core.values import Outcome, RunRef


class ReviewChallengerOperator(AskPersonOperator):
    """Asks whether a held challenger is registered all the same. Skipped where the gates passed, where
    ``gates.on_inconclusive`` or ``gates.on_fail`` does not say ``ask``, and in a backfill.

    An override needs a reason. It is recorded with the person and the verdict that it overrides, and is a
    passed verdict for the registration downstream; holding on, or no answer in time, is a failed one.
    """

    step = "record_review"
    inputs = ("snapshot", "training", "verdict")
    template_fields = ("snapshot", "training", "verdict", "subject", "body")
    yes, no = "Override", "Hold"
    answers: ClassVar[Mapping[str, Outcome]] = {"overridden": "pass", "declined": "fail"}
    needs_reason = frozenset({True})
    reason_hint = "An override needs one; it is kept in the ledger and with the model, with your name."

    def __init__(self, *, snapshot: Any, training: Any, verdict: Any, **kwargs: Any) -> None:
        kwargs.setdefault("subject", "Register a challenger that its gates held")
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.training = training
        self.verdict = verdict

    def execute(self, context: Any) -> dict[str, Any]:
        """Skip, or show verdict and evidence and wait; Airflow resumes in ``execute_complete``."""
        from airflow_mlops.core.evidence import markdown
        from airflow_mlops.steps.evidence import evidence_of

        with airflow_errors():
            configured = self.configured()
            self.skip_without_inputs()
            self._skip_unless_asked(context, configured)
            said = self.answer_on_record(context, configured, self.training["run_id"])
            if said is not None:
                return self.finish(said, configured)
            config, backends = configured.config, self.connected(configured)
            evidence = evidence_of(
                config.model,
                backends,
                training=self._training(),
                candidate=None,
                champion=backends.tracking.alias(config.model, "champion"),
            )
            self.ask(
                context,
                configured,
                f"{config.model}: the gates said {self.verdict['outcome']}. Register it all the same?",
                lambda terms: markdown(evidence, report_url=report_url, about=terms),
            )
        raise AssertionError("Airflow's human-in-the-loop operator always hands the task over")

    def question(self, configured: Configured) -> Question:
        return configured.config.gates.review

    def initiators(self, context: Any, configured: Configured) -> frozenset[str]:
        from airflow_mlops.core.approval import initiators

        return initiators(
            self.connected(configured).ledger.entries(configured.config.model),
            training_run=self._training().run_id,
            version=None,
            triggered_by=self.run_info(context, configured).actor,
        )

    def decision(self, answer: Answer) -> dict[str, Any]:
        return {"overridden": answer.yes}

    def _skip_unless_asked(self, context: Any, configured: Configured) -> None:
        gates, outcome = configured.config.gates, self.verdict["outcome"]
        asked = {"pass": "hold", "inconclusive": gates.on_inconclusive, "fail": gates.on_fail}[outcome]
        if asked != "ask":
            raise AirflowSkipException(f"nobody is asked: the gates said {outcome}")
        if self.run_info(context, configured).kind == "backfill":
            raise AirflowSkipException("nobody is asked in a backfill, whose models are never rolled out")

    def _training(self) -> RunRef:
        from pydantic import TypeAdapter

        from airflow_mlops.core.values import RunRef

        return TypeAdapter(RunRef).validate_python(bare(self.training))
