"""Roll back: all traffic to the champion, verified, with the reasons."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import closings
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import BackendUnavailable, RolloutRefused
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import RollBackRequest


def roll_back(request: RollBackRequest, backends: Backends) -> ModelRef | None:
    """The champion that serves afterwards, or None where there was none yet. Raises ``RolloutRefused``
    where the candidate has been promoted since: a champion is replaced by a rollout, never rolled back.
    """
    config, run, rollout = request.config, request.run, request.rollout
    version, tracking = rollout.candidate.version, backends.tracking
    if "promoted" in closings(backends.ledger.entries(config.model), version):
        raise RolloutRefused(
            f"version {version} has been promoted, so its rollout cannot be rolled back; "
            "train a new challenger to replace it"
        )
    backends.ledger.append(
        entry(config, run, "rollback_intended", version, version=version, reasons=request.reasons)
    )
    if _is(tracking.alias(config.model, "champion"), version):
        # A promotion that got no further than the alias; a server that follows it would serve the candidate.
        if rollout.champion is None:
            tracking.drop_alias(config.model, "champion")
        else:
            tracking.set_alias(config.model, "champion", rollout.champion.version)
    traffic = backends.serving.roll_back(rollout.id)
    if rollout.champion is not None and _is(traffic.champion, version):
        # The promotion had got as far as the traffic, or the server had followed the alias.
        traffic = backends.serving.promote(rollout.id, rollout.champion)
    if traffic.rollout_id == rollout.id or traffic.weight > 0:
        raise BackendUnavailable(
            f"the server was told to end the rollout {rollout.id} but says {traffic.mode} at weight "
            f"{traffic.weight}; a retry will ask again"
        )
    if _is(tracking.alias(config.model, "challenger"), version):
        tracking.drop_alias(config.model, "challenger")
    tracking.set_tags(rollout.candidate, config.tracking.version_tags.rejected)
    alias = tracking.alias(config.model, "champion")
    if rollout.champion is not None and (alias is None or _is(alias, rollout.champion.version)):
        # A promotion that got as far as its tags has called the champion replaced; unless somebody has put
        # an earlier one back since.
        tracking.set_tags(rollout.champion, config.tracking.version_tags.champion)
    backends.ledger.append(
        entry(config, run, "rolled_back", version, version=version, reasons=request.reasons)
    )
    return traffic.champion


def _is(model: ModelRef | None, version: str) -> bool:
    return model is not None and model.version == version
