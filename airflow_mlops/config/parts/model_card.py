"""What people say of a model on its card; the numbers are filled in by the runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from airflow_mlops.config.parts.base import Part

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class ModelCardConfig(Part):
    """The words of the model card that no run can know. Every registered version gets a card."""

    intended_use: str = Field("", max_length=2_000, description="What the model is for, and for whom.")
    out_of_scope: str = Field("", max_length=2_000, description="What it must not be used for.")
    limits: tuple[Sentence, ...] = Field(
        (), strict=False, description="What is known to go wrong; limits seen in the numbers are added."
    )
    considerations: tuple[Sentence, ...] = Field(
        (), strict=False, description="Ethical and legal points that a reader should know."
    )
    contact: str = Field("", max_length=200, description="Whom to ask; the owner, if left out.")
