"""Links beside a task: its MLflow run, its model version, its report.

Airflow calls ``get_link`` in the worker after the task, with the operator that was executed, and keeps
the answer in XCom; the web server shows what is there.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import BaseOperatorLink

from airflow_mlops.hooks.pages import report_url


class _ResultLink(BaseOperatorLink):
    """A URL found in the task's result; the first of ``paths`` that leads to one."""

    paths: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 (Airflow's signature)
        """The URL, or nothing where the task failed or its result has none."""
        for path in self.paths:
            value: Any = getattr(operator, "result", None)
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, str):
                return value
        return ""


class TrainingRunLink(_ResultLink):
    """The MLflow run of a training."""

    paths = (("training", "url"), ("url",))

    @property
    def name(self) -> str:
        return "MLflow run"


class SearchRunLink(_ResultLink):
    """The MLflow run of a search, with its trials below it."""

    paths = (("search", "url"),)

    @property
    def name(self) -> str:
        return "MLflow search"


class ModelVersionLink(_ResultLink):
    """The version in MLflow's registry."""

    paths = (("candidate", "url"), ("url",))

    @property
    def name(self) -> str:
        return "Model version"


class ReportLink(_ResultLink):
    """The page that a check left in the store, as this package's plugin shows it in Airflow."""

    paths = (("report", "uri"), ("uri",))

    @property
    def name(self) -> str:
        return "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The page's address in Airflow."""
        return report_url(super().get_link(operator, ti_key=ti_key))


class ModelCardLink(_ResultLink):
    """The card of the version, as this package's plugin shows it in Airflow."""

    paths = (("card", "uri"),)

    @property
    def name(self) -> str:
        return "Model card"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The page's address in Airflow."""
        return report_url(super().get_link(operator, ti_key=ti_key))
