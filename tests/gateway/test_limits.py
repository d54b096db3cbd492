"""What is refused when too much is open, under way or in memory, and that the rest goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow_mlops.gateway.memory import MemoryGuard, resident_bytes, usual_limit

ROW = {"temp": 20.5, "carrier": "AA"}


def connect(gateway: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(gateway.url.rsplit(":", 1)[1])), timeout=10)


def answered(gateway: Any) -> bool:
    """Whether a new connection gets an answer."""
    with contextlib.suppress(ConnectionError), connect(gateway) as caller:
        caller.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        return b" 200 " in caller.recv(4_096)
    return False


def ended(caller: socket.socket) -> bool:
    """Whether the server hangs up without an answer."""
    try:
        return caller.recv(1) == b""
    except ConnectionError:
        return True


def test_a_connection_too_many_is_refused_and_those_that_are_open_go_on(start: Any) -> None:
    gateway = start(max_connections=2)
    gateway.wait_ready()
    with connect(gateway):
        with connect(gateway) as one_too_many:
            refused = one_too_many.makefile("rb").read()
        assert refused.startswith(b"HTTP/1.1 503 ")
        head, _, body = refused.partition(b"\r\n\r\n")
        assert int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) == len(body)
        assert gateway.predict(ROW).status_code == 200
    gateway.wait(lambda: answered(gateway))


def test_a_caller_that_never_sends_its_request_is_hung_up_on(start: Any) -> None:
    gateway = start(head_seconds=0.2)
    gateway.wait_ready()
    with connect(gateway) as silent, connect(gateway) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        for caller in (silent, slow):
            assert ended(caller)
    assert gateway.predict(ROW).status_code == 200


def test_a_kept_alive_connection_may_send_its_next_request_later(start: Any) -> None:
    gateway = start(head_seconds=0.2)
    gateway.wait_ready()
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(gateway) as caller:
        for _ in range(2):
            caller.sendall(request)
            assert b" 200 " in caller.recv(4_096)
            threading.Event().wait(0.3)


def test_a_head_without_end_is_hung_up_on(steady: Any) -> None:
    with connect(steady) as caller:
        with contextlib.suppress(ConnectionError):
            caller.sendall(b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n")
        assert ended(caller)


def test_large_bodies_under_way_are_bounded_together(start: Any, shelf: Any) -> None:
    shelf.models["1"].go_on = go_on = threading.Event()
    go_on.set()
    gateway = start(max_in_flight_bytes=200_000)
    gateway.wait_ready()
    go_on.clear()
    rows = [ROW] * 5_000
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.predict, *rows)
        gateway.wait(lambda: gateway.metric("mlops_gateway_requests_in_flight") == 1)
        gateway.wait(lambda: len(shelf.models["1"].calls) > 1)
        second = gateway.predict(*rows)
        go_on.set()
        assert first.result().status_code == 200
    assert second.status_code == 503
    assert "as much memory as they may" in second.json()["detail"]
    assert second.headers["Retry-After"] == "1"
    assert gateway.predict(*rows).status_code == 200


def test_above_its_memory_no_version_is_loaded_and_small_requests_are_answered(start: Any) -> None:
    gateway = start(max_memory_bytes=1)
    gateway.wait_ready()
    gateway.wait(lambda: "memory" in gateway.ready()["problems"])
    assert gateway.predict(ROW).status_code == 200
    assert gateway.predict(*[ROW] * 5_000).status_code == 503
    refused = gateway.put("2", "canary", 0.5)
    assert refused.status_code == 503
    assert "Version 2 is not loaded beside what serves" in refused.json()["detail"]
    assert gateway.metric("mlops_gateway_memory_bytes") > 1_000_000


def test_a_guard_without_a_limit_takes_nine_tenths_of_what_there_is() -> None:
    guard = MemoryGuard(None)
    guard.look()
    assert guard.limit == usual_limit()
    assert guard.problem is None
    assert resident_bytes() is None or resident_bytes() > 1_000_000
