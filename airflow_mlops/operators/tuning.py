"""The search for better parameters: its workers, and the choice among what they found."""

from __future__ import annotations

from typing import Any

from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.links import ReportLink, SearchRunLink


class SearchParametersOperator(StepOperator):
    """One worker of a search, numbered from 0: ``.partial(...).expand(worker=[0, 1, 2])`` makes three.

    Those of one run share one search and one budget, on a retry as well. The trials are in the store and in
    MLflow; the result only says what this worker did.
    """

    step = "tune_search"
    inputs = template_fields = ("snapshot",)
    operator_extra_links = (SearchRunLink(),)

    def __init__(self, *, snapshot: Any, worker: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.worker = worker

    def request(self, context: Any, configured: Configured, **more: Any) -> dict[str, Any]:
        return super().request(context, configured, worker=self.worker, **more)


class ChooseParametersOperator(StepOperator):
    """Takes the best trial's parameters, once all workers are done; ``TrainOperator`` takes its result as
    ``tuned``."""

    step = "tune_choose"
    inputs = template_fields = ("snapshot",)
    operator_extra_links = (ReportLink(), SearchRunLink())

    def __init__(self, *, snapshot: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
