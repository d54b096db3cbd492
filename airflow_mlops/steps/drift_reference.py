"""The champion's reference profile and a sample of the reference: made once, kept beside its dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.drift.sample import sample_of
from airflow_mlops.core.drift import DriftPlan

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the reference lies, and what of it is kept: all that later runs read."""

    uri: str
    model: str
    sample_rows: int

    def profile(self, plan: DriftPlan, backends: Backends) -> bytes:
        """The profile; where features or slices of the plan were changed, or a release keeps profiles in
        another form, another one beside the first."""
        detector = backends.drift_detector()
        key = f"{self._base}.drift-{detector.profile_format}-{plan.profile_hash[:12]}.parquet"
        return self._kept(key, backends, lambda: detector.profile(self._rows(backends), plan))

    def sample(self, plan: DriftPlan, backends: Backends) -> pa.Table:
        """Some rows, for what is drawn."""
        columns = [one.column for one in plan.columns]
        key = f"{self._base}.sample-{plan.profile_hash[:12]}-{self.sample_rows}.parquet"
        body = self._kept(
            key,
            backends,
            lambda: parquet_bytes.to_bytes(sample_of(self._rows(backends), columns, self.sample_rows)),
        )
        return parquet_bytes.table_from_bytes(body)

    @property
    def _base(self) -> str:
        name = self.uri.rpartition("/")[2].removesuffix(".parquet")
        return f"snapshots/{self.model}/{name}"

    def _rows(self, backends: Backends) -> ParquetRows:
        return ParquetRows("reference", (backends.datasets.file(self.uri),))

    def _kept(self, key: str, backends: Backends, make: Callable[[], bytes]) -> bytes:
        """Two runs that make it at once make the same: the first to write wins."""
        try:
            return backends.store.get(key)
        except KeyError:
            backends.store.put_new(key, make())
            return backends.store.get(key)
