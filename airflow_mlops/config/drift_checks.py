"""What is wrong between ``monitor.drift`` and the features that it is about."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import KeyPath, nearest


def drift_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Names that are no features: the endpoint's log has no other columns of the data."""
    drift, features = config.monitor.drift, config.data.features
    at: KeyPath = ("monitor", "drift")
    for name in drift.features:
        if name not in features:
            yield (*at, "features", name), _no_feature(name, config)
    for index, cut in enumerate(drift.slices.by or ()):
        for name in cut:
            if name not in features:
                yield (*at, "slices", "by", index), _no_feature(name, config)
            elif features[name] == "text":
                yield (
                    (*at, "slices", "by", index),
                    f"{name!r} is text: nearly every row would be a slice of its own",
                )
    for name, edges in drift.slices.edges.items():
        if list(edges) != sorted(set(edges)):
            yield (*at, "slices", "edges", name), "must go up, each edge once"
        elif features.get(name) != "numeric":
            yield (*at, "slices", "edges", name), f"{name!r} is no numeric feature: it has no edges"


def _no_feature(name: str, config: ModelConfig) -> str:
    hint = nearest(name, list(config.data.features))
    return f"{name!r} is not in data.features; {hint or 'drift is looked for in features only'}"
