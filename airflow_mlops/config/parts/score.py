"""Which rows a batch model scores, when, and where the answers go."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from airflow_mlops.config.parts.base import Column, ExactPeriodText, Mistakes, Part, PeriodText
from airflow_mlops.config.parts.data import PythonSource, Source
from airflow_mlops.config.parts.schedule import Schedule
from airflow_mlops.core.partitions import PartitionUnit

PREDICTION_COLUMNS = ("prediction", "model_version", "error")
"""The columns that a row of predictions has beside its key, its time and those of ``keep``."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_COLUMN = re.compile(r"(?:^|/)([^/=]+)=")
_PLACEHOLDERS = ("model", "partition")
# What the store's other rooms are called: a pattern must not lead into one of them.
_TAKEN = frozenset(
    {"snapshots", "ledger", "reports", "collected", "inference", "serving", "tuning", "rollouts", "traffic",
     "bundles"}
)  # fmt: skip


class Score(Part):
    """A DAG that scores rows partition by partition with the champion and keeps the answers."""

    source: Source | None = Field(
        None, description="Where the rows come from; data.source, if not given. It needs no label."
    )
    schedule: Schedule = Field(
        default_factory=Schedule,
        description="When it runs by itself, in the words of the training's schedule. With assets it follows "
        "the data.",
    )
    partition: PartitionUnit = Field(
        "day",
        description="What is scored, and replaced, as a whole: an hour, a day, a week (from Monday) or a "
        "month, by the calendar of score.schedule.timezone.",
    )
    window: PeriodText | None = Field(
        None,
        description="How far back a run looks that has no interval: all partitions that were over by then. "
        "The last one alone, if not given.",
    )
    path: str = Field(
        "predictions/{model}/date={partition}",
        description="Folder of a partition in the store; {model} and {partition} are filled in.",
    )
    keep: tuple[Column, ...] = Field(
        (), strict=False, description="Columns that are carried over beside key and time."
    )
    champion: Literal["now", "then"] = Field(
        "now",
        description="Who scores an old partition: the champion of now, or the one that was in force when the "
        "partition ended, by the ledger.",
    )
    shadow_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the rows that the challenger scores as well, where there is one. Nobody sees "
        "its answers: they go to the monitor and to the rollout.",
    )
    minimum_rows: int = Field(
        1, ge=0, description="A partition with fewer rows is refused, and what it held before is kept."
    )
    chunk_rows: int = Field(
        100_000, ge=1_000, le=5_000_000, description="Rows that are held in memory at a time."
    )
    chunk: ExactPeriodText | None = Field(
        None,
        description="A Python function is asked for so much time at once; for a partition, if not given.",
    )
    log_rows: int = Field(
        50_000,
        ge=0,
        description="So many rows of a partition, drawn at random by their keys, go to the inference log, "
        "where drift and performance are seen.",
    )

    @field_validator("path")
    @classmethod
    def _one_folder_a_partition(cls, path: str) -> str:
        known = " and ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        unknown = [name for name in _PLACEHOLDER.findall(path) if name not in _PLACEHOLDERS]
        if unknown or "{" in _PLACEHOLDER.sub("", path) or "}" in _PLACEHOLDER.sub("", path):
            raise ValueError(f"{path!r} has a placeholder that nobody fills in; there are {known}")
        if "{partition}" not in path:
            raise ValueError(f"{path!r} would be one place for all partitions; put {{partition}} into it")
        parts = path.split("/")
        if any(not part or part.startswith((".", "_")) for part in parts):
            raise ValueError(
                f"{path!r} is no folder of the store: it is relative, and none of its parts is empty or "
                "starts with a dot or a _"
            )
        if parts[0] in _TAKEN:
            raise ValueError(f"{parts[0]}/ is the store's own; choose another folder, as in predictions/")
        return path

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("keep", index), f"{name!r} is a column of the predictions themselves; rename it in the source")
            for index, name in enumerate(self.keep)
            if name in PREDICTION_COLUMNS
        ]
        if self.schedule.watch:
            found.append(
                (
                    ("schedule", "watch"),
                    "watch in the model's own schedule, and name its asset here, as in assets: <model>/files",
                )
            )
        if self.chunk is not None and self.source is not None and not isinstance(self.source, PythonSource):
            found.append((("chunk",), f"a {self.source.type} source is read in chunks of chunk_rows already"))
        if found:
            raise Mistakes(*found)
        return self

    @property
    def folder_columns(self) -> list[str]:
        """The columns that readers take from the names of folders, as ``date`` from ``date=2026-03-01``."""
        return _COLUMN.findall(self.path)

    def folder(self, model: str, partition: str) -> str:
        """The key of a partition's folder in the store."""
        return self.path.replace("{model}", model).replace("{partition}", partition)
