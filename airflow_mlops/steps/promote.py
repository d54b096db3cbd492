"""Promote: intent, alias, traffic, done; each found again by whoever continues."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.rollout import Act, World, promotion
from airflow_mlops.core.standing import Standing, standing_of, verdict_words, why_not_promote
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import RolloutRefused
from airflow_mlops.steps.acting import Acting
from airflow_mlops.steps.decided import stages_of
from airflow_mlops.steps.expiry import why_expired
from airflow_mlops.steps.requests import RollBackRequest, RolloutRequest
from airflow_mlops.steps.roll_back import roll_back


def promote(request: RolloutRequest, backends: Backends) -> ModelRef:
    """Make the candidate the champion, and tag both as such. A crash after the intent is finished by the
    next run, since alias and traffic are then set again to the same version.

    Raises ``RolloutRefused`` where the rollout has ended otherwise since, or another champion has followed:
    an old task that is cleared undoes nothing. So it does where a verdict is missing that the rollout was
    to have when it was taken, where it was compared with another champion than serves now, and where the
    challenger's evidence expired under way (``gates.evidence_expires``), and rolls it back first.
    """
    config, run, rollout = request.config, request.run, request.rollout
    version = rollout.candidate.version
    champion = rollout.champion.version if rollout.champion else None
    acting = Acting(config, run, backends)

    def choose(world: World) -> Act | None:
        stages = stages_of(config, rollout.champion)
        standing = standing_of(world.entries, version, stages=stages, champion=champion)
        refusal = why_not_promote(world.entries, standing, world.champion)
        if refusal is None and standing.phase == "open":
            refusal = why_expired(rollout, config, run, backends)
        if refusal is not None:
            raise _refused(request, standing, refusal, backends)
        acting.reasons = verdict_words(world.entries, standing)
        return promotion(world, standing)

    acting.until_done(choose)
    return rollout.candidate


def _refused(request: RolloutRequest, standing: Standing, refusal: str, backends: Backends) -> RolloutRefused:
    """The error to raise. Nothing but its end is left for an open rollout that may not be promoted: all
    traffic goes back first."""
    candidate = request.rollout.candidate
    if standing.phase != "open":
        return RolloutRefused(f"{candidate} cannot be promoted: {refusal}")
    reasons = (f"not promoted: {refusal}",)
    roll_back(RollBackRequest(request.config, request.run, request.rollout, reasons), backends)
    return RolloutRefused(f"{candidate} was not promoted, the champion serves: {refusal}")
