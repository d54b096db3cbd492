"""A rollout put together from the ledger and the registry, for whoever goes on with it."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.rollout import rollout_id
from airflow_mlops.core.standing import standing_of
from airflow_mlops.core.values import ModelRef, Rollout


def rollout_by_ledger(name: str, version: str, entries: Iterable[Entry], backends: Backends) -> Rollout:
    """The rollout of a version that was taken, beside the champion that its claim names."""
    champion = standing_of(entries, version).champion
    return rollout_of(name, version, None if champion is None else ModelRef(name, champion), backends)


def rollout_of(name: str, version: str, champion: ModelRef | None, backends: Backends) -> Rollout:
    """The rollout of a version: its id is the same on every retry, and ``champion`` the one that it is to
    follow."""
    # The aliases carry the addresses of the versions' pages; a rollout that is settled later has none.
    candidate = _with_page(ModelRef(name, version), "challenger", backends)
    return Rollout(
        id=rollout_id(name, version),
        candidate=candidate,
        champion=None if champion is None else _with_page(champion, "champion", backends),
        training=backends.tracking.run_of(candidate),
    )


def _with_page(model: ModelRef, alias: str, backends: Backends) -> ModelRef:
    known = backends.tracking.alias(model.name, alias)
    return known if known is not None and known.version == model.version else model
