"""How a model is measured."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Column, Mistakes, Part
from airflow_mlops.config.parts.metrics import Metric, MetricItem, MetricOfModel
from airflow_mlops.config.parts.splits import FoldsConfig
from airflow_mlops.core.metrics import Direction, IntervalMethod, Scoring, direction_of


class Intervals(Part):
    """How confidence intervals are made."""

    method: IntervalMethod = Field(
        "auto",
        description="auto takes score tests and influence functions where there are any, and resamples the "
        "rest; influence refuses the rest; bootstrap resamples all.",
    )
    resamples: int = Field(1_000, ge=200, le=20_000, description="How often a bootstrap draws.")


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

    metrics: tuple[MetricOfModel, ...] = Field(
        min_length=1, strict=False, description="Computed for challenger and champion on the same rows."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")
    decision_threshold: float = Field(
        0.5, gt=0, lt=1, description="From this probability on, a binary prediction counts as positive."
    )
    intervals: Intervals = Field(default_factory=Intervals)
    importance: ImportanceConfig = Field(default_factory=lambda: ImportanceConfig())
    cross_validation: FoldsConfig | None = Field(
        None,
        description="Trains anew on folds of the training part and measures each, beside the holdout: how "
        "much the metrics move from fold to fold.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        found = [
            (("metrics", index), f"{name!r} is there twice; give one of them another 'name'")
            for index, name in enumerate(self.names)
            if name in self.names[:index]
        ]
        if found:
            raise Mistakes(*found)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """What gates and reports call the metrics, in order."""
        return tuple(item.called for item in self.metrics)

    @property
    def scoring(self) -> Scoring:
        """What a scorer must know beyond names."""
        return Scoring(
            tuple(item.spec for item in self.metrics),
            self.decision_threshold,
            self.intervals.method,
            self.intervals.resamples,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that costs and values are read from, each once."""
        read = (column for item in self.metrics for column in item.columns)
        return tuple(dict.fromkeys(read))

    def item(self, name: str) -> MetricItem | None:
        """The metric of a name, or None."""
        return next((item for item in self.metrics if item.called == name), None)

    def direction(self, name: str) -> Direction:
        """Whether more or less of a metric is better. Raises ``ValueError`` for one that is not here."""
        item = self.item(name)
        return direction_of(name) if item is None else direction_of(item.metric or name, item.spec.direction)
