"""How a model is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.base import Column, Part
from airflow_mlops.config.parts.metrics import Metric
from airflow_mlops.config.parts.splits import FoldsConfig


class ImportanceConfig(Part):
    """How much the model leans on each feature, for the evaluation's report and the model card."""

    method: Literal["permutation", "shap", "none"] = Field(
        "permutation",
        description="permutation: what a metric loses without the feature; shap: the mean size of its "
        "contribution (extra shap).",
    )
    metric: Metric | None = Field(
        None, description="Metric of the permutation; the first of evaluation.metrics, if left out."
    )
    rows: int = Field(2_000, ge=50, description="Holdout rows that are used at most, drawn at random.")
    repeats: int = Field(3, ge=1, le=100, description="Shuffles of each feature.")
    by: tuple[Column, ...] = Field(
        (), strict=False, description="Columns whose most frequent values are explained by themselves, too."
    )


class EvaluationConfig(Part):
    """Which metrics are computed on the holdout."""

    metrics: tuple[Metric, ...] = Field(
        min_length=1, strict=False, description="Computed for challenger and champion on the same rows."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")
    importance: ImportanceConfig = Field(default_factory=lambda: ImportanceConfig())
    cross_validation: FoldsConfig | None = Field(
        None,
        description="Trains anew on folds of the training part and measures each, beside the holdout: how "
        "much the metrics move from fold to fold.",
    )
