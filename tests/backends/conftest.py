"""Rows and answers as an evaluation hands them on, for whoever measures or explains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.material import Columns, Material
from airflow_mlops.backends.metrics_influence import InfluenceMetrics


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
