"""Promote: intent, alias, traffic, done; each found again by whoever continues."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import Entry, champion_at, closings
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import BackendUnavailable, RolloutRefused
from airflow_mlops.steps.expiry import why_expired
from airflow_mlops.steps.model_card import sign_card
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import RollBackRequest, RolloutRequest
from airflow_mlops.steps.roll_back import roll_back


def promote(request: RolloutRequest, backends: Backends) -> ModelRef:
    """Make the candidate the champion, and tag both as such. A crash after the intent is finished by the
    next run, since alias and traffic are then set again to the same version.

    Raises ``RolloutRefused`` where the rollout has ended otherwise since, or another champion has followed:
    an old task that is cleared undoes nothing. So it does where the challenger's evidence expired under way
    (``gates.evidence_expires``), and rolls it back first.
    """
    config, run, rollout = request.config, request.run, request.rollout
    version, tracking = rollout.candidate.version, backends.tracking
    entries = backends.ledger.entries(config.model)
    _refuse_ended(entries, version)
    _refuse_expired(request, entries, backends)
    verdicts = _verdicts(request, backends)
    previous = rollout.champion.version if rollout.champion else None
    backends.ledger.append(
        entry(config, run, "promotion_intended", version, version=version, reasons=verdicts)
    )
    tracking.set_alias(config.model, "champion", version)
    traffic = backends.serving.promote(rollout.id, rollout.candidate)
    if traffic.champion is None or traffic.champion.version != version:
        raise BackendUnavailable(
            f"the server was told to serve {rollout.candidate} but says it serves {traffic.champion}; "
            "the promotion is recorded as intended and a retry will finish it"
        )
    challenger = tracking.alias(config.model, "challenger")
    if challenger is not None and challenger.version == version:
        tracking.drop_alias(config.model, "challenger")
    if rollout.champion is not None and rollout.champion.version != version:
        tracking.set_tags(rollout.champion, config.tracking.version_tags.replaced)
    tracking.set_tags(rollout.candidate, config.tracking.version_tags.champion)
    registered = _registered(request, backends)
    backends.ledger.append(
        entry(
            config,
            run,
            "promoted",
            version,
            version=version,
            reasons=verdicts,
            window=registered.window if registered else None,
            data_version=registered.data_version if registered else None,
            data={"previous": previous, "causes": registered.data.get("causes", []) if registered else []},
        )
    )
    sign_card("promoted", run.actor, run.reason, run, rollout.training, backends)
    return rollout.candidate


def _refuse_ended(entries: list[Entry], version: str) -> None:
    ended, reign = closings(entries, version), champion_at(entries)
    if ended and "promoted" not in ended:
        raise RolloutRefused(
            f"the rollout of version {version} has ended ({', '.join(sorted(ended)).replace('_', ' ')}), "
            "so it cannot be promoted; train a new challenger"
        )
    if ended and reign is not None and reign.subject != version:
        raise RolloutRefused(
            f"version {version} was promoted before and version {reign.subject} has followed it; "
            "promoting it again would undo that. Train a new challenger"
        )


def _refuse_expired(request: RolloutRequest, entries: list[Entry], backends: Backends) -> None:
    """Nothing but the end of the rollout is left for a challenger whose evidence expired under way: all
    traffic goes back first. A promotion that was begun is finished."""
    config, run, rollout = request.config, request.run, request.rollout
    version = rollout.candidate.version
    if any(item.kind == "promotion_intended" and item.subject == version for item in entries):
        return
    old = why_expired(rollout, config, run, backends)
    if old is None:
        return
    roll_back(RollBackRequest(config, run, rollout, (f"not promoted: {old}",)), backends)
    raise RolloutRefused(f"{rollout.candidate} was not promoted, the champion serves: {old}")


def _verdicts(request: RolloutRequest, backends: Backends) -> tuple[str, ...]:
    """What the rollout's stages found, in words; for a first model, that there was none to compare with."""
    kinds = {"smoke_served", "approved", "shadowed", "canary_step"}
    found = [
        f"{item.kind.replace('_', ' ')}{' ' + item.stage if item.stage else ''}: {'; '.join(item.reasons)}"
        for item in backends.ledger.entries(request.config.model)
        if item.kind in kinds and item.subject == request.rollout.candidate.version
    ]
    if request.rollout.champion is None:
        found.append("first champion: there was none to compare with")
    return tuple(found)


def _registered(request: RolloutRequest, backends: Backends) -> Entry | None:
    version = request.rollout.candidate.version
    for item in backends.ledger.entries(request.config.model):
        if item.kind == "registered" and item.subject == version:
            return item
    return None
