"""How what is served now is compared with what the champion was trained on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.base import Part, Share


class Drift(Part):
    """How the endpoint's inputs are compared with what the champion was trained on."""

    method: Literal["psi", "jensenshannon", "wasserstein"] = Field(
        "psi", description="How far a column moved; with wasserstein, categories go by Jensen-Shannon."
    )
    threshold: float = Field(0.1, gt=0, description="A column at or above this score has drifted.")
    share: Share = Field(0.3, description="Share of drifted columns that makes the data drifted.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer rows in a window are not compared: by chance alone they look drifted."
    )
    sample_rows: int = Field(
        20_000, ge=100, le=100_000, description="Rows of each side that are compared, drawn at random."
    )
