"""What is kept of a snapshot, to hold later rows against: little, beside it, and never another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

from airflow_mlops.backends.datasets_parquet import ParquetDatasets
from airflow_mlops.backends.faults.summaries import ParquetFaultSummaries
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Window

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
DAY = 86_400.0
KINDS = {"age": "numeric", "plan": "categorical"}


@dataclass
class Kept:
    """A snapshot of thirty days, in a folder whose name is not a URI as it stands."""

    store: LocalStore

    def __post_init__(self) -> None:
        rows = pd.DataFrame(
            {
                "id": range(600),
                "at": [START + timedelta(hours=1.2 * row) for row in range(600)],
                "age": [float(row % 70) for row in range(600)],
                "plan": ["free", "pro", "pro"] * 200,
            }
        )
        window = Window(START, START + timedelta(days=30))
        saved = ParquetDatasets(self.store).save(
            rows, model="churn", window=window, time_column="at", holdout_start=window.end
        )
        self.uri, self.version = saved.uri, saved.version

    def reference(self, length: float, kinds=KINDS, time="at", **given):
        asked = {"time": time, "key": "id", "salt": "churn", "length_seconds": length, **given}
        return ParquetFaultSummaries(self.store).reference(self.uri, kinds, **asked)

    @property
    def files(self) -> list[str]:
        found = self.store.keys("")
        return [key.rpartition(".faults-")[2] for key in found if ".faults-" in key]


@pytest.fixture
def kept(tmp_path) -> Kept:
    return Kept(LocalStore(tmp_path / "a store"))


def test_at_most_two_files_are_kept_and_they_lie_beside_the_snapshot(kept) -> None:
    for length in (0.0, DAY, 7 * DAY, 10 * DAY):
        for kinds in (KINDS, {"age": "numeric"}):
            kept.reference(length, kinds)
    assert kept.files == ["stretches.json", "whole.json"]
    assert all(key.startswith(f"snapshots/churn/{kept.version}.") for key in kept.store.keys(""))


def test_what_is_kept_is_found_again_without_the_rows(kept) -> None:
    made = [kept.reference(length) for length in (0.0, DAY)]
    kept.store.local_path(kept.uri).unlink()
    assert [kept.reference(length) for length in (0.0, DAY)] == made


def test_what_was_asked_otherwise_or_is_damaged_is_made_anew(kept) -> None:
    first = kept.reference(DAY)
    assert len(kept.reference(10 * DAY).blocks) < len(first.blocks)
    assert kept.reference(DAY) == first
    kept.store.put(f"snapshots/churn/{kept.version}.faults-stretches.json", b'{"made_of": "')
    assert kept.reference(DAY) == first


def test_what_is_asked_once_takes_no_place(kept) -> None:
    assert kept.reference(3 * DAY, keep=False).blocks
    assert kept.files == []


def test_runs_that_ask_for_different_lengths_at_once_each_get_their_own(kept) -> None:
    lengths = [DAY, 3 * DAY, 7 * DAY, 10 * DAY]
    alone = {length: kept.reference(length) for length in lengths}
    with ThreadPoolExecutor(4) as runs:
        found = list(runs.map(kept.reference, lengths * 5))
    assert found == [alone[length] for length in lengths * 5]
    assert kept.reference(DAY) == alone[DAY]


def test_a_snapshot_without_the_times_that_are_asked_for_has_no_stretches(kept) -> None:
    found = kept.reference(DAY, time="happened_at")
    assert (found.whole.rows, found.whole.last, found.blocks) == (600, None, ())
