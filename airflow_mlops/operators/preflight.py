"""The preflight: what is tried in small at the head of the train pipeline."""

from __future__ import annotations

from typing import Any

from airflow_mlops.operators.base import StepOperator
from airflow_mlops.operators.links import ReportLink


class _PreflightOperator(StepOperator):
    """A failure names what failed; the task's report tells the rest, of a red task as well."""

    inputs = template_fields = ("snapshot",)
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, snapshot: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot


class CheckContractsOperator(_PreflightOperator):
    """Holds the YAML against code, environment and data: import paths, libraries, connections, columns."""

    step = "contracts"


class ModelTestsOperator(_PreflightOperator):
    """Runs the model's own pytest files. Skipped where the YAML names none."""

    step = "model_tests"


class SampleRunOperator(_PreflightOperator):
    """Runs every step on few rows, the saved model in a fresh process as well, and keeps nothing of it."""

    step = "sample_run"
