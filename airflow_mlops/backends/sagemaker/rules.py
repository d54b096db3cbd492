"""What an endpoint's variants and note mean: its traffic, and which change it allows."""

from __future__ import annotations

import math

from airflow_mlops.backends.sagemaker.endpoint import WEIGHT_TOLERANCE, Seen
from airflow_mlops.backends.sagemaker.note import PREFIX, Note
from airflow_mlops.core.values import ModelRef, Traffic
from airflow_mlops.exceptions import ModelRefused, RolloutRefused


def traffic_of(seen: Seen | None, model: str) -> Traffic:
    """Who answers. The note says who is who, and the variants how much each gets; without an open rollout
    the champion is whoever is served, whatever the note says."""
    if seen is None:
        return Traffic(champion=None)
    note = seen.note
    if note.champion is None:
        return Traffic(champion=None, rollout_id=note.rollout)
    champion = ModelRef(model, note.champion)
    if note.mode == "none" or note.rollout is None or note.challenger is None:
        found = seen.serving
        if not found or note.champion in found:
            return Traffic(champion=champion, rollout_id=note.rollout)
        other = None if found[0] is None else ModelRef(model, found[0])
        return Traffic(champion=other, rollout_id=note.rollout)
    if note.mode == "shadow" and seen.variant(note.challenger, shadow=True) is None:
        return Traffic(champion=champion, rollout_id=note.rollout)  # it was noted, and has not been done yet
    weight = seen.share(note.challenger)
    return Traffic(champion, ModelRef(model, note.challenger), note.mode, weight, note.rollout)


def is_same(one: Traffic, other: Traffic) -> bool:
    """Versions alone are compared: a ``ModelRef`` may carry an address or not."""
    versions = [
        tuple(model and model.version for model in (each.champion, each.challenger)) for each in (one, other)
    ]
    return (
        versions[0] == versions[1]
        and (one.mode, one.rollout_id) == (other.mode, other.rollout_id)
        and math.isclose(one.weight, other.weight, abs_tol=WEIGHT_TOLERANCE)
    )


def refuse_stranger(seen: Seen, endpoint: str, model: str) -> None:
    """Only what this package made for this model is ever changed."""
    note = seen.note
    if note.model is None or (note.champion is None and note.challenger is None):
        raise ModelRefused(
            f"The endpoint {endpoint} is there and was not made by this package: it has no tags {PREFIX}... "
            "Set another deploy.target.endpoint, or delete it."
        )
    if note.model != model:
        champion = f" version {note.champion}" if note.champion else ""
        raise ModelRefused(
            f"The endpoint {endpoint} serves {note.model}{champion}, not {model}. Set another "
            "deploy.target.endpoint."
        )


def refuse_other_rollout(note: Note, rollout_id: str, version: str) -> None:
    """One rollout at a time, and of one version."""
    if note.mode == "none":
        return
    if note.rollout != rollout_id:
        raise RolloutRefused(f"{_open(note)}; conclude it before rollout {rollout_id} begins.")
    if note.challenger != version:
        raise RolloutRefused(f"{_open(note)}, and cannot go on with version {version}.")


def _open(note: Note) -> str:
    return f"Rollout {note.rollout} of version {note.challenger} is open ({note.mode})"
