"""Take challenger: settle what an earlier rollout left open, then take the newest pending challenger."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import Entry, open_rollout, pending_challengers
from airflow_mlops.core.rollout import recover
from airflow_mlops.core.values import ModelRef, Rollout
from airflow_mlops.exceptions import ModelRefused, RolloutRefused
from airflow_mlops.steps.expiry import why_expired
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import RollBackRequest, RolloutRequest, TakeChallengerRequest
from airflow_mlops.steps.reverse import settle_reversal
from airflow_mlops.steps.roll_back import roll_back
from airflow_mlops.steps.rollouts import rollout_of


def take_challenger(request: TakeChallengerRequest, backends: Backends) -> Rollout | None:
    """The rollout that this run owns, or None when nothing is pending.

    A reversal that was left unfinished is finished, and so is a rollout that another run left open where a
    promotion was intended; else it is undone. Of
    several pending challengers the newest is taken, the others are rejected as superseded; it is rejected
    itself where its evidence has expired.
    """
    ours = _settle(request, backends)
    if ours is not None:
        return rollout_of(request.config.model, ours.subject, backends)
    config, run = request.config, request.run
    pending = pending_challengers(backends.ledger.entries(config.model))
    if not pending:
        return None
    *older, newest = pending
    for item in older:
        _reject(request, item.subject, f"superseded by version {newest.subject}", backends)
    if config.gates.evidence_expires is not None:
        old = why_expired(rollout_of(config.model, newest.subject, backends), config, run, backends)
        if old is not None:
            _reject(request, newest.subject, old, backends)
            return None
    reasons = (f"{run.kind} run: {run.reason}",) if run.reason else ()
    claim = entry(config, run, "rollout_taken", newest.subject, version=newest.subject, reasons=reasons)
    if not is_ours(backends.ledger.append(claim), run):
        return None
    return rollout_of(config.model, newest.subject, backends)


def _reject(request: TakeChallengerRequest, version: str, reason: str, backends: Backends) -> None:
    config, run = request.config, request.run
    rejected = entry(config, run, "rejected", version, version=version, reasons=(reason,))
    backends.ledger.append(rejected)
    backends.tracking.set_tags(ModelRef(config.model, version), config.tracking.version_tags.rejected)
    backends.ledger.append(entry(config, run, "rollout_taken", version, version=version))


def _settle(request: TakeChallengerRequest, backends: Backends) -> Entry | None:
    """Finish or undo what others left open; the open rollout of this very run, if there is one (a retry)."""
    config, run = request.config, request.run
    settle_reversal(config, run, backends)
    while True:
        entries = backends.ledger.entries(config.model)
        left = open_rollout(entries)
        if left is None or is_ours(left, run):
            return left
        rollout = rollout_of(config.model, left.subject, backends)
        reason = f"the run {left.run_id} ended in the middle of the rollout"
        if recover(entries, left.subject) == "finish":
            try:
                promote(RolloutRequest(config, run, rollout), backends)
                continue
            except (ModelRefused, RolloutRefused) as error:
                # No retry will mend it, and as long as it is open no other challenger can go out.
                reason = f"{reason}, and its promotion cannot be finished: {error}"
        roll_back(RollBackRequest(config, run, rollout, (reason,)), backends)
