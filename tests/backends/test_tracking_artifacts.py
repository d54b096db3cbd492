"""Files of runs whose artifacts do not go through the server's proxy, and the test server itself."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from airflow_mlops.backends.artifacts_mlflow import ArtifactFolder
from airflow_mlops.backends.mlflow_rest import MlflowRest
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.testing.mlflow_server import mlflow_server


@pytest.fixture
def no_server() -> MlflowRest:
    return MlflowRest("http://127.0.0.1:1")


def test_files_in_an_artifact_store_of_its_own_need_no_server(no_server: MlflowRest, tmp_path: Path) -> None:
    folder = ArtifactFolder(no_server, (tmp_path / "store").as_uri())
    folder.write("reports/evaluation.json", b"{}")
    folder.write("reports/evaluation.json", b"[]")
    assert folder.read("reports/evaluation.json") == b"[]"
    with pytest.raises(KeyError, match=r"reports/nothing\.json"):
        folder.read("reports/nothing.json")


def test_a_whole_folder_is_written_with_its_layout(no_server: MlflowRest, tmp_path: Path) -> None:
    local = tmp_path / "model"
    (local / "deep").mkdir(parents=True)
    (local / "MLmodel").write_bytes(b"m")
    (local / "deep" / "file").write_bytes(b"f")
    folder = ArtifactFolder(no_server, (tmp_path / "store").as_uri())
    folder.write_all(local)
    assert (folder.read("MLmodel"), folder.read("deep/file")) == (b"m", b"f")


def test_an_artifact_store_that_fails_is_named_with_the_way_out(
    no_server: MlflowRest, tmp_path: Path
) -> None:
    (tmp_path / "store").write_text("not a folder")
    with pytest.raises(BackendUnavailable, match="--serve-artifacts"):
        ArtifactFolder(no_server, (tmp_path / "store").as_uri()).write("a", b"")


def test_a_test_server_does_not_start_on_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(RuntimeError, match="Address already in use"),
            mlflow_server(tmp_path, taken.getsockname()[1]),
        ):
            pytest.fail("it must not start")


@pytest.mark.slow
def test_a_test_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"text " * 1_000)
    with pytest.raises(RuntimeError, match="file is not a database"), mlflow_server(tmp_path):
        pytest.fail("it must not start")


@pytest.mark.slow
def test_a_test_server_serves_what_an_earlier_one_left_and_ends_with_all_its_processes(
    tmp_path: Path,
) -> None:
    with mlflow_server(tmp_path) as first:
        answer = httpx.post(f"{first}/api/2.0/mlflow/registered-models/create", json={"name": "kept"})
        assert answer.is_success
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first}/health")
    with mlflow_server(tmp_path) as second:
        found = httpx.get(f"{second}/api/2.0/mlflow/registered-models/get", params={"name": "kept"})
        assert found.is_success
