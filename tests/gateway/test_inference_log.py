"""What is on disk after a prediction, and what happens when the disk refuses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import StoreUnavailable
from airflow_mlops.gateway.inference_log import InferenceLogWriter, LoggedCall
from airflow_mlops.gateway.rows import Rows

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Counted:
    def __init__(self) -> None:
        self.rows = {"written": 0, "dropped": 0}

    def written(self, rows: int) -> None:
        self.rows["written"] += rows

    def dropped(self, rows: int) -> None:
        self.rows["dropped"] += rows


def call(rows: int = 1, received_at: datetime = NOON, **columns: Any) -> LoggedCall:
    features = {name: np.array([value] * rows) for name, value in (columns or {"temp": 1.5}).items()}
    return LoggedCall(
        request_id="q",
        received_at=received_at,
        version="1",
        role="champion",
        mode="none",
        weight=0.0,
        rollout_id=None,
        rows=Rows([str(n) for n in range(rows)], [None] * rows, features),
        scores=[0.5] * rows,
        error=None,
        latency_seconds=0.001,
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def test_a_logged_row_has_the_columns_and_types_that_monitoring_reads(gateway: Any) -> None:
    gateway.predict({"temp": None, "carrier": "AA", "flight": 7, "departs": "2013-04-01T06:00:00-04:00"})
    gateway.predict({"temp": 1, "carrier": None, "departs": "2013-04-01"})
    gateway.post("flush")
    folder = gateway.settings.store / "inference" / "flights"
    today = f"date={datetime.now(timezone.utc):%Y-%m-%d}"
    assert {file.parent.name for file in files(folder)} == {today}
    table = pq.read_table(files(folder)[0])
    time = pa.timestamp("us", tz="UTC")
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "request_id": pa.string(),
        "key": pa.string(),
        "event_time": time,
        "received_at": time,
        "version": pa.string(),
        "role": pa.string(),
        "mode": pa.string(),
        "weight": pa.float64(),
        "rollout_id": pa.string(),
        "prediction": pa.float64(),
        "error": pa.string(),
        "latency_seconds": pa.float64(),
        "temp": pa.float64(),
        "carrier": pa.string(),
    }
    first, second = gateway.logged().to_dict("records")
    assert first["event_time"] == datetime(2013, 4, 1, 10, tzinfo=timezone.utc)
    assert second["event_time"] == datetime(2013, 4, 1, tzinfo=timezone.utc)
    assert (first["key"], first["version"], first["role"], first["mode"]) == ("7", "1", "champion", "none")
    assert first["temp"] != first["temp"]
    assert (first["carrier"], second["temp"]) == ("AA", 1.0)
    assert first["latency_seconds"] > 0


def test_a_row_without_a_time_happened_when_it_was_received(gateway: Any) -> None:
    gateway.predict({"temp": 1, "carrier": "AA"})
    log = gateway.logged()
    assert (log["event_time"] == log["received_at"]).all()


def test_the_reader_of_the_log_finds_what_the_gateway_wrote(gateway: Any) -> None:
    gateway.predict(
        *({"temp": day, "carrier": "AA", "departs": f"2013-04-{day:02}T00:00:00Z"} for day in range(1, 11))
    )
    gateway.post("flush")
    window = Window(datetime(2013, 4, 3, tzinfo=timezone.utc), datetime(2013, 4, 6, tzinfo=timezone.utc))
    log = ParquetInferenceLog(LocalStore(gateway.settings.store)).read("flights", window)
    assert list(log["temp"]) == [3.0, 4.0, 5.0]


def test_rows_are_written_by_themselves_within_the_flush_time(start: Any) -> None:
    gateway = start(flush_seconds=0.05)
    gateway.wait_ready()
    gateway.predict({"temp": 1, "carrier": "AA"})
    gateway.wait(lambda: len(files(gateway.settings.store / "inference")) == 1)
    gateway.wait(lambda: gateway.metric("mlops_gateway_log_rows_written_total") == 1)


def test_a_full_batch_is_written_before_its_time(tmp_path: Path) -> None:
    counted = Counted()
    log = InferenceLogWriter(tmp_path, counted, flush_seconds=60, flush_rows=10)
    log.start()
    log.add(call(rows=10))
    log.stop()
    assert counted.rows == {"written": 10, "dropped": 0}


def test_days_and_signatures_have_files_of_their_own(tmp_path: Path) -> None:
    log = InferenceLogWriter(tmp_path, Counted())
    log.add(call())
    log.add(call(received_at=NOON + timedelta(days=1)))
    log.add(call(temp=1.0, wind=2.0))
    assert log.flush() == 3
    assert [file.parent.name for file in files(tmp_path)] == [
        "date=2026-03-01",
        "date=2026-03-01",
        "date=2026-03-02",
    ]


def test_rows_beyond_the_buffer_are_dropped_and_counted(tmp_path: Path) -> None:
    counted = Counted()
    log = InferenceLogWriter(tmp_path, counted, buffer_rows=10)
    log.add(call(rows=8))
    log.add(call(rows=3))
    log.add(call(rows=2))
    assert log.flush() == 10
    assert counted.rows == {"written": 10, "dropped": 3}


def test_what_a_disk_refused_is_kept_and_written_when_it_takes_it(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.write_text("in the way")
    counted = Counted()
    log = InferenceLogWriter(folder, counted)
    log.add(call(rows=4))
    with pytest.raises(StoreUnavailable, match="4 rows wait in memory"):
        log.flush()
    assert log.problem is not None
    log.add(call(rows=1))
    folder.unlink()
    assert log.flush() == 5
    assert log.problem is None
    assert counted.rows == {"written": 5, "dropped": 0}
    assert sum(pq.read_metadata(file).num_rows for file in files(folder)) == 5


def test_a_call_that_no_file_can_hold_is_dropped_alone_and_the_log_goes_on(tmp_path: Path) -> None:
    counted = Counted()
    log = InferenceLogWriter(tmp_path, counted, flush_seconds=60, flush_rows=9)
    log.start()
    for number in range(8):
        log.add(call(carrier="\ud800" if number == 5 else "AA"))
    assert log.flush() == 7
    assert log.problem is None
    log.add(call(rows=9))
    log.stop()
    assert counted.rows == {"written": 16, "dropped": 1}
    assert sum(pq.read_metadata(file).num_rows for file in files(tmp_path)) == 16


def test_a_crash_in_mid_write_leaves_nothing_that_is_read_and_is_cleaned_up(tmp_path: Path) -> None:
    leftover = tmp_path / "date=2026-03-01" / ".120000-abc.parquet.tmp"
    leftover.parent.mkdir()
    leftover.write_bytes(b"PAR1")
    log = InferenceLogWriter(tmp_path, Counted())
    log.start()
    log.stop()
    assert not leftover.exists()


def test_requests_are_answered_while_the_log_cannot_be_written(start: Any) -> None:
    gateway = start(flush_seconds=0.05, log_buffer_rows=3)
    gateway.wait_ready()
    (gateway.settings.store / "inference").write_text("in the way")
    for _ in range(5):
        assert gateway.predict({"temp": 1, "carrier": "AA"}).status_code == 200
    gateway.wait(lambda: "inference_log" in gateway.ready()["problems"])
    assert gateway.http.get("/ready").status_code == 200
    assert gateway.metric("mlops_gateway_log_rows_dropped_total") == 2
    assert gateway.post("flush").status_code == 503
    (gateway.settings.store / "inference").unlink()
    assert len(gateway.logged()) == 3
    assert gateway.ready()["problems"] == {}
