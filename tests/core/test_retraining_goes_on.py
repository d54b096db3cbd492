"""Whatever is killed, deleted or forgotten: a cause that stands is acted on again, and within the budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlops.core.ledger import Entry, EntryKind, open_rollout, pending_requests
from airflow_mlops.core.retraining import (
    Cause,
    Decision,
    Made,
    Policy,
    Situation,
    WindowSignals,
    decide,
    history_of,
    standing_causes,
)
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
POLICY = Policy(
    enabled=True,
    causes=("drift", "config", "age"),
    k=2,
    n=3,
    cooldown=Period.parse("2 days"),
    budget=3,
    budget_period=Period.parse("20 days"),
    minimum_rows=100,
    breaker=2,
    breaker_rest=Period.parse("8 days"),
    patience=Period.parse("2 days"),
    silence=Period.parse("3 days"),
    maximum_age=Period.parse("400 days"),
)
BOUND = 60
"""Days: more than patience, silence, cool-down, rest of the breaker and the budget's period together."""

Fate = Literal[
    "deleted", "taken, killed", "begun, killed", "held", "rollout killed", "promoted", "rolled back"
]
Aside = Literal[
    "nothing", "by hand", "by hand until 2050", "scheduled, killed", "broken feed", "quiet", "no run"
]
_FATES: tuple[Fate, ...] = (
    "deleted", "taken, killed", "begun, killed", "held", "rollout killed", "promoted", "rolled back",
)  # fmt: skip
_ASIDES: tuple[Aside, ...] = (
    "nothing", "by hand", "by hand until 2050", "scheduled, killed", "broken feed", "quiet", "no run",
)  # fmt: skip


@dataclass
class Loop:
    """A model, its ledger, and a person who does what a critical alert says."""

    cause: Cause
    entries: list[Entry] = field(default_factory=list)
    seen: list[WindowSignals] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    begun: int = 0
    version: int = 1

    def day(self, day: int, fate: Fate, aside: Aside = "nothing") -> None:
        """One window: what is decided, what becomes of what waits, and what else happens."""
        end = START + (day + 1) * DAY
        if aside == "no run":
            return
        decision = self._decide(end, aside)
        if decision.action == "retrain":
            self.asked.append(end)
            data: dict[str, Any] = {"cause": decision.cause, "recipe": "new"}
            self._write("retrain_requested", f"q{day}", end, f"m{day}", window=_day(end), data=data)
        elif "trigger churn.deploy" in decision.reasons[0]:
            self._end_rollout(end, f"d{day}")
        self._work_off(end, day, fate)
        if aside in ("by hand", "by hand until 2050", "scheduled, killed"):
            until = datetime(2050, 1, 1, tzinfo=timezone.utc) if "2050" in aside else end
            window, cause = Window(START - 99 * DAY, until), "schedule" if "sch" in aside else "by_hand"
            run, causes = f"x{day}", {"causes": [cause]}
            self._write("training_begun", run, end, run, window=window, data=causes)

    def _decide(self, end: datetime, aside: Aside) -> Decision:
        drifted = self.cause == "drift" and aside != "quiet"
        fault = "age is null" if aside == "broken feed" else None
        latest = WindowSignals(_day(end), drifted, None, fault, rows=100, version=str(self.version))
        history = history_of(self.entries)
        recipe = "old" if self.cause == "config" else "new"
        standing = standing_causes(POLICY, Made(recipe=recipe), Made(recipe="new"), history, end)
        decision = decide(POLICY, Situation(latest, end, tuple(self.seen), history, standing))
        self.seen.append(latest)
        return decision

    def _work_off(self, end: datetime, day: int, fate: Fate) -> None:
        """As the monitor does, what waits is started again each day. A deploy run first ends what is open."""
        waiting = pending_requests(self.entries)
        if not waiting or fate == "deleted":
            return
        run, window = f"t{day}", waiting[0].window
        self._write("retrain_taken", waiting[0].subject, end, run)
        if fate == "taken, killed":
            return
        data: dict[str, Any] = {"causes": [self.cause]}
        self._write("training_begun", run, end, run, window=window, data=data)
        self.begun += 1
        if fate == "begun, killed":
            return
        outcome = "fail" if fate == "held" else "pass"
        self._write("gated", run, end, run, window=window, data={"outcome": outcome, "recipe": "new"})
        if fate == "held":
            return
        version = str(100 + day)
        self._write("registered", version, end, run, window=window, data={"role": "challenger"})
        self._end_rollout(end, f"d{day}")
        self._write("rollout_taken", version, end, f"d{day}", dag="churn.deploy")
        if fate in ("promoted", "rolled back"):
            kind: EntryKind = "promoted" if fate == "promoted" else "rolled_back"
            self._write(kind, version, end, f"d{day}", dag="churn.deploy")
        if fate == "promoted":
            self.version = 100 + day

    def _end_rollout(self, end: datetime, run: str) -> None:
        left = open_rollout(self.entries)
        if left is not None:
            self._write("rolled_back", left.subject, end, run, dag="churn.deploy")

    def _write(
        self, kind: EntryKind, subject: str, at: datetime, run: str, *, dag: str = "churn.train", **more: Any
    ) -> None:
        self.entries.append(Entry("churn", kind, subject, at, dag, run, **more))


def _day(end: datetime) -> Window:
    return Window(end - DAY, end)


lives = st.lists(st.tuples(st.sampled_from(_FATES), st.sampled_from(_ASIDES)), max_size=25)


@given(life=lives, cause=st.sampled_from(["drift", "config"]))
@settings(max_examples=60, deadline=None)
def test_a_cause_that_stands_is_trained_for_in_the_end_and_never_beyond_the_budget(
    life: list[tuple[Fate, Aside]], cause: Cause
) -> None:
    loop = Loop(cause)
    for day, (fate, aside) in enumerate(life):
        loop.day(day, fate, aside)
    judged = any(entry.kind == "gated" for entry in loop.entries)
    before = loop.begun
    for day in range(len(life), len(life) + BOUND):
        loop.day(day, "held")
    if cause == "drift" or not judged:
        assert loop.begun > before
    for moment in loop.asked:
        assert sum(moment <= other < moment + 20 * DAY for other in loop.asked) <= POLICY.budget
