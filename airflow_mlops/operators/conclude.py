"""The branch at the end of a rollout: promote or roll back."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.branch import BranchMixIn
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mlops.operators.base import StepOperator, bare
from airflow_mlops.operators.errors import airflow_errors

if TYPE_CHECKING:
    from airflow_mlops.core.values import Verdict

_FAILED = frozenset({"failed", "upstream_failed"})


class ConcludeRolloutOperator(StepOperator, BranchMixIn):
    """Follows ``promote_task_id`` where every stage passed, else ``roll_back_task_id``.

    It runs whatever became of the stages (``all_done``); a stage without a verdict, because its task failed
    or was never reached, counts against the challenger. Where no challenger was taken there is nothing
    to conclude: both branches are skipped, and where taking it failed this task fails too, since the run
    would else end green.
    """

    step = "conclude"
    inputs = ("rollout", "verdicts")
    template_fields = ("rollout", "verdicts")
    inherits_from_skipmixin = True

    def __init__(
        self,
        *,
        rollout: Any,
        verdicts: Sequence[Any],
        promote_task_id: str,
        roll_back_task_id: str,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.rollout = rollout
        self.verdicts = verdicts
        self.promote_task_id = promote_task_id
        self.roll_back_task_id = roll_back_task_id

    def execute(self, context: Any) -> Any:
        """Decide, leave the decision in XCom, and follow the branch."""
        from airflow_mlops.core.rollout import conclude

        with airflow_errors():
            if self.rollout is None:
                self._refuse_or_skip(context)
            configured = self.configured()
            verdicts = [_verdict(value) for value in self.verdicts]
            decision = conclude(verdicts, has_champion=self._must_be_complete(context))
            result = self.finish({"decision": decision, "reasons": _reasons(verdicts)}, configured)
        # Branching ends the task with an exception where it skips something, so nothing is returned then.
        context["ti"].xcom_push(key="return_value", value=result)
        return self.do_branch(
            context, self.promote_task_id if decision == "promote" else self.roll_back_task_id
        )

    def _must_be_complete(self, context: Any) -> bool:
        """A first model is compared with nobody, so its stages are skipped; but one that broke counts."""
        return self.rollout.get("champion") is not None or bool(self._failed(context))

    def _refuse_or_skip(self, context: Any) -> None:
        if broken := self._failed(context):
            ancestors = self.get_flat_relative_ids(upstream=True)
            failed = self._ended(context, ancestors, {"failed"}) or broken
            raise AirflowFailException(f"no rollout was begun: {', '.join(failed)} failed")
        raise AirflowSkipException("nothing to conclude: no challenger was taken")

    def _failed(self, context: Any) -> list[str]:
        """Tasks directly upstream that failed, or were never reached because of one that did."""
        return self._ended(context, self.upstream_task_ids, _FAILED)

    def _ended(self, context: Any, tasks: Set[str], wanted: Set[str]) -> list[str]:
        run = context["dag_run"]
        states = context["ti"].get_task_states(
            dag_id=run.dag_id, task_ids=sorted(tasks), run_ids=[run.run_id]
        )
        ended = states.get(run.run_id, {})
        return [task for task, state in ended.items() if getattr(state, "value", state) in wanted]


def _verdict(value: Any) -> Verdict | None:
    from pydantic import TypeAdapter

    from airflow_mlops.core.values import Verdict

    return None if value is None else TypeAdapter(Verdict).validate_python(bare(value))


def _reasons(verdicts: Sequence[Verdict | None]) -> list[str]:
    reasons = [reason for verdict in verdicts if verdict for reason in verdict.reasons]
    missing = sum(verdict is None for verdict in verdicts)
    return [*reasons, f"{missing} of {len(verdicts)} stages gave no verdict"] if missing else reasons
