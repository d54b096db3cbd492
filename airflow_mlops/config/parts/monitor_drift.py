"""How what is served now is compared with what the champion was trained on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Column, Part, PeriodText, Share
from airflow_mlops.config.parts.cuts import Cuts, Groups
from airflow_mlops.config.parts.monitor_beyond import DistributionDrift, Explain, Multivariate
from airflow_mlops.core.drift import DriftMethod


class FeatureDrift(Part):
    """How one feature is compared, where it is not as all others are."""

    method: DriftMethod | None = Field(None, description="Instead of monitor.drift.method.")
    threshold: float | None = Field(None, gt=0, description="Instead of monitor.drift.threshold.")


class DriftSlices(Groups):
    """Which parts of the rows are compared by themselves as well."""

    by: Cuts | None = Field(
        None,
        description="The features whose groups are slices; a list in the list crosses its features. Left "
        "out: those that gates of the type slices cut by.",
    )
    minimum_rows: int = Field(
        200, ge=10, description="Slices with fewer rows, now or in the reference, are not compared."
    )
    most: int = Field(20, ge=1, le=100, description="Of each cut, the groups with the most rows.")


class Volume(Part):
    """How many rows a window should have, for its length."""

    against: Literal["earlier_windows", "reference"] = Field(
        "earlier_windows",
        description="What is usual: the median of the last windows, or the champion's reference.",
    )
    windows: int = Field(
        6,
        ge=3,
        le=100,
        description="How many windows before this one, as long as it, say what is usual, here and for the "
        "upstream fault volume.",
    )
    minimum_ratio: float = Field(0.5, ge=0, description="Less than this share of what is usual is too few.")
    maximum_ratio: float = Field(2.0, gt=0, description="More than this share of what is usual is too many.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum_ratio >= self.maximum_ratio:
            raise ValueError(f"minimum_ratio {self.minimum_ratio:g} is not below maximum_ratio")
        return self


class Drift(Part):
    """How the endpoint's inputs are compared with what the champion was trained on.

    A feature has drifted where it moved far (``threshold``) and chance does not explain it
    (``false_discovery_rate``): so neither many rows nor few cry wolf.
    """

    method: DriftMethod = Field(
        "psi",
        description="How far a feature moved. Categories have neither order nor distances: with ks they go "
        "by chi_squared, with wasserstein by jensenshannon.",
    )
    threshold: float = Field(
        0.1,
        gt=0,
        description="A feature has drifted from this effect on: the population stability index; the largest "
        "gap between two shares (ks); Cramér's V (chi_squared); standard deviations of the reference "
        "(wasserstein); a distance from 0 to 1 (jensenshannon).",
    )
    features: dict[Column, FeatureDrift] = Field(
        default_factory=dict, description="Features with a method or a threshold of their own."
    )
    false_discovery_rate: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Of the features that are called drifted, the share that may be so by chance, all looks "
        "taken together (Benjamini-Hochberg).",
    )
    missing: float = Field(
        0.1, gt=0, le=1, description="A feature whose share of missing values changed by so much has drifted."
    )
    new_categories: float = Field(
        0.05, gt=0, le=1, description="So has one with this share of rows in categories that are new."
    )
    slices: DriftSlices = Field(default_factory=DriftSlices)
    volume: Volume = Field(default_factory=Volume)
    freshness: PeriodText | None = Field(
        None,
        description="The newest row may be this much older than the window's end; if left out, its age is "
        "only reported.",
    )
    share: Share = Field(0.3, description="Share of drifted features that makes the data drifted.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer rows in a window are not compared: by chance alone they look drifted."
    )
    sample_rows: int = Field(
        20_000,
        ge=100,
        le=100_000,
        description="Rows of each side that Evidently's page is drawn from; the scores are of all rows.",
    )
    multivariate: Multivariate | None = Field(
        None, description="Looks at several features at once; not done if not given."
    )
    predictions: DistributionDrift = Field(
        default_factory=DistributionDrift,
        description="The champion's served scores against those on its holdout; no labels are needed.",
    )
    target: DistributionDrift = Field(
        default_factory=DistributionDrift,
        description="Labels that have landed against the holdout's, where monitor.labels is given.",
    )
    explain: Explain = Field(default_factory=Explain)
