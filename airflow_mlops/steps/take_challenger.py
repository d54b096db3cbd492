"""Take challenger: settle what an earlier rollout left open, then take the newest pending challenger."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import Entry, open_rollouts
from airflow_mlops.core.rollout import Act, FinishReversal, Take, World, next_act
from airflow_mlops.core.standing import standing_of, verdict_words
from airflow_mlops.core.values import ModelRef, Rollout
from airflow_mlops.exceptions import ModelRefused, RolloutRefused
from airflow_mlops.steps.acting import Acting
from airflow_mlops.steps.decided import stages_of
from airflow_mlops.steps.expiry import why_expired
from airflow_mlops.steps.record import is_ours
from airflow_mlops.steps.requests import TakeChallengerRequest
from airflow_mlops.steps.reverse import settle_reversal
from airflow_mlops.steps.rollouts import rollout_by_ledger, rollout_of


def take_challenger(request: TakeChallengerRequest, backends: Backends) -> Rollout | None:
    """The rollout that this run owns, or None when nothing is pending.

    A reversal that was left unfinished is finished, and so is a rollout that another run left open where a
    promotion was intended; else it is undone. Of several pending challengers the newest is taken, the others
    are rejected as superseded; it is rejected itself where its evidence has expired. The stages that it must
    pass are written down with the claim.
    """
    if not backends.ledger.entries(request.config.model, ("registered", "promoted", "reversed")):
        return None  # Nothing was ever registered: there is nobody to ask.
    return _Taking(request, backends).rollout()


class _Taking:
    def __init__(self, request: TakeChallengerRequest, backends: Backends) -> None:
        self._request = request
        self._backends = backends
        self._acting = Acting(request.config, request.run, backends)
        self._lost = False
        self._unfinished = ""

    def rollout(self) -> Rollout | None:
        while True:
            try:
                world = self._acting.until_done(self._next, instead=self._done_here)
            except (ModelRefused, RolloutRefused) as error:
                if not self._acting.refused:
                    raise
                # No retry will mend it, and as long as it is open no other challenger can go out.
                self._unfinished = f", and its promotion cannot be finished: {error}"
                continue
            mine = next((item for item in open_rollouts(world.entries) if self._is_ours(item)), None)
            if mine is None or self._lost:
                return None
            return rollout_by_ledger(world.model, mine.subject, world.entries, self._backends)

    def _next(self, world: World) -> Act | None:
        if self._lost:
            return None
        self._acting.reasons = self._reasons(world)
        return next_act(world, self._request.run.key)

    def _reasons(self, world: World) -> tuple[str, ...]:
        """What is written where the rollout of another run is settled."""
        left = next((item for item in open_rollouts(world.entries) if not self._is_ours(item)), None)
        if left is None:
            return ()
        ended = f"the run {left.run_id} ended in the middle of the rollout{self._unfinished}"
        standing = standing_of(world.entries, left.subject)
        if standing.phase == "promoting" and left.subject not in world.refused:
            return (*verdict_words(world.entries, standing), f"finished: {ended}")
        return (ended,)

    def _done_here(self, act: Act) -> bool:
        match act:
            case FinishReversal():
                settle_reversal(self._request.config, self._request.run, self._backends)
            case Take():
                self._take(act)
            case _:
                return False
        return True

    def _take(self, act: Take) -> None:
        """Claim a challenger, unless it is too old or another run was faster."""
        asked, config, run = self._request, self._request.config, self._request.run
        champion = None if act.champion is None else ModelRef(config.model, act.champion)
        rollout = rollout_of(config.model, act.version, champion, self._backends)
        old = why_expired(rollout, config, run, self._backends)
        if old is not None:
            self._acting.reject(act.version, old)
            return
        required = stages_of(
            config, champion, shadow=asked.shadow, weights=asked.weights, approval=asked.approval
        )
        claim = self._acting.write(
            "rollout_taken",
            act.version,
            reasons=(f"{run.kind} run: {run.reason}",) if run.reason else (),
            data={
                "champion": act.champion,
                "strategy": config.deploy.strategy,
                "required": list(required),
            },
        )
        self._lost = not is_ours(claim, run)

    def _is_ours(self, item: Entry) -> bool:
        return is_ours(item, self._request.run)
