"""The metrics a model is measured by: names of the table, with parameters, or a user's own."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from airflow_mlops.config.parts.base import Column, ImportPath, Mistakes, Name, Params, Part, Shape
from airflow_mlops.core.metrics import METRICS, Direction, MetricSpec, Outcomes
from airflow_mlops.core.values import TaskKind

METRICS_OF: dict[TaskKind, frozenset[str]] = {
    task: frozenset(name for name, known in METRICS.items() if task in known.tasks)
    for task in ("binary_classification", "multiclass_classification", "regression", "ranking", "forecasting")
}
_NAMES: dict[str, Any] = {"enum": list(METRICS)}
_OWN: dict[str, Any] = {"type": "string", "pattern": r"^[a-z][a-z0-9_]{0,63}$"}

Metric = Annotated[str, Shape(_OWN["pattern"]), WithJsonSchema({"anyOf": [_NAMES, _OWN]})]
"""A metric as gates, monitoring and tuning name it: by its name among ``evaluation.metrics``."""


def _known(name: Any) -> Any:
    if isinstance(name, str) and name not in METRICS:
        raise ValueError(_unknown(name))
    return name


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), METRICS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name[:60]!r} is not one of {', '.join(map(repr, METRICS))}{hint}"


def _number_or_column(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number, or the name of a column that has it, not {value!r}")
    if isinstance(value, str) and not 1 <= len(value) <= 128:
        raise ValueError("the name of a column has 1 to 128 characters")
    return float(value) if isinstance(value, int) else value


KnownName = Annotated[str, BeforeValidator(_known), WithJsonSchema(_NAMES)]
Worth = Annotated[
    Any,
    BeforeValidator(_number_or_column),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "minLength": 1, "maxLength": 128}]}),
]


class OutcomeTable(Part):
    """What each outcome of a decision costs, or is worth: a number, or the column that has it for each
    row."""

    true_positive: Worth = Field(0.0, description="Said to be positive, and is.")
    false_positive: Worth = Field(0.0, description="Said to be positive, and is not.")
    false_negative: Worth = Field(0.0, description="Said to be negative, and is positive.")
    true_negative: Worth = Field(0.0, description="Said to be negative, and is.")
    times: Column | None = Field(None, description="A column that all of it is multiplied by.")

    @property
    def outcomes(self) -> Outcomes:
        return Outcomes(**self.model_dump())


_KINDS = ("metric", "callable", "cost", "value")


class MetricItem(Part):
    """One metric: ``metric`` by its name with ``params``, ``callable`` for a function of yours, ``cost`` or
    ``value`` for what decisions lead to. A bare text is the name of a metric.
    """

    name: Name | None = Field(
        None, description="What gates and reports call it; the metric's own, if left out."
    )
    metric: KnownName | None = Field(None, description="By scikit-learn's name of the scorer, without neg_.")
    params: Params = Field(
        default_factory=dict, description="Of the metric, as k: 10; or keyword arguments of your function."
    )
    callable: ImportPath | None = Field(
        None,
        description="package.module:function, called with (label, prediction, rows) and params; it returns "
        "one number, or one for each row, of which the mean is taken.",
    )
    direction: Direction | None = Field(
        None, description="Of a function of yours: whether higher or lower is better."
    )
    cost: OutcomeTable | None = Field(
        None,
        description="Mean cost per row of the decisions at evaluation.decision_threshold; lower is better.",
    )
    value: OutcomeTable | None = Field(
        None, description="Mean value per row of these decisions; higher is better."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(_KINDS)}")
        if self.metric is None and self.name is None:
            raise ValueError(f"needs a 'name' for gates and reports, beside {given[0]!r}")
        if (self.callable is None) != (self.direction is None):
            wanted = "whether 'higher' or 'lower' is better" if self.callable else "nothing: it is known here"
            raise Mistakes((("direction",), f"'direction' must say {wanted}"))
        if self.params and self.callable is None:
            _check_params(self.metric, self.params)
        if self.name in METRICS and self.name != self.metric:
            raise Mistakes((("name",), f"{self.name!r} is another metric's name"))
        return self

    @model_serializer(mode="wrap")
    def _short(self, handler: Any) -> Any:
        """As people write it: a metric as it is by its name alone."""
        if self.metric is not None and self.called == self.metric and not self.params:
            return self.metric
        return {key: value for key, value in handler(self).items() if value not in (None, {})}

    @property
    def called(self) -> str:
        """Its name in gates and reports."""
        return self.name or str(self.metric)

    @property
    def spec(self) -> MetricSpec:
        """What it is to those who compute it."""
        table = self.cost or self.value
        own: Direction | None = "lower" if self.cost else "higher" if self.value else self.direction
        return MetricSpec(
            self.called, self.metric, self.params, self.callable, table.outcomes if table else None, own
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is known to read."""
        table = self.cost or self.value
        return table.outcomes.columns if table else ()

    @property
    def tasks(self) -> tuple[TaskKind, ...] | None:
        """The tasks it is for; None for any."""
        if self.metric is not None:
            return METRICS[self.metric].tasks
        return None if self.callable is not None else ("binary_classification",)


def _check_params(metric: str | None, params: Params) -> None:
    known = {} if metric is None else METRICS[metric].params
    found = []
    for key, value in params.items():
        if key not in known:
            hint = f"takes {', '.join(known)}" if known else "takes none"
            found.append(
                (("params", key), f"{metric or 'a table of outcomes'} has no parameter {key!r}: it {hint}")
            )
        elif key == "alpha":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                found.append((("params", key), f"must lie between 0 and 1, not {value!r}"))
        elif isinstance(value, bool) or not isinstance(value, int) or value < 1:
            found.append((("params", key), f"must be a whole number from 1 up, not {value!r}"))
    if found:
        raise Mistakes(*found)


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        _known(value)
        return {"metric": value}
    return value


class _ShortSpelling:
    """A bare name in the JSON Schema, beside the mapping."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [_NAMES, handler(core)]}


MetricOfModel = Annotated[MetricItem, BeforeValidator(_spelled_out), _ShortSpelling]
