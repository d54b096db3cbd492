"""Drift of every column and slice, by a kept profile of the reference and one pass over the rows of now."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.backends.drift import profile as kept
from airflow_mlops.backends.drift.looks import facts, looks
from airflow_mlops.backends.drift.profile import Profile, from_bytes, to_bytes
from airflow_mlops.backends.drift.profiling import profile_of
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.drift.sample import Sampler
from airflow_mlops.backends.drift.scan import Scan
from airflow_mlops.core.drift import Comparison, DriftPlan, SliceFacts, held_to_rate, worst_of_each
from airflow_mlops.core.values import ColumnDrift
from airflow_mlops.exceptions import DataRefused


class StreamingDriftDetector:
    """Two calls: the profile is made once and kept, the comparison needs nothing else of the reference."""

    @property
    def profile_format(self) -> str:
        """The form that ``profile`` gives."""
        return f"v{kept.FORMAT}"

    def profile(self, reference: ParquetRows, plan: DriftPlan) -> bytes:
        """The reference's profile, as a file. Raises ``DataRefused``."""
        return to_bytes(profile_of(reference, plan))

    def compare(
        self, profile: bytes, current: ParquetRows, plan: DriftPlan, sampler: Sampler | None = None
    ) -> Comparison:
        """How far each column moved. Raises ``DataRefused`` where a column is missing or no row is there."""
        known = from_bytes(profile)
        scan = Scan(known, plan)
        for batch in scan.read(current):
            scan.add(batch)
            if sampler is not None:
                sampler.add(batch)
        if not scan.rows:
            raise DataRefused(f"the {current.name} data has no rows: drift cannot be scored")
        compared = list(_compared_slices(known, scan, plan))
        overall = held_to_rate(list(looks(known, scan, plan)), plan.false_discovery_rate)
        in_slices = held_to_rate(
            [look for one in compared for look in _of_slice(known, scan, plan, one.slice)],
            plan.false_discovery_rate,
        )
        return Comparison(
            rows=scan.rows,
            reference_rows=known.rows,
            columns=worst_of_each(overall),
            in_slices=worst_of_each(in_slices),
            facts=tuple(facts(known, scan, plan)),
            slices=tuple(compared),
        )


def _compared_slices(profile: Profile, scan: Scan, plan: DriftPlan) -> Iterator[SliceFacts]:
    """The slices that have enough rows now; the reference has enough of each."""
    for cut in profile.cuts:
        for name, before in zip(cut.names, cut.rows, strict=True):
            rows = scan.slice_rows(name)
            if rows >= plan.slices.minimum_rows:
                yield SliceFacts(name, rows, rows / scan.rows, before / profile.rows)


def _of_slice(profile: Profile, scan: Scan, plan: DriftPlan, slice_: str) -> Iterator[ColumnDrift]:
    """A column that cuts the slice says nothing in it."""
    cut = next(one for one in profile.cuts if slice_ in one.names)
    own = {one.column for one in cut.columns}
    yield from (look for look in looks(profile, scan, plan, slice_) if look.column not in own)
