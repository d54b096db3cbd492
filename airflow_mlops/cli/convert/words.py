"""Names of tasks, notebooks and functions as words, and what such words usually mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Role = Literal[
    "training",
    "validation",
    "deployment",
    "monitoring",
    "inference",
    "features",
    "evaluation",
    "data",
    "notice",
]

_WORDS: Mapping[Role, str] = {
    "monitoring": "monitor monitored monitoring drift violation violated",
    "training": "train training trainer retrain retraining fit",
    "inference": "inference predict prediction predictions score scoring",
    "evaluation": "evaluate evaluation eval metrics",
    "validation": "validate validation check checks quality expectations",
    "deployment": "deploy deployment promote register publish release",
    "features": "feature features featurize transform preprocess prepare",
    "data": "load extract ingest ingestion fetch read query download snapshot",
    "notice": "notify alert email slack report",
}
_ROLES: Mapping[str, Role] = {word: role for role, words in _WORDS.items() for word in words.split()}


def role_of(name: str) -> Role | None:
    """By the first word that tells: ``train_model`` and ``TrainWithFeatureStore`` are training,
    ``load_training_data`` is data. None where no word does."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return next((_ROLES[word.lower()] for word in words if word.lower() in _ROLES), None)
