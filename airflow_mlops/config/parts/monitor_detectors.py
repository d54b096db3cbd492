"""Detectors of concept drift, as a YAML names them: by name alone, or with settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from airflow_mlops.config.parts.base import Mistakes, Part
from airflow_mlops.core.detectors import Adwin, Ddm, Eddm, Kswin, PageHinkley, Watched


class PageHinkleyDetector(Part):
    """Has the loss risen? Adds up what lies above the mean: the fastest, and the first to be wrong."""

    type: Literal["page_hinkley"]
    delta: float = Field(0.5, ge=0, description="A rise that is allowed, in standard deviations of a batch.")
    threshold: float = Field(
        10.0, gt=0, description="How much must add up above that, in standard deviations of a batch."
    )
    minimum_batches: int = Field(10, ge=2, description="Batches that are read before any alarm.")

    @property
    def watched(self) -> Watched:
        made = PageHinkley(delta=self.delta, threshold=self.threshold, minimum=self.minimum_batches)
        return Watched(self.type, made)


class AdwinDetector(Part):
    """Is the mean of the newer batches above that of the older ones? The surest."""

    type: Literal["adwin"]
    delta: float = Field(0.002, gt=0, lt=1, description="How readily a change is seen; less is later.")
    minimum_batches: int = Field(5, ge=2, description="The least number of batches on either side.")

    @property
    def watched(self) -> Watched:
        return Watched(self.type, Adwin(delta=self.delta, minimum=self.minimum_batches))


class KswinDetector(Part):
    """Are the latest batches of another distribution than the older ones?"""

    type: Literal["kswin"]
    alpha: float = Field(0.005, gt=0, lt=1, description="Level of each test.")
    window: int = Field(40, ge=4, description="Batches in the sliding window.")
    recent: int = Field(10, ge=2, description="The latest of them, which as many older ones are held to.")

    @model_validator(mode="after")
    def _older_ones_are_left(self) -> Self:
        if 2 * self.recent > self.window:
            raise Mistakes((("recent",), f"must be at most half of the window of {self.window}"))
        return self

    @property
    def watched(self) -> Watched:
        return Watched(self.type, Kswin(alpha=self.alpha, window=self.window, recent=self.recent))


class DdmDetector(Part):
    """Does the rate of bad batches rise above its best?"""

    type: Literal["ddm"]
    warning: float = Field(2.0, gt=0, description="Standard errors above the best rate that are a warning.")
    drift: float = Field(4.0, gt=0, description="Standard errors above the best rate that are a drift.")
    minimum_batches: int = Field(30, ge=2, description="Batches that are read before the best is known.")

    @model_validator(mode="after")
    def _warned_first(self) -> Self:
        if self.warning > self.drift:
            raise Mistakes((("warning",), f"must be at most drift, which is {self.drift:g}"))
        return self

    @property
    def watched(self) -> Watched:
        made = Ddm(warning=self.warning, drift=self.drift, minimum=self.minimum_batches)
        return Watched(self.type, made, reads="bits")


class EddmDetector(Part):
    """Do bad batches come closer together? For slow changes over many batches."""

    type: Literal["eddm"]
    warning: float = Field(
        0.6, gt=0, lt=1, description="A warning below this share of the longest distance that was usual."
    )
    drift: float = Field(0.5, gt=0, lt=1, description="A drift below this share of it.")
    minimum_bad: int = Field(10, ge=2, description="Bad batches that are read before any alarm.")

    @model_validator(mode="after")
    def _warned_first(self) -> Self:
        if self.warning < self.drift:
            raise Mistakes((("warning",), f"must be at least drift, which is {self.drift:g}"))
        return self

    @property
    def watched(self) -> Watched:
        made = Eddm(warning=self.warning, drift=self.drift, minimum=self.minimum_bad)
        return Watched(self.type, made, reads="bits")


DetectorType = Literal["page_hinkley", "adwin", "kswin", "ddm", "eddm"]


def _spelled_out(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class _ShortSpelling:
    """A bare name in the JSON Schema, beside the mapping."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(get_args(DetectorType))}, handler(core)]}


DetectorOfModel = Annotated[
    Annotated[
        PageHinkleyDetector | AdwinDetector | KswinDetector | DdmDetector | EddmDetector,
        Field(discriminator="type"),
    ],
    BeforeValidator(_spelled_out),
    _ShortSpelling,
]
