"""Where the truth about served answers comes from, and when."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Column, Mistakes, Part, PeriodText
from airflow_mlops.config.parts.data import Source
from airflow_mlops.core.windows import Period


class Labels(Part):
    """Where true labels land later, how they find their answers, and how long they are waited for."""

    source: Source
    join: Literal["key", "request_id"] = Field(
        "key",
        description="What a label is joined to its answer by: data.key, or the id of the request that the "
        "endpoint gave back. A request of several rows is joined by its id and data.key.",
    )
    column: Column | None = Field(
        None, description="The source's column of it; data.key or request_id, if left out."
    )
    arrived_at: Column | None = Field(
        None,
        description="The source's column of the moment a label landed. The source is then read by it, and "
        "the lag of each label is known; if left out, it is read by data.time_column, and the lag is "
        "learnt from one look to the next.",
    )
    coverage: float = Field(
        0.95,
        gt=0,
        le=1,
        description="The share of a window's answers that must have a label for its labels to be complete.",
    )
    deadline: PeriodText = Field(
        "90 days",
        description="A window that ended longer ago is complete with the labels it has, and no longer looked "
        "at; until then it is scored again whenever more have landed.",
    )

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if self.arrived_at is not None and self.arrived_at == self.column:
            raise Mistakes(
                (("arrived_at",), "is the column that labels are joined by; name the one with the time")
            )
        return self

    @property
    def waits(self) -> Period:
        """The deadline, as a period."""
        return Period.parse(self.deadline)
