"""Gates on the model itself: how it was fitted, how it bears bad input, whether it is what was trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.base import Part, Share
from airflow_mlops.config.parts.gate_rule import GateRule, MeasuredGate, bounds_in_words
from airflow_mlops.config.parts.metrics import Metric

Perturbation = Literal["noise", "missing", "out_of_range", "unseen_category", "typos"]


class OverfittingGate(MeasuredGate):
    """How much better the model is on the rows it was trained on than on the holdout."""

    type: Literal["overfitting"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    maximum: float | None = Field(
        None, description="The largest gap between training rows and holdout, in the metric's unit."
    )
    rows: int = Field(100_000, ge=100, description="Training rows that are scored at most, drawn at random.")

    @property
    def in_words(self) -> str:
        bounds = bounds_in_words(*self.bounds)
        return f"{self.called}: `{self.metric}` on training rows minus holdout, {bounds}"


class ConvergenceGate(GateRule):
    """Whether training came to its end: no warning, no limit of iterations reached, no curve still rising."""

    type: Literal["convergence"]
    still_improving: float = Field(
        0.02,
        ge=0,
        description="A loss that fell, or a score that rose, by more than this share in the last tenth of "
        "the iterations was still improving.",
    )

    @property
    def in_words(self) -> str:
        return f"{self.called}: training came to its end"


class Strength(Part):
    """How far each perturbation goes."""

    noise: float = Field(
        0.1, gt=0, description="Normal noise added to numbers, as a share of each one's standard deviation."
    )
    missing: Share = Field(0.1, description="Share of a feature's values that become missing.")
    out_of_range: Share = Field(
        0.05,
        description="Share of a number's values that go beyond what training has seen, by up to its range.",
    )
    unseen_category: Share = Field(
        0.1, description="Share of a category's values that become one that training has not seen."
    )
    typos: Share = Field(
        0.05, description="Share of a text's characters that change places with the next one."
    )


class RobustnessGate(MeasuredGate):
    """How much a metric drops where the holdout's features are noisy, missing, out of range or unseen."""

    type: Literal["robustness"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    maximum: float | None = Field(
        None, description="The largest drop of the metric, in its unit, under any perturbation."
    )
    perturbations: tuple[Perturbation, ...] = Field(
        ("noise", "missing", "out_of_range", "unseen_category", "typos"),
        min_length=1,
        strict=False,
        description="What is done to the features; those that no feature is fit for are left out.",
    )
    strength: Strength = Field(default_factory=Strength, description="How far each goes.")
    each_feature: bool = Field(
        True, description="Besides all features at once also each alone, which names the one at fault."
    )
    repeats: int = Field(3, ge=1, le=100, description="Draws of each perturbation; their mean counts.")
    rows: int = Field(10_000, ge=100, description="Holdout rows that are used at most, drawn at random.")

    @property
    def in_words(self) -> str:
        done = ", ".join(name.replace("_", " ") for name in self.perturbations)
        return f"{self.called}: `{self.metric}` drops by {bounds_in_words(*self.bounds)} ({done})"


class SkewGate(MeasuredGate):
    """Whether the saved model, loaded in a process of its own, answers as it did in training."""

    type: Literal["skew"]
    maximum: float | None = Field(
        1e-6, ge=0, description="The largest difference of an answer, as a part of it where it is beyond 1."
    )

    @property
    def in_words(self) -> str:
        bounds = bounds_in_words(*self.bounds)
        return f"{self.called}: the saved model in a fresh process answers as in training, {bounds}"
