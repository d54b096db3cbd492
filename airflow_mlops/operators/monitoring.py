"""The monitor pipeline: collect what was served, check it, and decide whether to retrain."""

from __future__ import annotations

from typing import Any

from airflow_mlops.operators.base import StepOperator
from airflow_mlops.operators.links import ReportLink


class CollectOperator(StepOperator):
    """Freezes the inference log of the run's window. Skipped where nothing was served in it."""

    step = "collect"
    opens_run = True
    clock = "monitoring"


class DataQualityOperator(StepOperator):
    """Checks the endpoint's inputs against the model's expectations."""

    step = "data_quality"
    clock = "monitoring"
    inputs = template_fields = ("collected",)
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, collected: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.collected = collected


class DriftOperator(StepOperator):
    """Compares the endpoint's inputs with what the champion was trained on."""

    step = "drift"
    clock = "monitoring"
    inputs = template_fields = ("collected",)
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, collected: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.collected = collected


class PerformanceOperator(StepOperator):
    """Holds the answers against the labels that have landed. Skipped where the model has no labels."""

    step = "performance"
    clock = "monitoring"
    inputs = template_fields = ("collected",)
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, collected: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.collected = collected


class DecideRetrainingOperator(StepOperator):
    """Applies the retraining policy. Runs without a performance report where there are no labels."""

    step = "decide"
    clock = "monitoring"
    inputs = template_fields = ("collected", "quality", "drift", "performance")
    optional_inputs = ("performance",)
    operator_extra_links = (ReportLink(),)

    def __init__(
        self, *, collected: Any, quality: Any, drift: Any, performance: Any = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(**kwargs)
        self.collected = collected
        self.quality = quality
        self.drift = drift
        self.performance = performance
