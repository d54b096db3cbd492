"""The answer to whoever sent a row may quote it; the server's log may not."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import pytest

from airflow_mlops.gateway.process import Gateway

MARK = "zqx"


def test_rows_that_a_model_or_the_server_refuses_are_not_in_its_log(
    start: Any, shelf: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shelf.models["1"].broken_on = MARK
    served = start()
    sent: list[Any] = [
        {"rows": [{"temp": 1.0, "carrier": MARK}]},
        {"rows": [{"temp": MARK, "carrier": "AA"}]},
        {"rows": [{"temp": 1.0, "carrier": "AA", MARK: 1}]},
        {MARK: MARK},
    ]
    url = served.url if hasattr(served, "url") else served
    codes = [httpx.post(f"{url}/predict", json=body).status_code for body in sent]
    codes.append(httpx.post(f"{url}/predict", content=f"{{{MARK}".encode()).status_code)
    assert codes == [500, 422, 422, 422, 422]
    texts = [caplog.text, *capfd.readouterr()]
    assert [text for text in texts if MARK in text] == []


def test_a_fault_of_the_servers_own_is_logged_by_class_and_lines(caplog: pytest.LogCaptureFixture) -> None:
    async def step() -> None:
        raise ValueError(f"could not write {MARK}")

    asyncio.run(Gateway._attempt(None, step))  # type: ignore[arg-type]
    assert MARK not in caplog.text.replace("{MARK}", "")
    assert "goes on after a fault of its own, ValueError (at test_log_holds_no_values.py:" in caplog.text
    assert "in step" in caplog.text
