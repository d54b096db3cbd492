"""A person's yes or no before traffic moves. Kept apart: only models that ask for it import Airflow's
human-in-the-loop operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlops.hooks.pages import report_url
from airflow_mlops.operators.asking import AskPersonOperator
from airflow_mlops.operators.base import Configured
from airflow_mlops.operators.errors import airflow_errors
from airflow_mlops.operators.stages import earlier_verdicts, skip_unless_all_passed

if TYPE_CHECKING:
    from airflow_mlops.config.parts.asking import Question
    from airflow_mlops.core.approval import Answer
    from airflow_mlops.core.evidence import Evidence
    from airflow_mlops.core.values import Outcome, Rollout


class ApproveRolloutOperator(AskPersonOperator):
    """Asks for approval in Airflow, with the evidence at hand, and records who said what, and why.

    The answer is a verdict like a stage's: a rejection does not fail the task but is handed on, later stages
    skip on it and the rollout is rolled back. A rejection needs a reason. No answer in time is a rejection,
    and evidence that has expired (``gates.evidence_expires``) is one without asking.
    """

    step = "record_approval"
    inputs = ("rollout",)
    gives_verdict = True
    template_fields = ("rollout", "after", "subject", "body")
    yes, no = "Approve", "Reject"
    answers: ClassVar[Mapping[str, Outcome]] = {"approved": "pass", "declined": "fail"}
    needs_reason = frozenset({False})
    reason_hint = "A rejection needs one; it is kept in the ledger with your name."

    def __init__(self, *, rollout: Any, after: Sequence[Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("subject", "Approve the rollout of a challenger")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.after = after

    def execute(self, context: Any) -> dict[str, Any]:
        """Show the evidence and wait for a person; Airflow resumes in ``execute_complete``."""
        from airflow_mlops.core.evidence import expired, markdown

        with airflow_errors():
            configured = self.configured()
            self.skip_without_inputs()
            skip_unless_all_passed(earlier_verdicts(self, self.after, context))
            said = self.answer_on_record(context, configured, self.rollout["candidate"]["version"])
            if said is not None:
                return self.finish(said, configured)
            evidence = self._evidence(configured)
            limit = configured.config.gates.evidence_expires
            old = expired(evidence.evaluated_at, datetime.now(timezone.utc), limit)
            if old is not None:
                told = {"person": "airflow", "reason": old, "question": self.number(context)}
                request = self.request(context, configured, approved=False, **told)
                return self.finish(self.run_step(self.step, request, configured), configured)
            self.ask(
                context,
                configured,
                f"Roll out {evidence.candidate}?",
                lambda terms: markdown(evidence, report_url=report_url, about=terms),
            )
        raise AssertionError("Airflow's human-in-the-loop operator always hands the task over")

    def question(self, configured: Configured) -> Question:
        """``deploy.approval``; a hand-written DAG may ask where the YAML does not."""
        from airflow_mlops.config.parts.asking import Approval

        return configured.config.deploy.approval or Approval()

    def initiators(self, context: Any, configured: Configured) -> frozenset[str]:
        from airflow_mlops.core.approval import initiators

        rollout = self._rollout()
        return initiators(
            self.connected(configured).ledger.entries(configured.config.model),
            training_run=rollout.training.run_id,
            version=rollout.candidate.version,
            triggered_by=self.run_info(context, configured).actor,
        )

    def decision(self, answer: Answer) -> dict[str, Any]:
        return {"approved": answer.yes}

    def _rollout(self) -> Rollout:
        from pydantic import TypeAdapter

        from airflow_mlops.core.values import Rollout
        from airflow_mlops.operators.base import bare

        return TypeAdapter(Rollout).validate_python(bare(self.rollout))

    def _evidence(self, configured: Configured) -> Evidence:
        from airflow_mlops.steps.evidence import evidence_of

        rollout = self._rollout()
        return evidence_of(
            configured.config.model,
            self.connected(configured),
            training=rollout.training,
            candidate=rollout.candidate,
            champion=rollout.champion,
        )
