"""What scoring a partition came to, as it travels and as it is written beside the predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_mlops.core.partitions import Partition
from airflow_mlops.core.values import ArmObservation, ModelRef


@dataclass(frozen=True, slots=True)
class ChosenPartition:
    """A partition and the version that is to score it."""

    partition: Partition
    champion: ModelRef


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What was seen of a challenger on its share of a partition's rows; the champion's arm is of those same
    rows. ``scored_at`` is when the run chose what to score, so that an old look can be told from a new one.
    """

    partition: str
    scored_at: datetime
    champion: ArmObservation
    challenger: ArmObservation
    disagreements: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredPartition:
    """What was written for a partition. ``data_version`` is equal where the rows that were read are, in any
    order; ``errors`` counts rows that the champion gave no number for. ``scored_at`` is when the run chose
    its partitions: a retry of the same run finds it again, and a run that is cleared chooses anew.
    """

    partition: Partition
    uri: str
    rows: int
    errors: int
    champion: ModelRef
    data_version: str
    scored_at: datetime
    shadow: ShadowCounts | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
