"""What a task hears when MLflow is away, failing, or something else."""

from __future__ import annotations

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from airflow_mlops.backends import mlflow_rest
from airflow_mlops.backends.tracking_mlflow import MlflowTracking
from airflow_mlops.exceptions import BackendUnavailable, TrackingRefused

VERSION = b'{"model_version": {"name": "m", "version": "3", "run_id": "r", "source": "models:/m-1"}}'


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last one for ever; its URL and the requests it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = answers[min(len(seen), len(answers) - 1)]
            seen.append(f"{self.command} {self.headers.get('authorization')}")
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 -- the names http.server calls

        def log_message(self, *args: object) -> None:
            """Nothing to the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, list[str]]]]:
    with ExitStack() as stack:
        yield lambda *answers: stack.enter_context(answering(*answers))


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_closed_port_is_told_within_twenty_seconds_with_the_next_step(closed_port: int) -> None:
    started = time.monotonic()
    with pytest.raises(BackendUnavailable) as away:
        MlflowTracking(f"http://127.0.0.1:{closed_port}").alias("m", "champion")
    assert time.monotonic() - started < 20
    assert f"http://127.0.0.1:{closed_port} does not answer" in str(away.value)
    assert "refused" in str(away.value)
    assert f"mlflow server --host 127.0.0.1 --port {closed_port}" in str(away.value)
    assert "mlflow_default" in str(away.value)
    assert away.value.retry_can_help


def test_training_is_not_logged_anywhere_while_mlflow_is_away(closed_port: int) -> None:
    started = time.monotonic()
    with pytest.raises(BackendUnavailable):
        MlflowTracking(f"http://127.0.0.1:{closed_port}").log_training(
            experiment="m",
            run_name="m",
            run_key="m.train|1|-1",
            estimator=object(),
            input_example=pd.DataFrame({"a": [1.0]}),
            task="regression",
            params={},
            tags={},
            dataset_uri="file:///d",
            dataset_version="d" * 64,
            trusted_types=(),
        )
    assert time.monotonic() - started < 20


def test_a_server_that_hangs_is_given_up_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_rest, "BUDGET_SECONDS", 0.6)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        started = time.monotonic()
        with pytest.raises(BackendUnavailable, match="no answer in time"):
            MlflowTracking(f"http://127.0.0.1:{listener.getsockname()[1]}").alias("m", "champion")
        assert time.monotonic() - started < 3
    assert mlflow_rest.READ_SECONDS < 15


def test_a_look_up_is_asked_again_after_a_fault(serve: Callable[..., tuple[str, list[str]]]) -> None:
    url, seen = serve((503, b"starting"), (200, VERSION))
    champion = MlflowTracking(url).alias("m", "champion")
    assert champion is not None
    assert champion.version == "3"
    assert len(seen) == 2


def test_a_fault_that_stays_is_told_with_the_servers_reason(
    serve: Callable[..., tuple[str, list[str]]],
) -> None:
    url, seen = serve((500, b'{"error_code": "INTERNAL_ERROR", "message": "database is locked"}'))
    with pytest.raises(BackendUnavailable, match=r"500: database is locked\. Look into the server's log"):
        MlflowTracking(url).alias("m", "champion")
    assert len(seen) == 3


def test_a_change_is_never_sent_twice(serve: Callable[..., tuple[str, list[str]]]) -> None:
    url, seen = serve((500, b"oops"), (200, b"{}"))
    with pytest.raises(BackendUnavailable):
        MlflowTracking(url).set_alias("m", "champion", "3")
    assert len(seen) == 1


def test_an_alias_that_reads_back_otherwise_is_refused(
    serve: Callable[..., tuple[str, list[str]]],
) -> None:
    url, _ = serve((200, b"{}"), (200, VERSION))
    with pytest.raises(TrackingRefused, match="set to version 4 but reads back as 3"):
        MlflowTracking(url).set_alias("m", "champion", "4")


def test_a_wrong_token_is_told_as_such_and_never_shown(
    serve: Callable[..., tuple[str, list[str]]],
) -> None:
    url, seen = serve((401, b"who are you"))
    with pytest.raises(TrackingRefused, match="password") as refused:
        MlflowTracking(url.replace("://", "://mira:secret1@"), token="secret2").alias("m", "champion")
    assert "secret" not in str(refused.value)
    assert seen == ["GET Bearer secret2"]
    assert not refused.value.retry_can_help


def test_a_user_and_password_in_the_address_are_used_and_never_shown(
    serve: Callable[..., tuple[str, list[str]]],
) -> None:
    url, seen = serve((200, VERSION))
    champion = MlflowTracking(url.replace("://", "://mira:s%40cret@")).alias("m", "champion")
    assert seen == ["GET Basic " + b64encode(b"mira:s@cret").decode()]
    assert champion is not None
    assert champion.url == f"{url}/#/models/m/versions/3"


def test_a_server_that_is_not_mlflow_is_told_as_such(
    serve: Callable[..., tuple[str, list[str]]],
) -> None:
    for answer in ((200, b"<html>welcome"), (302, b""), (404, b"<html>no such page")):
        url, _ = serve(answer)
        with pytest.raises(TrackingRefused, match="not as an MLflow server would"):
            MlflowTracking(url).alias("m", "champion")


def test_a_tracking_folder_is_refused_at_the_first_call_not_before() -> None:
    tracking = MlflowTracking("sqlite:///mlflow.db")
    with pytest.raises(TrackingRefused, match="not the address of an MLflow server"):
        tracking.alias("m", "champion")
