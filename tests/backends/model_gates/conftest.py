"""A real model on made-up customers, as a gate's measurement finds it after evaluation."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.material import ANSWERS_FILE, WARNINGS_FILE, Columns, Material
from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.backends.model_skops import SkopsModel
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.core.values import Finding
from airflow_mlops.steps.train import predictions_of

FEATURES = {"age": "numeric", "spend": "numeric", "plan": "categorical"}
START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@dataclass
class Run:
    """What the tracking server holds of one training run. Only what gates ask for is answered."""

    estimator: Any
    example: pd.DataFrame
    task: Any
    files: dict[str, bytes] = field(default_factory=dict)

    def read_file(self, run_id: str, path: str) -> bytes:
        return self.files[path]

    def files_of(self, model_uri: str) -> ModelFiles:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent, "model")
            given = {"task": self.task, "trusted_types": (), "run_id": "r", "model_id": "m"}
            model_skops.save(folder, self.estimator, example=self.example, **given)
            return ModelFiles((folder / "MLmodel").read_bytes(), (folder / "model.skops").read_bytes())


def customers(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, plan = rng.normal(40, 10, size=count), rng.choice(["free", "pro"], size=count)
    odds = 0.15 * (age - 40) + np.where(plan == "pro", 1.0, -1.0)
    return pd.DataFrame(
        {
            "id": [f"c{index}" for index in range(count)],
            "at": [START + timedelta(hours=index) for index in range(count)],
            "age": age,
            "spend": rng.gamma(2.0, 50.0, size=count),
            "plan": plan,
            "churned": (rng.uniform(size=count) < 1 / (1 + np.exp(-odds))).astype(int),
        }
    )


def pipeline(estimator: Any) -> Any:
    numbers = SimpleImputer(strategy="median")
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        make_column_transformer(
            (numbers, ["age", "spend"]), (text, ["plan"]), verbose_feature_names_out=False
        ),
        estimator,
    )


@pytest.fixture
def make_material() -> Callable[..., Material]:
    """``make_material(estimator, ...)``: fit it on 600 customers, evaluate it on the 400 after them."""

    def make(
        estimator: Any = None,
        *,
        task: Any = "binary_classification",
        label: Callable[[pd.DataFrame], Any] | None = None,
        holdout: pd.DataFrame | None = None,
        files: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Material:
        everyone = customers(1_000, seed=1)
        if label is not None:
            everyone = everyone.assign(churned=label(everyone))
        train, held = everyone.iloc[:600], everyone.iloc[600:].reset_index(drop=True)
        held = held if holdout is None else holdout
        fitted = estimator if estimator is not None else pipeline(LogisticRegression(max_iter=1_000))
        fitted.fit(train[list(FEATURES)], train["churned"])
        kept = train[list(FEATURES)].head(50)
        run = Run(fitted, kept.head(5), task)
        answers = {"rows": kept.to_dict(orient="records"), "answers": predictions_of(fitted, kept, task)}
        raw = {ANSWERS_FILE: answers, WARNINGS_FILE: [], **(files or {})}
        run.files = {name: json.dumps(body).encode() for name, body in raw.items()}
        model = SkopsModel(fitted, task, FEATURES)
        material = Material(
            model_name="churn",
            run_id="r",
            task=task,
            columns=Columns(FEATURES, "churned", "id", "at"),
            confidence=0.95,
            seed=7,
            holdout=held,
            answers=model.predict(held[list(FEATURES)]),
            model=model,
            model_uri="runs:/r/model",
            trusted_types=(),
            metrics=InfluenceMetrics(task),
            tracking=run,
            training=lambda: train.reset_index(drop=True),
            former=lambda moment: None,
        )
        return replace(material, **changes)

    make.pipeline = pipeline  # type: ignore[attr-defined]
    return make


@pytest.fixture
def numbers_of() -> Callable[[Finding], dict[str, float]]:
    """Each measurement's value by its name."""
    return lambda finding: {item.name: item.estimate.value for item in finding.measurements}
