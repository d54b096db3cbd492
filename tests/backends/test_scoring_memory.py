"""Scoring a partition takes as much memory as a piece of it, however many there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCORING = """\
import resource, sys
from datetime import datetime, timezone
import numpy, pandas
from airflow_mlops.backends.predictions import Piece, ScoreJob, Scorer
from airflow_mlops.backends.predictions_parquet import ParquetPredictions
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.partitions import partition_of
from airflow_mlops.core.values import ModelRef

ROWS = 50_000
start = datetime(2026, 3, 1, tzinfo=timezone.utc)

class Constant:
    def predict(self, features):
        return numpy.full(len(features), 0.5)

def pieces(count):
    for number in range(count):
        ids = numpy.arange(ROWS * number, ROWS * number + ROWS)
        rows = pandas.DataFrame({"id": ids, "at": start, **{f"x{n}": ids / 7 + n for n in range(10)}})
        yield Piece(rows, rows[[f"x{n}" for n in range(10)]])

def score(count):
    job = ScoreJob(
        model="churn", task="binary_classification", folder="predictions/day",
        partition=partition_of(start, "day"), key="id", time="at", keep=["x0"],
        champion=Scorer(ModelRef("churn", "1"), Constant()), scored_at=start,
        challenger=Scorer(ModelRef("churn", "2"), Constant()), shadow_share=0.01, log_rows=1_000,
    )
    ParquetPredictions(LocalStore(sys.argv[1])).score(job, pieces(count))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

score(4)
score(40)
"""


@pytest.mark.slow
def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCORING, str(tmp_path)], capture_output=True, text=True, check=True
    )
    few, many = map(int, done.stdout.split())
    rows_mib = 40 * 50_000 * 12 * 8 // 1024**2
    assert many - few < rows_mib / 3, f"{few} MiB for 200,000 rows and {many} MiB for 2,000,000"
