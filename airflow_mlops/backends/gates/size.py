"""How large a model's file is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.material import Material
from airflow_mlops.core.values import Estimate, Finding, Measurement


def measure(settings: Mapping[str, Any], material: Material) -> Finding:  # noqa: ARG001 (nothing to set)
    """Megabytes of the file that every server downloads. It is counted, so its interval is the number."""
    size = len(material.tracking.files_of(material.model_uri).body) / 1_000_000
    return Finding("", (Measurement("the model's file", Estimate(size, size, size)),), unit="MB")
