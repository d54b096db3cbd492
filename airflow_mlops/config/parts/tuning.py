"""Which parameters of a training are searched for, how, and at what cost."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Mistakes, Part, PeriodText
from airflow_mlops.config.parts.metrics import Metric
from airflow_mlops.config.parts.splits import FoldsConfig, RollingOriginFolds

Finite = Annotated[float, Field(allow_inf_nan=False)]


class FloatSpace(Part):
    """A real number between two bounds, both included."""

    type: Literal["float"]
    low: Finite = Field(description="The smallest value.")
    high: Finite = Field(description="The largest value.")
    log: bool = Field(False, description="Search its logarithm: right for learning rates and penalties.")
    step: Finite | None = Field(None, gt=0, description="Only low, low + step, low + 2 steps and so on.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        _check_range(self.low, self.high, log=self.log, stepped=self.step is not None)
        return self


class IntSpace(Part):
    """A whole number between two bounds, both included."""

    type: Literal["int"]
    low: int = Field(description="The smallest value.")
    high: int = Field(description="The largest value.")
    log: bool = Field(False, description="Search its logarithm: right for what spans factors of ten.")
    step: int = Field(1, ge=1, description="Only low, low + step, low + 2 steps and so on.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        _check_range(self.low, self.high, log=self.log, stepped=self.step != 1)
        return self


class CategoricalSpace(Part):
    """One of several values: words, numbers, true and false, null, or lists of such."""

    type: Literal["categorical"]
    choices: tuple[Any, ...] = Field(
        min_length=1, strict=False, description="The values there are, at least two."
    )

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(self.choices) < 2:
            raise Mistakes((("choices",), "one choice is no search: put it into training.params"))
        seen: set[str] = set()
        for index, choice in enumerate(self.choices):
            text = json.dumps(choice, sort_keys=True)
            if text in seen:
                raise Mistakes((("choices", index), f"{text} is there twice"))
            seen.add(text)
        return self


def _check_range(low: float, high: float, *, log: bool, stepped: bool) -> None:
    if low >= high:
        raise Mistakes(
            (("high",), f"'high' ({high:g}) must be above 'low' ({low:g}): there is nothing to search")
        )
    if log and low <= 0:
        raise Mistakes((("low",), f"'log' needs bounds above 0, not {low:g}"))
    if log and stepped:
        raise Mistakes((("step",), "'step' and 'log' cannot go together: equal steps are no equal factors"))


Space = Annotated[FloatSpace | IntSpace | CategoricalSpace, Field(discriminator="type")]


class Tuning(Part):
    """A search for better parameters before each training. It sees training rows only, never the holdout."""

    metric: Metric = Field(description="What is searched for, one of evaluation.metrics.")
    space: dict[str, Space] = Field(
        min_length=1,
        description="The parameters of the training that are searched, each with its values. They stand in "
        "for those of training.params.",
    )
    trials: int = Field(
        30, ge=1, le=10_000, description="Trials of one search, over all workers and retries."
    )
    minutes: float | None = Field(
        None, gt=0, description="Time of one search, over all workers and retries; looked at between folds."
    )
    parallel: int = Field(2, ge=1, le=64, description="Workers: mapped tasks that run at the same time.")
    every: PeriodText | None = Field(
        None,
        description="Search again only when the newest window is this much later than that of the last "
        "search, and train with what that one found until then. A search in each run if not given.",
        examples=["30 days"],
    )
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="tpe learns from the trials so far (tree-structured Parzen estimator)."
    )
    pruner: Literal["median", "hyperband", "none"] = Field(
        "median",
        description="Gives a trial up after a fold: where it is worse than the median of those before it at "
        "that fold, or by Hyperband's brackets.",
    )
    folds: FoldsConfig = Field(
        default_factory=lambda: RollingOriginFolds(type="rolling_origin", folds=3),
        description="How the training rows are split. A trial's value is the mean over the folds.",
    )
    rows: int | None = Field(
        None, ge=100, description="A random part of the training rows, of at most so many, is enough."
    )
    seed: int = Field(0, ge=0, description="Of the sampler, of the folds and of the random part.")

    @model_validator(mode="after")
    def _work_for_each(self) -> Self:
        if self.parallel > self.trials:
            raise Mistakes(
                (
                    ("parallel",),
                    f"{self.parallel} workers for {self.trials} trials: some would have nothing to do",
                )
            )
        return self
