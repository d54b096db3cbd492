"""A scoring task that is killed: a whole partition stays, and the next leaves exactly its own rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from airflow_mlops.backends.predictions_parquet import ParquetPredictions
from airflow_mlops.backends.store import LocalStore

# One process imports what the runs need and forks each of them, before any library has made threads.
SCORING = """\
import os, shutil, signal, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
import numpy, pandas, pyarrow.parquet
from airflow_mlops.backends.predictions import Piece, ScoreJob, Scorer
from airflow_mlops.backends.predictions_parquet import ParquetPredictions
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.partitions import partition_of
from airflow_mlops.core.values import ModelRef

start = datetime(2026, 3, 1, tzinfo=timezone.utc)

class Constant:
    def predict(self, features):
        return numpy.full(len(features), 0.5)

def score(store, version, killed_at):
    def die(at):
        if at == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def pieces():
        for number in range(4):
            ids = range(1000 * number, 1000 * number + 1000)
            rows = pandas.DataFrame({"id": ids, "at": start, "x": 1.0})
            yield Piece(rows, rows[["x"]])
            if number == 2:
                die("half of the rows")

    class Dying(LocalStore):
        def put(self, key, body):
            die(key.rpartition("/")[0])
            return super().put(key, body)

    job = ScoreJob(
        model="churn", task="binary_classification", folder="predictions/day",
        partition=partition_of(start, "day"), key="id", time="at", keep=[],
        champion=Scorer(ModelRef("churn", version), Constant()),
        scored_at=start + timedelta(days=int(version)), log_rows=50,
        challenger=Scorer(ModelRef("churn", "9"), Constant()), shadow_share=0.5,
    )
    ParquetPredictions(Dying(store)).score(job, pieces())

for number, killed_at in enumerate(sys.argv[2:]):
    folder = Path(sys.argv[1], str(number))
    for version, at in (("1", ""), ("2", killed_at), ("3", "")):
        if not (child := os.fork()):
            score(folder / "store", version, at)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == (-signal.SIGKILL if at else 0), (killed_at, version, code)
        shutil.copytree(folder / "store", folder / f"after {version}")
"""

# Where the task dies, and whose rows a consumer reads then.
KILLED_AT = {
    "half of the rows": "1",
    "inference/churn/scored": "2",
    "serving/churn/shadow/v9": "2",
    "predictions/day": "2",
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each place a folder with the store as it was after each of three runs, the second one killed."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", SCORING, str(folder), *KILLED_AT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("place", KILLED_AT)
def test_a_killed_task_leaves_a_whole_partition_and_the_next_run_exactly_its_own_rows(
    killed: Path, place: str
) -> None:
    folder, serves = killed / str(list(KILLED_AT).index(place)), KILLED_AT[place]
    after = pd.read_parquet(folder / "after 2" / "predictions" / "day")
    assert sorted(after["id"]) == list(range(4_000))
    assert set(after["model_version"]) == {serves}
    kept = ParquetPredictions(LocalStore(folder / "after 2")).kept("predictions/day")
    assert (kept.champion.version if kept else None) == ("1" if serves == "1" else None)

    after = pd.read_parquet(folder / "after 3" / "predictions" / "day")
    assert sorted(after["id"]) == list(range(4_000))
    assert set(after["model_version"]) == {"3"}
    log = pd.read_parquet(folder / "after 3" / "inference" / "churn")
    assert log[log["role"] == "champion"]["key"].is_unique
    assert set(log[log["role"] == "champion"]["version"]) == {"3"}
    left = [path.name for path in (folder / "after 3").rglob("*") if path.is_file()]
    assert sorted(name for name in left if not name.endswith(".lock")) == [
        "2026-03-01.json",
        "2026-03-01.parquet",
        "_manifest.json",
        "predictions.parquet",
    ]
