"""What is wrong between ``monitor.drift.multivariate`` and the features that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import KeyPath, nearest


def beyond_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Columns that are no features, and groups that hold none, or what is no number."""
    settings, features = config.monitor.drift.multivariate, config.data.features
    if settings is None:
        return
    at: KeyPath = ("monitor", "drift", "multivariate")
    for index, name in enumerate(settings.columns):
        if name not in features:
            yield (*at, "columns", index), _no_feature(name, config)
    for group, patterns in settings.groups.items():
        for index, pattern in enumerate(patterns):
            found = [name for name in features if fnmatchcase(name, pattern)]
            if not found:
                yield (*at, "groups", group, index), _no_feature(pattern, config)
            for name in found:
                if features[name] != "numeric":
                    yield (
                        (*at, "groups", group, index),
                        f"{name!r} is {features[name]}: a group is of numeric features, as an embedding is",
                    )


def _no_feature(name: str, config: ModelConfig) -> str:
    hint = nearest(name, list(config.data.features))
    return f"{name!r} is not in data.features; {hint or 'the log keeps features only'}"
