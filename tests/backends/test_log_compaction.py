"""Raw segments become Parquet and small files day files; whoever reads counts each row once, all the way."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.log_compaction import Compacted, compact
from airflow_mlops.backends.log_folder import DiskFolder
from airflow_mlops.backends.raw_segment import (
    FORMAT,
    RawCall,
    RawRequest,
    SegmentHead,
    first_frame,
    request_frame,
)
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.inference_files import segment_id
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import ConfigError, DataRefused

EVER = Window(datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc))
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
HEAD = SegmentHead(FORMAT, "m", {"temp": "numeric", "carrier": "categorical"}, "flight", "departs")


def write_segment(
    root: Path, number: int, *, rows: int = 3, head: SegmentHead = HEAD, kind: str = "log"
) -> None:
    """A segment of one request; its rows' keys are ``<number>-<row>``."""
    body = {"rows": [{"temp": 1.0, "carrier": "AA", "flight": f"{number}-{row}"} for row in range(rows)]}
    call = RawCall("1", "champion", "none", 0.0, None, None, [0.5] * rows, None, 0.001)
    request = RawRequest(f"q{number}", int(NOON.timestamp() * 1e6) + number, "predict", "base", rows, [call])
    path = root / "raw" / f"{segment_id(NOON, f'{number:04}')}.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(first_frame(head) + request_frame(request, msgspec.json.encode(body)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "inference" / "m"


def keys(root: Path) -> list[str]:
    return sorted(ParquetInferenceLog(LocalStore(root.parent.parent)).read("m", EVER)["key"])


def expected(segments: int, rows: int = 3) -> list[str]:
    return sorted(f"{number}-{row}" for number in range(segments) for row in range(rows))


def files(root: Path) -> list[str]:
    return [name for name in DiskFolder(root).names() if name.endswith(".parquet")]


def compacted(root: Path, today: date = MONDAY, **options: Any) -> Compacted:
    return compact(root, DiskFolder(root), today=today, **options)


def test_closed_segments_become_parquet_and_growing_ones_stay(root: Path) -> None:
    write_segment(root, 0)
    write_segment(root, 1)
    write_segment(root, 2, kind="open")
    assert compacted(root) == Compacted(segments=2, rows=6)
    assert len(files(root)) == 2
    assert [path.suffix for path in (root / "raw").glob("2*")] == [".open"]
    assert keys(root) == expected(3)


def test_a_day_that_is_over_becomes_one_file_for_each_set_of_columns(root: Path) -> None:
    for number in range(4):
        write_segment(root, number)
    wider = SegmentHead(FORMAT, "m", {"temp": "numeric"}, "flight")
    for number in (4, 5):
        write_segment(root, number, head=wider)
    assert compacted(root, TUESDAY).merged == 6
    assert len(files(root)) == 2
    assert keys(root) == expected(6)
    assert compacted(root, TUESDAY) == Compacted()
    assert {pq.read_schema(root / name).names[-1] for name in files(root)} == {"temp", "carrier"}


def test_a_row_that_comes_after_its_day_was_merged_is_merged_too(root: Path) -> None:
    for number in range(2):
        write_segment(root, number)
    compacted(root, TUESDAY)
    write_segment(root, 2)
    compacted(root, TUESDAY)
    assert len(files(root)) == 1
    assert keys(root) == expected(3)


def test_the_day_that_goes_on_is_merged_when_it_has_many_small_files(root: Path) -> None:
    for number in range(64):
        write_segment(root, number, rows=1)
    compacted(root)
    assert len(files(root)) == 1
    write_segment(root, 64, rows=1)
    compacted(root)
    assert len(files(root)) == 2
    assert keys(root) == expected(65, rows=1)


def test_days_before_those_to_keep_are_removed(root: Path) -> None:
    write_segment(root, 0)
    compacted(root)
    assert compacted(root, date(2026, 3, 12), keep_days=10).days_removed == 0
    assert compacted(root, date(2026, 3, 13), keep_days=10).days_removed == 1
    assert files(root) == []


def test_a_segment_that_is_none_is_put_aside_and_told_and_the_others_are_compacted(root: Path) -> None:
    write_segment(root, 0)
    (root / "raw" / f"{segment_id(NOON, 'bad')}.log").write_bytes(b"\x00" * 40)
    done = compacted(root)
    assert done.segments == 1
    assert "does not begin as a segment" in done.damaged[0]
    assert compacted(root).damaged == ()
    assert keys(root) == expected(1)


def test_a_segment_of_a_later_version_says_so(root: Path) -> None:
    write_segment(root, 0, head=SegmentHead(FORMAT + 1, "m", {"temp": "numeric"}))
    assert "upgrade first" in compacted(root).damaged[0]


def test_a_second_compaction_at_the_same_time_leaves_it_to_the_first(root: Path) -> None:
    import fcntl

    write_segment(root, 0)
    with (root / "raw" / ".compaction.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert compacted(root).busy
    assert compacted(root).segments == 1


def test_every_read_while_files_are_compacted_and_merged_has_each_row_once(root: Path) -> None:
    for number in range(20):
        write_segment(root, number, kind="open")
    done = threading.Event()

    def compacting() -> None:
        try:
            for number in range(20):
                (path,) = (root / "raw").glob(f"*-{number:04}.open")
                path.rename(path.with_suffix(".log"))
                compacted(root, TUESDAY)
        finally:
            done.set()

    thread = threading.Thread(target=compacting)
    thread.start()
    reads = 0
    while not done.is_set() or reads < 3:
        assert keys(root) == expected(20)
        reads += 1
    thread.join()
    assert len(files(root)) == 1


def test_a_damaged_parquet_file_is_named_and_not_taken_for_one_that_was_replaced(root: Path) -> None:
    write_segment(root, 0)
    compacted(root)
    (name,) = files(root)
    (root / name).write_bytes(b"PAR1")
    with pytest.raises(DataRefused, match=r"120000000000-0000\.parquet is not a whole Parquet file"):
        keys(root)


def test_a_log_location_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a folder, or a URI that begins with s3://"):
        ParquetInferenceLog(LocalStore(tmp_path), "ftp://host/logs").read("m", EVER)


# Takes the steps of a compaction in order and is killed before the one whose number it is given.
PROGRAM = """
import os, shutil, signal, sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path
import pandas
import pyarrow.parquet
from airflow_mlops.backends.log_compaction import compact
from airflow_mlops.backends.log_folder import DiskFolder

class Killed(DiskFolder):
    left = 0

    def step(self):
        if Killed.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Killed.left -= 1

    @contextmanager
    def writing(self, name):
        with DiskFolder.writing(self, name) as file:
            self.step()
            yield file
            self.step()
        self.step()

    def remove(self, name):
        DiskFolder.remove(self, name)
        self.step()

unlink = Path.unlink
def counted(self, missing_ok=False):
    unlink(self, missing_ok)
    if self.suffix == ".log":
        Killed.step(None)
Path.unlink = counted

whole = Path(sys.argv[1])
number = 0
while True:
    root = whole.parent.parent.parent / f"killed-{number}" / "inference" / "m"
    shutil.copytree(whole, root)
    child = os.fork()
    if not child:
        Killed.left = number
        compact(root, Killed(root), today=date(2026, 3, 3))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
    if status == 0:
        break
    number += 1
"""


@pytest.mark.slow
def test_a_compaction_killed_at_any_step_loses_no_row_and_the_next_one_finishes_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "inference" / "m"
    write_segment(whole, 0)
    compacted(whole)
    for number in (1, 2, 3):
        write_segment(whole, number)
    command = [sys.executable, "-c", PROGRAM, str(whole)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    # Three segments of four steps each, and a merge of three steps that replaces four files.
    assert ended == ["-9"] * (3 * 4 + 3 + 4) + ["0"]
    for number in range(len(ended)):
        root = tmp_path / f"killed-{number}" / "inference" / "m"
        assert keys(root) == expected(4), f"killed before step {number}"
        compacted(root, TUESDAY)
        assert keys(root) == expected(4), f"killed before step {number}, and compacted again"
        assert len(files(root)) == 1
        assert not list((root / "raw").glob("*.log"))
        assert not list(root.glob("date=*/.*"))
