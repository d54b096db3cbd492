"""Roll back: all traffic to the champion, verified, with the reasons."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.rollout import Act, World, undoing
from airflow_mlops.core.standing import standing_of, why_not_undo
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import RolloutRefused
from airflow_mlops.steps.acting import Acting
from airflow_mlops.steps.requests import RollBackRequest


def roll_back(request: RollBackRequest, backends: Backends) -> ModelRef | None:
    """The champion that serves afterwards, or None where there was none yet. Raises ``RolloutRefused``
    where the candidate has been promoted since: a champion is replaced by a rollout, never rolled back.
    """
    rollout = request.rollout
    version = rollout.candidate.version
    champion = rollout.champion.version if rollout.champion else None

    def choose(world: World) -> Act | None:
        standing = standing_of(world.entries, version, champion=champion)
        refusal = why_not_undo(standing)
        if refusal is not None:
            raise RolloutRefused(refusal)
        return undoing(world, standing)

    acting = Acting(request.config, request.run, backends, reasons=request.reasons)
    return acting.until_done(choose).traffic.champion
