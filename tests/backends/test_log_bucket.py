"""The inference log's Parquet files in a bucket, on a server that speaks S3's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timezone
from pathlib import Path

import httpx
import msgspec
import pytest
from moto.server import ThreadedMotoServer

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.log_compaction import Compacted, compact
from airflow_mlops.backends.log_folder import log_folder
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
from airflow_mlops.exceptions import StoreUnavailable

EVER = Window(datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc))
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "anybody")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = request.node.name.replace("_", "-")[:40].strip("-")
    httpx.put(f"http://{server}/{name}").raise_for_status()
    return f"s3://{name}/logs?endpoint_override={server}&scheme=http&region=us-east-1"


def write_segment(root: Path, number: int, kind: str = "log") -> None:
    body = msgspec.json.encode({"rows": [{"temp": 1.0, "flight": f"{number}"}]})
    call = RawCall("1", "champion", "none", 0.0, None, None, [0.5], None, 0.001)
    request = RawRequest(f"q{number}", int(NOON.timestamp() * 1e6), "predict", "base", 1, [call])
    path = root / "raw" / f"{segment_id(NOON, f'{number:04}')}.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        first_frame(SegmentHead(FORMAT, "m", {"temp": "numeric"}, "flight")) + request_frame(request, body)
    )


def test_segments_become_parquet_in_the_bucket_and_are_read_with_what_is_still_on_disk(
    bucket: str, tmp_path: Path
) -> None:
    root = tmp_path / "inference" / "m"
    for number in range(3):
        write_segment(root, number)
    folder = log_folder(bucket, "m")
    log = ParquetInferenceLog(LocalStore(tmp_path), bucket)
    assert sorted(log.read("m", EVER)["key"]) == ["0", "1", "2"]
    assert compact(root, folder, today=MONDAY) == Compacted(segments=3, rows=3)
    assert len(folder.names()) == 3
    assert list((root / "raw").glob("*.log")) == []
    write_segment(root, 3, "open")
    assert sorted(log.read("m", EVER)["key"]) == ["0", "1", "2", "3"]
    assert compact(root, folder, today=TUESDAY).merged == 3
    assert len(folder.names()) == 1
    assert sorted(log.read("m", EVER)["key"]) == ["0", "1", "2", "3"]
    assert compact(root, folder, today=date(2027, 1, 1), keep_days=30).days_removed == 1
    assert folder.names() == []


def test_a_segment_whose_part_was_uploaded_before_the_kill_is_read_once(bucket: str, tmp_path: Path) -> None:
    root = tmp_path / "inference" / "m"
    write_segment(root, 0)
    (segment,) = (root / "raw").glob("*.log")
    content = segment.read_bytes()
    compact(root, log_folder(bucket, "m"), today=MONDAY)
    segment.write_bytes(content)
    log = ParquetInferenceLog(LocalStore(tmp_path), bucket)
    assert list(log.read("m", EVER)["key"]) == ["0"]
    assert compact(root, log_folder(bucket, "m"), today=MONDAY) == Compacted()
    assert not segment.exists()


def test_a_bucket_that_is_not_there_leaves_the_segments_and_says_so(bucket: str, tmp_path: Path) -> None:
    root = tmp_path / "inference" / "m"
    write_segment(root, 0)
    missing = bucket.replace("s3://", "s3://no-such-")
    with pytest.raises(StoreUnavailable, match="Check the bucket"):
        compact(root, log_folder(missing, "m"), today=MONDAY)
    assert len(list((root / "raw").glob("*.log"))) == 1
