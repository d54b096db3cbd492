"""What approval and review share: a question to a person, asked again until an answer counts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from inspect import unwrap
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseNotifier, Param
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.errors import airflow_errors

if TYPE_CHECKING:
    from airflow_mlops.backends.base import Backends
    from airflow_mlops.config.parts.asking import Question
    from airflow_mlops.core.approval import Answer
    from airflow_mlops.core.values import Outcome

_LONGEST_REASON = 2_000


class AskPersonOperator(StepOperator, HITLOperator):
    """Shows a form in Airflow and hands the answer to a step. Subclasses say what is asked and of whom.

    An answer that does not count (by who started the run, under four eyes; without the reason that it needs)
    is recorded and the question is asked again, until its first deadline: to take it for a no would let the
    one person who may not decide end a rollout by a click. Airflow keeps the form's text as it was, so the
    form says beforehand who may not answer. ``notifiers`` are told each time; one that fails is logged.

    Airflow's ``ApprovalOperator`` is not used: on a rejection it skips what is downstream and leaves no
    XCom, so that nothing downstream could tell who rejected, or why.
    """

    template_fields: Sequence[str] = ("subject", "body")
    yes: ClassVar[str]
    no: ClassVar[str]
    needs_reason: ClassVar[frozenset[bool]]
    reason_hint: ClassVar[str]
    answers: ClassVar[Mapping[str, Outcome]]

    def __init__(self, *, notifiers: Sequence[BaseNotifier] = (), **kwargs: Any) -> None:
        reason = Param(
            None,  # as the DAG's param of this name, which it stands before while the task runs
            type=["null", "string"],
            format="multiline",
            maxLength=_LONGEST_REASON,
            title="Reason",
            description=self.reason_hint,
        )
        super().__init__(
            options=[self.yes, self.no],
            defaults=[self.no],
            params={"reason": reason},
            **kwargs,
        )
        # Not Airflow's own list: it calls those before the task waits, and one that fails ends the task.
        self.told = tuple(notifiers)

    @abstractmethod
    def question(self, configured: Configured) -> Question:
        """Who may answer, and how."""

    def timeout(self, configured: Configured) -> str:
        """How long an answer may take, in words."""
        return self.question(configured).timeout or configured.config.deploy.approval_timeout

    @abstractmethod
    def initiators(self, context: Any, configured: Configured) -> frozenset[str]:
        """Who brought the model as far as this."""

    def number(self, context: Any) -> int:
        """Which question of the run this is: the try at which it was first asked. The same on a retry, and
        another after the task was cleared: Airflow then allows ``retries`` more tries from there."""
        retries = self.retries or 0
        return int(context["ti"].max_tries) - retries + 1

    def answer_on_record(self, context: Any, configured: Configured, subject: str) -> dict[str, Any] | None:
        """The verdict of an answer to this very question, where the task failed after it was written down.

        Airflow may mark a task as failed that is answered within seconds, and try it again
        (https://github.com/apache/airflow/issues/67287): nobody is to be asked twice for that.
        """
        run, number = context["dag_run"], self.number(context)
        for entry in self.connected(configured).ledger.entries(configured.config.model):
            ours = (entry.dag_id, entry.run_id, entry.subject) == (run.dag_id, run.run_id, subject)
            if ours and entry.kind in self.answers and entry.data.get("question") == number:
                return {"outcome": self.answers[entry.kind], "reasons": list(entry.reasons)}
        return None

    @abstractmethod
    def decision(self, answer: Answer) -> dict[str, Any]:
        """The yes or no, under the name that the step knows it by."""

    def ask(
        self, context: Any, configured: Configured, subject: str, body: Callable[[list[str]], str]
    ) -> None:
        """Put the form up and leave the task; Airflow resumes it in ``execute_complete``. ``body`` makes the
        text around the lines that say who may answer until when."""
        from airflow_mlops.core.windows import Period

        question, barred = self.question(configured), self._barred(context, configured)
        users = [user for user in question.users if user.casefold() not in {one.casefold() for one in barred}]
        if question.users and not users:
            # An empty list of users would let everybody answer.
            raise AirflowFailException(
                f"nobody may answer: {', '.join(question.users)} had a hand in this, and four eyes are asked "
                "for. Name more users"
            )
        self.assigned_users = [{"id": user, "name": user} for user in users]
        now = datetime.now(timezone.utc)
        deadline = Period.parse(self.timeout(configured)).after(now)
        self.subject = subject
        self.body = body(_terms(users, barred, deadline, self.no))
        self._wait(context, deadline)

    def execute_complete(
        self, context: Any, event: dict[str, Any], deadline: str | None = None
    ) -> dict[str, Any]:
        """Weigh the answer: hand it on, or ask again until ``deadline``."""
        from airflow_mlops.core.approval import Answer, objection

        # A client may send more than the form has, less, or longer text; Airflow would end the task over it.
        reason = str((event.get("params_input") or {}).get("reason") or "").strip()[:_LONGEST_REASON]
        event = {**event, "params_input": {"reason": reason}}
        given = HITLOperator.execute_complete(self, context, event)
        who = given["responded_by_user"] or {}
        answer = Answer(
            yes=given["chosen_options"] == [self.yes],
            person=who.get("name") or who.get("id"),
            reason=reason,
            person_id=who.get("id"),
        )
        with airflow_errors():
            configured = self.configured()
            barred = self._barred(context, configured)
            why = objection(answer, initiators=barred, needs_reason=self.needs_reason)
            late = f"no answer within {self.timeout(configured)}"
            request = self.request(
                context,
                configured,
                **self.decision(answer),
                person=answer.person or "nobody",
                person_id=answer.person_id,
                reason=answer.reason if answer.person else late,
                objection=why,
                answered_at=given["responded_at"].isoformat(),
                question=self.number(context),
            )
            recorded = self.run_step(self.step, request, configured)
            if why is None:
                return self.finish(recorded, configured)
        self.log.warning("This answer does not count, the question is asked again: %s", why)
        self.subject = f"Asked again: {why}."
        self._wait(context, datetime.fromisoformat(deadline) if deadline else None)
        raise AssertionError("Airflow's human-in-the-loop operator always hands the task over")

    def connected(self, configured: Configured) -> Backends:
        """Where the evidence is, and the ledger."""
        from airflow_mlops.hooks.backends import connect_backends

        return connect_backends(configured.config)

    def answer_url(self, instance: Any) -> str:
        """The form's page, for those who are told of it."""
        return self.generate_link_to_ui(task_instance=instance)

    def _barred(self, context: Any, configured: Configured) -> frozenset[str]:
        if not self.question(configured).four_eyes:
            return frozenset()
        return self.initiators(context, configured)

    def _wait(self, context: Any, deadline: datetime | None) -> None:
        if deadline is not None:
            left = deadline - datetime.now(timezone.utc)
            self.response_timeout = max(left, timedelta(seconds=1))
        try:
            # Unwrapped: Airflow's guard takes an ``execute`` called on resuming for one called by hand.
            unwrap(HITLOperator.execute)(self, context)
        except BaseException as handed_over:
            # Airflow 3.3 waits for input, 3.2 defers; both keep what the next method is given.
            if not hasattr(handed_over, "method_name"):
                raise
            carrier: Any = handed_over
            carrier.kwargs = {"deadline": deadline.isoformat() if deadline else None}
            self._tell(context)
            raise

    def _tell(self, context: Any) -> None:
        """The question is up by now: whom it cannot reach does not take it down."""
        for notifier in self.told:
            try:
                notifier(context)
            except Exception:
                self.log.exception("Cannot tell anybody that the question is asked")


def _terms(users: Collection[str], barred: Collection[str], deadline: datetime, no: str) -> list[str]:
    lines = [f"**Until** {deadline:%Y-%m-%d %H:%M} UTC; no answer by then counts as *{no}*"]
    if users:
        lines.append(f"**May answer**: {', '.join(users)}")
    if barred:
        lines.append(
            f"**Four eyes**: {', '.join(sorted(barred))} had a hand in this and cannot say yes to it"
        )
    return lines
