"""A rollout put together from the ledger and the registry, for whoever goes on with it."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import champion_at
from airflow_mlops.core.values import ModelRef, Rollout


def rollout_of(name: str, version: str, backends: Backends) -> Rollout:
    """The rollout of a version: its id is the same on every retry, and its champion the one that it is to
    follow."""
    challenger = backends.tracking.alias(name, "challenger")
    # The alias carries the address of the version's page; a rollout that is settled later has none.
    candidate = challenger if challenger and challenger.version == version else ModelRef(name, version)
    champion = backends.tracking.alias(name, "champion")
    if champion is not None and champion.version == version:
        # An earlier promotion moved the alias and got no further: the ledger knows who came before.
        reign = champion_at(backends.ledger.entries(name))
        champion = ModelRef(name, reign.subject) if reign else None
    return Rollout(
        id=rollout_id(name, version),
        candidate=candidate,
        champion=champion,
        training=backends.tracking.run_of(candidate),
    )


def rollout_id(name: str, version: str) -> str:
    """What the serving target knows the rollout of a version by."""
    return f"{name}-v{version}"
