"""How served answers are held against the promise made at promotion."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Part, Share
from airflow_mlops.config.parts.cuts import Cuts, Groups
from airflow_mlops.config.parts.metrics import Metric
from airflow_mlops.config.parts.monitor_detectors import AdwinDetector, DetectorOfModel
from airflow_mlops.core.gates.multiple import Correction


class PerformanceSlices(Groups):
    """The parts of the rows in which the promise is held to as well, each to its own."""

    by: Cuts = Field(
        (),
        description="The columns whose groups are slices; a list in the list crosses its columns. If left "
        "out, those of the gates of type slices.",
    )
    minimum_rows: int = Field(
        100, ge=10, description="Labels that a slice needs, and rows of the champion's holdout."
    )
    correction: Correction = Field(
        "benjamini_hochberg",
        description="benjamini_hochberg: of the slices that are accused, the share of false ones is as small "
        "as the level says; holm: so is the chance of any false one; none: every slice by itself.",
    )


class Performance(Part):
    """How the answers are held against the labels that have landed."""

    metric: Metric = Field(description="One of evaluation.metrics.")
    tolerance: float = Field(
        0.02, ge=0, description="How far below the promise at promotion the metric may fall."
    )
    minimum_labels: int = Field(200, ge=1, description="Fewer landed labels are inconclusive.")
    minimum_coverage: Share = Field(
        0.0,
        description="So is a smaller share of answers with a label. Give it where labels of one kind come "
        "first: fraud is reported long before the rest is known to be none.",
    )
    estimate: bool = Field(
        True,
        description="Estimate the metric until labels are complete: of classes from the answers' own "
        "probabilities (CBPE), of numbers by a model of the loss (DLE). An estimate decides nothing.",
    )
    detectors: tuple[DetectorOfModel, ...] = Field(
        (AdwinDetector(type="adwin"),),
        strict=False,
        description="What watches the loss from batch to batch: adwin, page_hinkley, kswin, ddm, eddm. They "
        "are a signal; decay is judged by the promise.",
        examples=[["adwin", {"type": "page_hinkley", "threshold": 8}]],
    )
    loss: Metric | None = Field(
        None,
        description="The metric whose value of each row detectors follow. If left out: the metric itself, "
        "where it is a mean over rows, else brier_score of probabilities, accuracy of several classes and "
        "mean_absolute_error of numbers.",
    )
    batch: ExactPeriodText = Field("1 day", description="Stretch of time whose rows are one batch.")
    batch_labels: int = Field(20, ge=1, description="Batches with fewer labels are not read by detectors.")
    slices: PerformanceSlices = Field(default_factory=PerformanceSlices)

    @model_validator(mode="after")
    def _detectors_differ(self) -> Self:
        types = [one.type for one in self.detectors]
        found = [
            (("detectors", index), f"{type_} is there twice; give it once")
            for index, type_ in enumerate(types)
            if type_ in types[:index]
        ]
        if found:
            raise Mistakes(*found)
        return self
