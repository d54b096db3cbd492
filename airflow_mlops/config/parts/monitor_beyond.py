"""What is watched beyond single features: several together, predictions, labels, and why they moved."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airflow_mlops.config.parts.base import Column, Name, Part
from airflow_mlops.core.shift.multivariate import Method

Members = Annotated[tuple[Column, ...], Field(strict=False, min_length=1)]


class Multivariate(Part):
    """Whether features that look alike one by one have moved together."""

    method: Method = Field(
        "domain_classifier",
        description="domain_classifier: how well boosted trees tell the window from the reference, and by "
        "which features; mmd: the kernel distance of the two, for numbers and embeddings.",
    )
    threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Drifted from this effect on, if it is no chance: the AUC (0.65 if left out), or the "
        "share of the kernel distance that is due to the difference (0.02).",
    )
    columns: tuple[Column, ...] = Field(
        (),
        strict=False,
        description="The features that are looked at together; all, if left out. Leave out what tells any "
        "two windows apart, such as a month.",
    )
    groups: dict[Name, Members] = Field(
        default_factory=dict,
        description="Numeric features that are one thing, such as an embedding, by a name; each group is "
        "looked at by itself as well. A * stands for anything.",
    )
    rows: int = Field(5_000, ge=200, le=20_000, description="Rows of each side, drawn at random.")
    counts: bool = Field(
        True, description="Whether it makes the data drifted by itself; else it is only reported."
    )


class DistributionDrift(Part):
    """How far a distribution may move."""

    threshold: float = Field(
        0.1, gt=0, description="Drifted from this population stability index on, beyond what chance gives."
    )
    counts: bool = Field(
        False, description="Whether it makes the data drifted by itself; else it is only reported."
    )


class Explain(Part):
    """How the change of the mean score is split over features and slices."""

    enabled: bool = Field(True, description="Whether the champion is asked what moved its scores.")
    rows: int = Field(
        2_000,
        ge=100,
        le=20_000,
        description="Pairs of rows of window and reference that the champion is asked about. Each costs two "
        "answers a feature.",
    )
    features: int = Field(
        20, ge=1, le=100, description="The features that moved most get a part each, all others one."
    )
