"""The gate that a simple rival sets: the model must be better than it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Column, Mistakes, PeriodText
from airflow_mlops.config.parts.gate_rule import MeasuredGate, bounds_in_words
from airflow_mlops.config.parts.metrics import Metric

_SETTING = {"former": "age", "column": "column"}


class BaselineGate(MeasuredGate):
    """How much better the model is than a rival on the same rows."""

    type: Literal["baseline"]
    kind: Literal["constant", "last_value", "former", "column"] = Field(
        description="constant: the best single answer to the training rows. last_value: the newest label of "
        "the training rows. former: the version that was champion some time ago. column: answers that stand "
        "in the data."
    )
    metric: Metric = Field(description="One of evaluation.metrics.")
    minimum: float | None = Field(
        0.0,
        description="The gain over the rival must be at least this, in the metric's unit; below zero it is a "
        "loss that is allowed.",
    )
    age: PeriodText | None = Field(
        None, description="For former: how long before the newest holdout row it was champion."
    )
    column: Column | None = Field(
        None, description="For column: the rival's answers, in the form that the model's own have."
    )

    @model_validator(mode="after")
    def _setting_of_its_kind(self) -> Self:
        wanted = _SETTING.get(self.kind)
        if wanted is not None and getattr(self, wanted) is None:
            raise ValueError(f"kind {self.kind} needs {wanted!r}")
        found = [
            ((name,), f"{name!r} is for kind {kind}, not for {self.kind}")
            for kind, name in _SETTING.items()
            if name != wanted and getattr(self, name) is not None
        ]
        if found:
            raise Mistakes(*found)
        return self

    @property
    def judges_first(self) -> bool:
        """A former champion is none to a first model."""
        return self.kind != "former"

    @property
    def columns(self) -> tuple[str, ...]:
        return () if self.column is None else (self.column,)

    @property
    def rival(self) -> str:
        """What the model is held against."""
        return {
            "constant": "the best constant",
            "last_value": "the last value before the holdout",
            "former": f"the champion of {self.age} ago",
            "column": f"the answers in column `{self.column}`",
        }[self.kind]

    @property
    def in_words(self) -> str:
        bounds = bounds_in_words(*self.bounds)
        return f"{self.called}: `{self.metric}` better than {self.rival} by {bounds}"
