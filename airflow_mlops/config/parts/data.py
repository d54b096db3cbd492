"""What a model learns from, and what must hold of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from airflow_mlops.config.parts.base import (
    Column,
    ImportPath,
    Mistakes,
    Moment,
    Params,
    Part,
    PeriodText,
    Shape,
)
from airflow_mlops.config.parts.leakage import Leakage
from airflow_mlops.config.parts.row_condition import refused_condition
from airflow_mlops.config.parts.splits import Holdout
from airflow_mlops.config.parts.upstream_faults import UpstreamFaults
from airflow_mlops.core.values import PART_COLUMN, ColumnKind, Severity


class PythonSource(Part):
    """Rows from a function of yours: ``load(start, end, **params) -> DataFrame``, or one that yields
    several."""

    type: Literal["python"]
    callable: ImportPath = Field(description="package.module:function, loaded where the step runs.")
    params: Params = Field(default_factory=dict, description="Keyword arguments for the function.")


class ParquetSource(Part):
    """Rows from Parquet files."""

    type: Literal["parquet"]
    path: str = Field(
        description="A file or a glob; a relative path is looked up inside the store.", min_length=1
    )

    @field_validator("path")
    @classmethod
    def _in_the_store(cls, path: str) -> str:
        if "://" in path:
            raise ValueError(f"{path!r} is a URI; give a path, absolute or inside the store")
        parts = path.split("/")
        if not path.startswith("/") and any(not part or part.startswith(".") for part in parts):
            raise ValueError(
                f"{path!r} does not name anything in the store: no part of a relative path is empty "
                "or starts with a dot"
            )
        return path


Source = Annotated[PythonSource | ParquetSource, Field(discriminator="type")]


class TrainingWindow(Part):
    """Which rows a run trains on: all since ``start`` (expanding), or the last ``length`` (rolling)."""

    start: Moment | None = Field(None, description="Expanding: every row since this moment.")
    length: PeriodText | None = Field(None, description="Rolling: only this much, as in '3 months'.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.start is None) == (self.length is None):
            raise ValueError("give either 'start' (expanding window) or 'length' (rolling window)")
        return self


EVERY_FEATURE = "*"


class Data(Part):
    """What the model learns from."""

    source: Source
    time_column: Column = Field(description="When the row happened; decides window and holdout.")
    key: Column = Field(
        description="What names a row; joins predictions with labels, holds a row to one version in a canary."
    )
    label: Column = Field(description="What is predicted.")
    group: Column | None = Field(
        None,
        description="What rows belong together by (a patient, a customer, a query): no group is on both "
        "sides of any split. No feature unless it is listed as one. A row without a group stands alone.",
    )
    features: dict[Column, ColumnKind] = Field(
        min_length=1,
        description="Columns known at prediction time, each numeric, categorical or text (prose, whose words "
        "count; a missing text is an empty one).",
    )
    sensitive: tuple[Column, ...] = Field(
        (),
        strict=False,
        description="Columns that are no features and are read all the same, for gates to compare groups by; "
        "no model ever sees them.",
    )
    known_at: dict[Column, Column] = Field(
        default_factory=dict,
        description="Of a feature the column that says when its value was known; '*' stands for all features "
        "that have none of their own. A value known after its row's time is from the future.",
    )
    window: TrainingWindow
    holdout: Holdout
    minimum_rows: int = Field(100, ge=10, description="Fewer rows than this are refused.")

    @model_validator(mode="after")
    def _each_column_has_one_role(self) -> Self:
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("features", name), f"{name!r} cannot be a feature: it is the {word}")
            for word, name in (("label", self.label), ("key", self.key))
            if name in self.features
        ]
        found += [
            (
                ("sensitive", index),
                f"{name!r} is a feature already, which gates may compare groups by as well",
            )
            for index, name in enumerate(self.sensitive)
            if name in self.features
        ]
        found += [
            (("label",), f"{name!r} cannot be the label: it is the {word}")
            for word, name in (("key", self.key), ("time column", self.time_column), ("group", self.group))
            if name == self.label
        ]
        if self.group == self.key:
            found.append((("group",), f"{self.key!r} is the key, which names one row: it groups nothing"))
        found += [
            (("known_at", name), f"{name!r} is no feature; '*' stands for all of them")
            for name in self.known_at
            if name not in self.features and name != EVERY_FEATURE
        ]
        if PART_COLUMN in self.columns:
            found.append(((), f"{PART_COLUMN!r} is a column of the snapshot's own; call yours otherwise"))
        if found:
            raise Mistakes(*found)
        return self

    @property
    def columns(self) -> list[str]:
        """Every column a snapshot holds, once, in a fixed order."""
        group = [] if self.group is None else [self.group]
        named = [self.key, self.time_column, *self.features, self.label, *group, *self.known_at.values()]
        named += self.sensitive
        return list(dict.fromkeys(named))

    @property
    def known_at_of(self) -> dict[str, str]:
        """Of each feature, where it is said, the column that tells when its value was known."""
        every = self.known_at.get(EVERY_FEATURE)
        found = {name: self.known_at.get(name, every) for name in self.features}
        return {name: column for name, column in found.items() if column is not None}

    @property
    def texts(self) -> list[str]:
        """The features that are text."""
        return [name for name, kind in self.features.items() if kind == "text"]


class ExpectationConfig(Part):
    """One Great Expectations expectation."""

    type: Annotated[str, Shape(r"^expect_[a-z0-9_]+$")] = Field(
        description="Great Expectations' own name for it."
    )
    kwargs: Params = Field(default_factory=dict, description="Its arguments.")
    severity: Severity = Field(
        "critical", description="critical stops the run; warning and info are reported."
    )

    @field_validator("kwargs")
    @classmethod
    def _no_code(cls, kwargs: Params) -> Params:
        if (condition := kwargs.get("row_condition")) is not None and (
            reason := refused_condition(condition)
        ):
            raise Mistakes((("row_condition",), f"row_condition {reason}"))
        return kwargs


class Validation(Part):
    """What must hold of the rows before anything is trained."""

    expectations: tuple[ExpectationConfig, ...] = Field(
        (), strict=False, description="Great Expectations expectations, checked on every snapshot."
    )
    suite: str | None = Field(
        None,
        min_length=1,
        description="A Great Expectations suite, a JSON file beside this YAML; its expectations go first.",
    )
    leakage: Leakage = Field(default_factory=Leakage)
    upstream_faults: UpstreamFaults = Field(default_factory=UpstreamFaults)
