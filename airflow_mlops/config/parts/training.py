"""How a model is made, measured and judged."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import ClassPath, ImportPath, Mistakes, Params, Part
from airflow_mlops.core.values import TaskKind


class Training(Part):
    """How a model is made: a function of yours, or a scikit-learn estimator by its path."""

    callable: ImportPath | None = Field(
        None, description="train(features, label, params, seed) -> fitted estimator."
    )
    estimator: ClassPath | None = Field(
        None, description="Full path of a scikit-learn estimator; encoders for categories are added."
    )
    params: Params = Field(default_factory=dict, description="Handed to the function or the estimator.")
    seed: int = Field(0, ge=0, description="Same seed, same data, same model.")
    trusted_types: tuple[ClassPath, ...] = Field(
        (),
        strict=False,
        description="Types beyond scikit-learn's own that may be loaded with the model (skops).",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.callable is None) == (self.estimator is None):
            raise ValueError("give either 'callable' or 'estimator'")
        return self


Metric = Literal[
    "roc_auc", "log_loss", "average_precision", "brier_score", "accuracy", "f1",
    "mean_absolute_error", "root_mean_squared_error", "r2",
]  # fmt: skip

METRICS_OF: dict[TaskKind, frozenset[str]] = {
    "binary_classification": frozenset(
        {"roc_auc", "log_loss", "average_precision", "brier_score", "accuracy", "f1"}
    ),
    "multiclass_classification": frozenset({"log_loss", "accuracy", "f1"}),
    "regression": frozenset({"mean_absolute_error", "root_mean_squared_error", "r2"}),
}


class EvaluationConfig(Part):
    """Which metrics are computed on the holdout."""

    metrics: tuple[Metric, ...] = Field(
        min_length=1, strict=False, description="Computed for challenger and champion on the same rows."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")


class ThresholdGate(Part):
    """The challenger's metric must reach a value."""

    type: Literal["threshold"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    minimum: float | None = Field(None, description="The metric must be at least this.")
    maximum: float | None = Field(None, description="The metric must be at most this.")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("give 'minimum' or 'maximum'")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise Mistakes((("minimum",), "'minimum' is above 'maximum': nothing can pass"))
        return self


class ChampionGate(Part):
    """The challenger must not be worse than the champion by more than ``margin``, on the same rows."""

    type: Literal["champion"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    margin: float = Field(
        ge=0,
        description="How much worse is still as good, in the metric's unit; 0 asks for proof of no loss, "
        "which holds nearly every challenger.",
    )


Gate = Annotated[ThresholdGate | ChampionGate, Field(discriminator="type")]


class Gates(Part):
    """What a challenger must pass before it is registered. There is no empty list of gates."""

    rules: tuple[Gate, ...] = Field(min_length=1, strict=False, description="Every rule must pass.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer holdout rows than this are inconclusive, whatever the numbers."
    )
    bootstrap: Literal["thresholds_only", "refuse"] = Field(
        "thresholds_only",
        description="A first model has no champion to beat: judge it by thresholds, or refuse it.",
    )
