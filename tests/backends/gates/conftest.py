"""Rows, answers and settings for the measurements of gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from airflow_mlops.config.parts.gates import Gate


@pytest.fixture
def settings_of() -> Callable[..., dict[str, Any]]:
    """A rule as the YAML has it, with all defaults filled in, as a measurement gets it."""

    def make(**written: Any) -> dict[str, Any]:
        rule: Any = TypeAdapter(Gate).validate_python(written)
        dumped: dict[str, Any] = rule.model_dump(mode="json")
        return dumped

    return make


@pytest.fixture
def people() -> tuple[pd.DataFrame, Any]:
    """Three thousand people in four languages, and a model that says yes to one of them too often."""
    random = np.random.default_rng(0)
    rows = 3_000
    language = random.choice(["de", "en", "fr", "hi"], rows, p=[0.3, 0.5, 0.17, 0.03])
    signal = random.normal(size=rows)
    frame = pd.DataFrame(
        {
            "signal": signal,
            "language": language,
            "age": random.normal(40, 12, rows).round(),
            "y": (random.random(rows) < 1 / (1 + np.exp(-signal))).astype(int),
        }
    )
    return frame, 1 / (1 + np.exp(-(signal + 0.5 * (language == "de"))))
