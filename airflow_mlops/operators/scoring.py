"""The score pipeline: choose partitions, then score them."""

from __future__ import annotations

from typing import Any

from airflow_mlops.operators.base import StepOperator


class ChoosePartitionsOperator(StepOperator):
    """Says which partitions the run scores, and with which versions. Skipped where there is no champion."""

    step = "choose_partitions"
    opens_run = True
    clock = "scoring"


class ScoreOperator(StepOperator):
    """Scores the chosen partitions and replaces their predictions, each whole or not at all.

    A retry goes on where the run was. What this task writes is in XCom by its URIs and numbers, never the
    rows.
    """

    step = "score"
    clock = "scoring"
    inputs = template_fields = ("chosen",)

    def __init__(self, *, chosen: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chosen = chosen
