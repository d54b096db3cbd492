"""One rollout with one kill in it, what became of it, and whether that was as it must be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import httpx

from airflow_mlops.core.ledger import champion_at, open_rollouts
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.windows import Window

from .killing import Changes, Kill
from .site import MODEL, ChaosSite, RunLost, TaskFailed
from .users import Asked, Users, row

LOG_SECONDS = 1.5
"""The server writes its log at least once a second: a kill -9 takes what it answered since."""


@dataclass
class Outcome:
    """What became of a rollout. ``faults`` are the rules that were broken; there must be none."""

    kill: Kill | None
    version: str
    champion: str | None = None
    ended_by: str = "its own run"
    seconds: float = 0.0
    answered: int = 0
    unanswered: int = 0
    changes: Sequence[str] = ()
    faults: list[str] = field(default_factory=list)
    log: Sequence[str] = ()

    @property
    def at(self) -> str:
        """The change that the kill hit."""
        if self.kill is None:
            return ""
        number = self.kill.number
        return f"{number} {self.changes[number - 1] if number <= len(self.changes) else '(not reached)'}"

    def changes_of(self, name: str) -> int:
        """The number of a change, from 1."""
        return list(self.changes).index(name) + 1

    @property
    def became(self) -> str:
        return "promoted" if self.champion == self.version else "rolled back"


def first_model(site: ChaosSite) -> None:
    """The champion that all further rollouts are compared with."""
    site.register()
    site.deploy()
    site.gateway.health = f"{site.site.url('gateway')}/ready"


def rollout(site: ChaosSite, kill: Kill | None) -> Outcome:
    """A rollout under traffic with one kill, and the run that comes next."""
    version = site.register()
    site.log = []
    groups = {"gateway": site.gateway.group, "mlflow": site.mlflow.group}
    changes = Changes(kill, groups)
    users, begun = Users(site.site.url("gateway"), f"v{version}"), time.time()
    ready = len(site.gateway.ready)
    outcome = Outcome(kill, version)
    try:
        try:
            site.deploy(changes)
        except RunLost as lost:
            outcome.ended_by = "the next run"
            site.log.append(f"the run was lost in {lost}")
        except TaskFailed as failed:
            outcome.ended_by = "the next run"
            site.log.append(f"the run failed: {failed}")
        site.revive()
        site.deploy()
    finally:
        asked = users.stop()
    outcome.seconds = time.time() - begun
    outcome.changes = changes.made()
    outcome.log = tuple(site.log)
    agree(site, outcome)
    nothing_lost(site, asked, changes.struck.value, site.gateway.ready[ready:], outcome)
    return outcome


def agree(site: ChaosSite, outcome: Outcome) -> None:
    """Exactly one champion serves, by ledger, registry, the server's account and its answers."""
    backends = site.backends
    entries = backends.ledger.entries(MODEL)
    reign, alias = champion_at(entries), backends.tracking.alias(MODEL, "champion")
    traffic = backends.serving.traffic()
    outcome.champion = None if reign is None else reign.subject
    said = {
        "ledger": outcome.champion,
        "alias": None if alias is None else alias.version,
        "traffic": None if traffic.champion is None else traffic.champion.version,
    }
    if len(set(said.values())) != 1:
        outcome.faults.append(f"they do not agree: {said}")
    if traffic.rollout_id is not None or traffic.weight:
        outcome.faults.append(f"a rollout is open at the server: {traffic}")
    if left := [entry.subject for entry in open_rollouts(entries)]:
        outcome.faults.append(f"rollouts are open in the ledger: {left}")
    if open_reversal(entries) is not None:
        outcome.faults.append("a reversal is open")
    rows = [row(0, number, "look") for number in range(20)]
    answer = httpx.post(f"{site.site.url('gateway')}/predict", json={"rows": rows}, timeout=30)
    if answer.status_code != 200:
        outcome.faults.append(f"a request was answered {answer.status_code}: {answer.text}")
        return
    answering = {one["version"] for one in answer.json()["predictions"]}
    if answering != {outcome.champion}:
        outcome.faults.append(f"{sorted(answering)} answer, and {outcome.champion} is champion")


def nothing_lost(
    site: ChaosSite, asked: Iterable[Asked], struck: float, ready: Sequence[float], outcome: Outcome
) -> None:
    """Every request got an answer while the server lived, and every answer is in the log."""
    gone = outcome.kill is not None and outcome.kill.victim == "gateway" and struck > 0
    back = ready[0] if ready else time.time()
    answered: set[str] = set()
    for one in asked:
        killed_under_way = gone and one.sent <= back and one.ended >= struck
        if one.code == 200:
            unwritten = gone and struck - LOG_SECONDS <= one.ended <= struck + 0.1
            outcome.answered += 1
            answered |= set() if unwritten else set(one.keys)
        elif killed_under_way:
            outcome.unanswered += 1
        else:
            outcome.faults.append(f"a request was answered {one.code} while the server lived")
    if missing := answered - _logged(site):
        outcome.faults.append(f"{len(missing)} answers are not in the log, such as {sorted(missing)[:3]}")


def _logged(site: ChaosSite) -> set[str]:
    url, token = site.site.url("gateway"), site.site.token
    httpx.post(f"{url}/admin/flush", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
    now = datetime.now(timezone.utc)
    window = Window(now - timedelta(days=1), now + timedelta(days=1))
    log = site.backends.inference_log.read(MODEL, window, [])
    return set(log.loc[log["role"] != "shadow", "key"])
