"""A person's yes or no before traffic moves. Kept apart: only models that ask for it import Airflow's
human-in-the-loop operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator

from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.errors import airflow_errors
from airflow_mlops.operators.links import report_url
from airflow_mlops.operators.stages import earlier_verdicts, skip_unless_all_passed

if TYPE_CHECKING:
    from airflow_mlops.backends.base import Backends
    from airflow_mlops.core.ledger import Entry

APPROVE, REJECT = "Approve", "Reject"
_EVIDENCE = frozenset({"gated", "registered", "smoke_served"})


class ApproveRolloutOperator(StepOperator, HITLOperator):
    """Asks for approval in Airflow, with the evidence at hand, and records who said what.

    The answer is a verdict like a stage's: a rejection does not fail the task but is handed on, later stages
    skip on it and the rollout is rolled back. No answer within ``deploy.approval_timeout`` is a rejection.
    Airflow's ``ApprovalOperator`` is not used: on a rejection it skips what is downstream and leaves no
    XCom, so that nothing downstream could tell who rejected, or why.
    """

    step = "record_approval"
    inputs = ("rollout",)
    gives_verdict = True
    template_fields = ("rollout", "after", "subject", "body")

    def __init__(self, *, rollout: Any, after: Sequence[Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("subject", "Approve the rollout of a challenger")
        super().__init__(options=[APPROVE, REJECT], defaults=[REJECT], **kwargs)
        self.rollout = rollout
        self.after = after

    def execute(self, context: Any) -> dict[str, Any]:
        """Show the evidence and wait for a person; Airflow resumes in ``execute_complete``."""
        from airflow_mlops.core.windows import Period

        with airflow_errors():
            configured = self.configured()
            self.skip_without_inputs()
            skip_unless_all_passed(earlier_verdicts(self, self.after, context))
            now = datetime.now(timezone.utc)
            timeout = Period.parse(configured.config.deploy.approval_timeout)
            self.response_timeout = timeout.after(now) - now
            self.subject = f"Roll out {_version(self.rollout['candidate'])}?"
            self.body = _body(self.rollout, self._evidence(configured))
        HITLOperator.execute(self, context)
        raise AssertionError("Airflow's human-in-the-loop operator always hands the task over")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Record the answer; the verdict goes on."""
        answer = HITLOperator.execute_complete(self, context, event)
        approved = answer["chosen_options"] == [APPROVE]
        person = (answer.get("responded_by_user") or {}).get("name")
        with airflow_errors():
            configured = self.configured()
            timeout = configured.config.deploy.approval_timeout
            request = self.request(
                context,
                configured,
                approved=approved,
                person=person or "nobody",
                reason="" if person else f"no answer within {timeout}",
            )
            return self.finish(self.run_step(self.step, request, configured), configured)

    def _evidence(self, configured: Configured) -> list[Entry]:
        from airflow_mlops.hooks.backends import connect_backends

        backends: Backends = connect_backends(configured.config)
        subjects = {self.rollout["candidate"]["version"], self.rollout["training"]["run_id"]}
        return [
            entry
            for entry in backends.ledger.entries(configured.config.model)
            if entry.kind in _EVIDENCE and entry.subject in subjects
        ]


def _version(model: Mapping[str, Any]) -> str:
    return f"{model['name']} version {model['version']}"


def _body(rollout: Mapping[str, Any], evidence: Sequence[Entry]) -> str:
    """Markdown: who is to follow whom, and what the ledger says of it."""
    champion = rollout.get("champion")
    training = rollout["training"]
    lines = [
        f"- **Challenger**: {_linked(_version(rollout['candidate']), rollout['candidate'].get('url'))}",
        f"- **Champion**: {_linked(_version(champion), champion.get('url')) if champion else 'none yet'}",
        f"- **Training run**: {_linked(training['run_id'], training.get('url'))}",
    ]
    said: set[str] = set()
    for entry in evidence:
        # The registration repeats the gate's reasons.
        reasons = [reason for reason in entry.reasons if reason not in said]
        reports = [uri for uri in entry.evidence if uri not in said]
        said.update(reasons, reports)
        if not reasons and not reports:
            continue
        lines.append(f"\n**{entry.kind.replace('_', ' ').capitalize()}** ({entry.at:%Y-%m-%d %H:%M} UTC)\n")
        lines.extend(f"- {reason}" for reason in reasons)
        lines.extend(f"- {_linked('report', report_url(uri))}" for uri in reports)
    return "\n".join(lines)


def _linked(text: str, url: str | None) -> str:
    return f"[{text}]({url})" if url else text
