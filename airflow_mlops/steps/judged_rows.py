"""Judged rows: what quality and drift read of a window that versions with different features answered."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.judged import judged_part
from airflow_mlops.core.values import ModelRef
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.collected_key import judged_key
from airflow_mlops.steps.requests import Collected, Judged
from airflow_mlops.steps.taken_features import taken_features


def judged_rows(
    config: ModelConfig, window: Window, uri: str, champion: ModelRef, backends: Backends
) -> Judged:
    """By ``judged_part``, of the answers kept at a URI; in an object of their own where that is not all.

    A version of which nobody knows what it takes counts as one that takes all: to leave its rows out could
    hide a feed that broke.
    """
    from airflow_mlops.backends.version_rows import leave_out, rows_of_versions

    file, kinds = backends.datasets.file(uri), config.data.features
    rows = rows_of_versions(file)
    taken = {one: taken_features(ModelRef(champion.name, one), kinds, backends) for one in rows}
    own = taken.get(champion.version) or taken_features(champion, kinds, backends)
    least = config.validation.upstream_faults.minimum_rows
    part = judged_part(tuple(kinds), own, taken, rows, least=least)
    if part.left_out:
        key = judged_key(config.model, window)
        with backends.store.exclusive(key), backends.store.writing(key) as narrowed:
            leave_out(file, part.left_out, narrowed)
        uri = backends.store.uri(key)
    judged = sum(rows.values()) - sum(part.left_out.values())
    return Judged(uri, judged, part.features, part.said)


def judged_of(config: ModelConfig, collected: Collected) -> Judged:
    """What ``collect`` found; of a run that an earlier release has begun, all rows and features."""
    return collected.judged or Judged(collected.uri, collected.rows, tuple(config.data.features))
