"""Rows in a bucket are compared as those on disk are."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from airflow_mlops.backends.drift.detector import StreamingDriftDetector
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.log_folder import RemoteFile


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[fs.FileSystem]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "anybody")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    running = ThreadedMotoServer(port=0)
    running.start()
    host, port = running.get_host_and_port()
    httpx.put(f"http://{host}:{port}/rows").raise_for_status()
    yield fs.S3FileSystem(endpoint_override=f"{host}:{port}", scheme="http", region="us-east-1")
    running.stop()


def test_rows_in_a_bucket_give_the_same_comparison(rows, plan, bucket):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(size=5_000), "plan": rng.choice(list("abc"), 5_000)})
    local = rows(frame.assign(age=frame["age"] + 0.4), "current")
    with bucket.open_output_stream("rows/current.parquet") as file:
        file.write(local.files[0].read_bytes())
    remote = ParquetRows("current", (RemoteFile(bucket, "rows/current.parquet"),))
    asked, detector = plan({"age": "numeric", "plan": "categorical"}), StreamingDriftDetector()
    known = detector.profile(rows(frame, "reference"), asked)
    assert detector.compare(known, remote, asked) == detector.compare(known, local, asked)
    assert detector.compare(known, remote, asked).columns[0].drifted
