"""The answers of a window as one file: written in pieces, and the same rows as the log has."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.answers_kept import write_answers
from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Window

DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)
WINDOW = Window(DAY, DAY + timedelta(days=2))


def logged(rows: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    seconds = rng.permutation(rows) * 300
    return pd.DataFrame(
        {
            "request_id": [f"q{number}" for number in range(rows)],
            "key": [str(number) for number in range(rows)],
            "event_time": pd.Timestamp(DAY) + pd.to_timedelta(seconds, unit="s"),
            "received_at": pd.Timestamp(DAY),
            "version": "1",
            "role": np.where(np.arange(rows) % 5 == 0, "shadow", "champion"),
            "prediction": rng.random(rows),
            "error": pd.array(np.where(np.arange(rows) % 7 == 0, "bad row", None), dtype="string"),
            "temp": rng.normal(size=rows),
        }
    )


@pytest.fixture
def log(tmp_path):
    """Two files with different columns: the second has a feature more."""
    frame, folder = logged(), tmp_path / "inference" / "flights"
    for number, part in enumerate((frame.head(400), frame.tail(500).assign(wind=1.0))):
        (folder / f"date=2026-03-0{number + 1}").mkdir(parents=True)
        part.to_parquet(folder / f"date=2026-03-0{number + 1}" / "part.parquet", index=False)
    return ParquetInferenceLog(LocalStore(tmp_path))


def test_the_answers_that_somebody_saw_are_kept_by_time(log, tmp_path):
    read = log.read("flights", WINDOW)
    expected = read[(read["role"] != "shadow") & read["error"].isna()].reset_index(drop=True)
    assert log.keep_answers("flights", WINDOW, tmp_path / "kept.parquet") == len(expected) > 300
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "kept.parquet"), expected)


def test_pieces_make_the_same_rows_and_each_is_by_time(log, tmp_path):
    files = sorted((tmp_path / "inference").rglob("*.parquet"))
    whole, pieces = tmp_path / "whole.parquet", tmp_path / "pieces.parquet"
    count = write_answers(files, WINDOW, whole, origin="the log")
    assert write_answers(files, WINDOW, pieces, origin="the log", rows=100) == count
    one, other = pd.read_parquet(whole), pd.read_parquet(pieces)
    assert set(one["key"]) == set(other["key"])
    assert one["event_time"].is_monotonic_increasing
    assert other["event_time"].head(40).is_monotonic_increasing
    assert not other["event_time"].is_monotonic_increasing


def test_a_window_without_answers_leaves_no_file(log, tmp_path):
    later = Window(DAY + timedelta(days=20), DAY + timedelta(days=21))
    assert log.keep_answers("flights", later, tmp_path / "kept.parquet") == 0
    assert log.keep_answers("nobody", later, tmp_path / "kept.parquet") == 0
    assert not (tmp_path / "kept.parquet").exists()
