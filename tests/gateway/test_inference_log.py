"""What is logged of a prediction, and what happens when the disk refuses or is full."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import StoreUnavailable
from airflow_mlops.gateway.inference_log import InferenceLogWriter, LoggedCall
from airflow_mlops.gateway.rows import Rows, Signature, Source
from airflow_mlops.gateway.settings import LogLimits

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
EVER = Window(datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc))
NUMBERS = Signature({"temp": "numeric"})


class Counted:
    def __init__(self) -> None:
        self.rows = {"written": 0, "dropped": 0}

    def written(self, rows: int) -> None:
        self.rows["written"] += rows

    def dropped(self, rows: int) -> None:
        self.rows["dropped"] += rows


def call(
    rows: int = 1, received_at: datetime = NOON, signature: Signature = NUMBERS, error: str | None = None
) -> LoggedCall:
    values = [dict.fromkeys(signature.columns, 1.5)] * rows
    source = Source(msgspec.json.encode({"rows": values}), "predict", signature, "base")
    return LoggedCall(
        request_id="q",
        received_at=received_at,
        version="1",
        role="champion",
        mode="none",
        weight=0.0,
        rollout_id=None,
        rows=Rows([f"base-{n}" for n in range(rows)], [(1.5,) * len(signature.columns)] * rows, source),
        scores=None if error else [0.5] * rows,
        error=error,
        latency_seconds=0.001,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "inference" / "m"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[], Any]:
    return lambda: ParquetInferenceLog(LocalStore(tmp_path)).read("m", EVER)


def segments(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / "raw").glob(f"*.{kind}"))


def test_a_logged_row_has_the_columns_and_types_that_monitoring_reads(gateway: Any) -> None:
    gateway.predict({"temp": None, "carrier": "AA", "flight": 7, "departs": "2013-04-01T06:00:00-04:00"})
    gateway.predict({"temp": 1, "carrier": None, "departs": "2013-04-01"})
    log = gateway.logged()
    assert {name: str(dtype) for name, dtype in log.dtypes.items()} == {
        "request_id": "str",
        "key": "str",
        "event_time": "datetime64[us, UTC]",
        "received_at": "datetime64[us, UTC]",
        "version": "str",
        "role": "str",
        "mode": "str",
        "weight": "float64",
        "rollout_id": "str",
        "prediction": "float64",
        "error": "str",
        "latency_seconds": "float64",
        "temp": "float64",
        "carrier": "str",
    }
    first, second = log.to_dict("records")
    assert first["event_time"] == datetime(2013, 4, 1, 10, tzinfo=timezone.utc)
    assert second["event_time"] == datetime(2013, 4, 1, tzinfo=timezone.utc)
    assert (first["key"], first["version"], first["role"], first["mode"]) == ("7", "1", "champion", "none")
    assert first["temp"] != first["temp"]
    assert (first["carrier"], second["temp"]) == ("AA", 1.0)
    assert first["latency_seconds"] > 0


def test_a_row_without_a_key_is_logged_under_the_one_that_the_answer_gave_it(gateway: Any) -> None:
    answer = gateway.predict({"temp": 1, "carrier": "AA"}, {"temp": 2, "carrier": "AA"}).json()
    assert [row["key"] for row in answer["predictions"]] == gateway.logged()["key"].tolist()


def test_a_row_without_a_time_happened_when_it_was_received(gateway: Any) -> None:
    gateway.predict({"temp": 1, "carrier": "AA"})
    log = gateway.logged()
    assert (log["event_time"] == log["received_at"]).all()


def test_the_reader_takes_the_window_out_of_what_is_not_parquet_yet(gateway: Any) -> None:
    gateway.predict(
        *({"temp": day, "carrier": "AA", "departs": f"2013-04-{day:02}T00:00:00Z"} for day in range(1, 11))
    )
    gateway.post("flush")
    window = Window(datetime(2013, 4, 3, tzinfo=timezone.utc), datetime(2013, 4, 6, tzinfo=timezone.utc))
    log = ParquetInferenceLog(LocalStore(gateway.settings.store)).read("flights", window)
    assert list(log["temp"]) == [3.0, 4.0, 5.0]


def test_rows_are_written_by_themselves_within_the_append_time(start: Any) -> None:
    gateway = start(log=LogLimits(append_seconds=0.05))
    gateway.wait_ready()
    gateway.predict({"temp": 1, "carrier": "AA"})
    gateway.wait(lambda: gateway.metric("mlops_gateway_log_rows_written_total") == 1)
    assert gateway.metric("mlops_gateway_log_bytes") > 0
    log = ParquetInferenceLog(LocalStore(gateway.settings.store)).read("flights", EVER)
    assert list(log["temp"]) == [1.0]


def test_many_bytes_are_written_before_their_time(folder: Path) -> None:
    written = threading.Event()

    class Waiting(Counted):
        def written(self, rows: int) -> None:
            written.set()

    log = InferenceLogWriter(folder, Waiting(), "m", LogLimits(append_seconds=60, append_bytes=3_000))
    log.start()
    for _ in range(10):
        log.add(call())
    assert written.wait(10)
    log.stop()


def test_days_and_signatures_have_segments_of_their_own(folder: Path, read: Callable[[], Any]) -> None:
    log = InferenceLogWriter(folder, Counted())
    log.add(call())
    log.add(call(received_at=NOON + timedelta(days=1)))
    log.add(call(signature=Signature({"temp": "numeric", "wind": "numeric"})))
    log.add(call())
    assert log.flush() == 4
    assert [one.name[:10] for one in segments(folder, "open")] == ["2026-03-01", "2026-03-01", "2026-03-02"]
    assert len(read()) == 4


def test_a_segment_is_closed_when_it_is_long_enough_and_at_the_end(folder: Path) -> None:
    log = InferenceLogWriter(folder, Counted(), "m", LogLimits(segment_bytes=1))
    log.add(call())
    log.flush()
    assert (len(segments(folder, "log")), len(segments(folder, "open"))) == (1, 0)
    log.add(call())
    log.start()
    log.stop()
    assert (len(segments(folder, "log")), len(segments(folder, "open"))) == (2, 0)


def test_what_a_killed_server_left_open_is_read_and_closed_by_the_next(
    folder: Path, read: Callable[[], Any]
) -> None:
    InferenceLogWriter(folder, Counted()).flush()
    killed = InferenceLogWriter(folder, Counted())
    killed.add(call(rows=3))
    killed.flush()
    (left,) = segments(folder, "open")
    with left.open("ab") as torn:
        torn.write(b"\x40\x00\x00\x00half a frame")
    assert len(read()) == 3
    log = InferenceLogWriter(folder, Counted())
    log.start()
    log.stop()
    assert segments(folder, "open") == []
    assert len(read()) == 3


def test_calls_beyond_the_buffer_are_dropped_and_counted(folder: Path) -> None:
    counted = Counted()
    log = InferenceLogWriter(folder, counted, "m", LogLimits(buffer_bytes=2 * call(rows=4).size))
    for _ in range(3):
        log.add(call(rows=4))
    assert log.flush() == 8
    assert counted.rows == {"written": 8, "dropped": 4}


def test_what_a_disk_refused_is_kept_and_written_when_it_takes_it(
    folder: Path, read: Callable[[], Any]
) -> None:
    folder.parent.mkdir()
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
    assert len(read()) == 5


def test_a_log_that_holds_its_budget_drops_and_says_what_to_do_and_goes_on_with_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    log = InferenceLogWriter(folder, counted, "m", LogLimits(budget_bytes=100_000))
    (folder / "date=2026-02-28").mkdir(parents=True)
    large = folder / "date=2026-02-28" / "day-1.parquet"
    large.write_bytes(b"x" * 100_000)
    log.add(call(rows=2))
    log.flush()
    assert counted.rows == {"written": 0, "dropped": 2}
    assert "--log-budget-gib" in str(log.problem)
    (folder / "scored").mkdir()
    large.rename(folder / "scored" / "day-1.parquet")  # there it is a score run's, and counts no more
    now = time.monotonic() + 5
    monkeypatch.setattr("airflow_mlops.gateway.log_budget.time.monotonic", lambda: now)
    log.add(call(rows=2))
    log.flush()
    assert (counted.rows["written"], log.problem) == (2, None)


def test_an_error_with_half_a_character_is_logged_without_it(folder: Path, read: Callable[[], Any]) -> None:
    log = InferenceLogWriter(folder, Counted())
    log.add(call(error="ValueError: \ud800"))
    log.flush()
    assert read()["error"].tolist() == ["ValueError: ?"]


def test_requests_are_answered_while_the_log_cannot_be_written(start: Any) -> None:
    gateway = start(log=LogLimits(append_seconds=0.05, buffer_bytes=3 * 1_200))
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


def test_the_rows_of_a_rollout_are_found_by_when_they_were_received(folder: Path, tmp_path: Path) -> None:
    for hours, rollout_id in ((-30, "r"), (1, "r"), (0, "r"), (2, "s")):
        writer = InferenceLogWriter(folder, Counted())
        writer.add(replace(call(hours + 31, NOON + timedelta(hours=hours)), rollout_id=rollout_id))
        writer.flush()
    log = ParquetInferenceLog(LocalStore(tmp_path))
    rows = log.of_rollout("m", "r", NOON, columns=["temp"])
    assert [len(part) for _, part in rows.groupby("received_at")] == [31, 32]
    assert {"mode", "weight", "error", "role", "key", "temp"} < set(rows.columns)
    assert len(log.of_rollout("m", "r", NOON - timedelta(hours=40))) == 1 + 31 + 32
    assert len(log.of_rollout("trains", "r", NOON)) == 0
