"""What a comparison is asked for: each column's method and threshold, and the slices that are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.values import ColumnKind

DriftMethod = Literal["psi", "ks", "chi_squared", "wasserstein", "jensenshannon"]

_OF_CATEGORIES: Mapping[DriftMethod, DriftMethod] = {"ks": "chi_squared", "wasserstein": "jensenshannon"}


def method_for(kind: ColumnKind, method: DriftMethod) -> DriftMethod:
    """The method that fits a column: categories have no order and no distances, so Kolmogorov-Smirnov gives
    way to chi-squared and Wasserstein to Jensen-Shannon. A text is compared by numbers about it."""
    return _OF_CATEGORIES.get(method, method) if kind == "categorical" else method


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How one column is compared. ``threshold`` is in the method's own unit."""

    column: str
    kind: ColumnKind
    method: DriftMethod
    threshold: float


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """Which parts of the rows are compared by themselves: the groups of each cut, which is a column, or
    columns that are crossed. ``bins`` and ``edges`` part columns of numbers."""

    cuts: tuple[tuple[str, ...], ...] = ()
    bins: int = 4
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    minimum_rows: int = 200
    most: int = 20


@dataclass(frozen=True, slots=True)
class DriftPlan:
    """Everything that decides what a comparison says.

    ``missing`` and ``new_categories`` are thresholds of their own: of the change of the share of rows without
    a value, and of the share of rows whose category the reference does not know.
    """

    columns: tuple[ColumnPlan, ...]
    false_discovery_rate: float = 0.05
    missing: float = 0.1
    new_categories: float = 0.05
    slices: SlicePlan = field(default_factory=SlicePlan)

    @property
    def profile_hash(self) -> str:
        """Of what a reference profile depends on: another threshold needs no other profile."""
        cuts = [list(cut) for cut in self.slices.cuts]
        edges = {name: list(at) for name, at in sorted(self.slices.edges.items())}
        kinds = sorted((one.column, one.kind) for one in self.columns)
        return content_hash(
            [kinds, cuts, self.slices.bins, edges, self.slices.minimum_rows, self.slices.most]
        )
