"""Rows, answers and settings for the measurements of gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from airflow_mlops.backends.base import Columns, Material
from airflow_mlops.backends.metrics_influence import InfluenceMetrics
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
def material_of() -> Callable[..., Material]:
    """``material_of(frame, answers, task=...)``: the label is ``y``, features are all columns but it."""

    def make(
        frame: pd.DataFrame, answers: Any, *, task: Any = "binary_classification", **more: Any
    ) -> Material:
        features = {
            str(name): "numeric" if pd.api.types.is_numeric_dtype(frame[name]) else "categorical"
            for name in frame.columns
            if name not in ("y", *more.get("sensitive", ()))
        }
        more.pop("sensitive", None)
        return Material(
            model_name="m",
            task=task,
            columns=Columns(features, "y", "id", "at"),  # type: ignore[arg-type] # the kinds are the two there are
            confidence=0.95,
            seed=0,
            holdout=frame,
            answers=np.asarray(answers),
            model=None,  # type: ignore[arg-type] # nothing here asks the model
            model_uri="",
            trusted_types=(),
            metrics=InfluenceMetrics(task),
            tracking=None,  # type: ignore[arg-type]
            training=lambda: frame,
            former=lambda moment: None,
            **more,
        )

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
