"""Errors of the user's own code: a service that is away is tried again, and never called bad data."""

from __future__ import annotations

import sqlite3
import urllib.error
from datetime import datetime, timezone

import botocore.exceptions
import pandas as pd
import pytest
import requests
import sqlalchemy.exc

from airflow_mlops.backends.data_python import PythonSource
from airflow_mlops.backends.trainer_callable import CallableTrainer
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import BackendUnavailable, DataRefused, MlopsError, TrainingFailed

WINDOW = Window(datetime(2024, 1, 1, tzinfo=timezone.utc), datetime(2024, 1, 2, tzinfo=timezone.utc))
AWAY = [
    ConnectionResetError("peer"),
    TimeoutError("after 30 s"),
    OSError(5, "Input/output error"),
    urllib.error.URLError("connection refused"),
    urllib.error.HTTPError("http://x", 503, "Service Unavailable", None, None),
    requests.exceptions.ConnectionError("Max retries exceeded"),
    requests.exceptions.ReadTimeout("read timed out"),
    sqlite3.OperationalError("database is locked"),
    sqlalchemy.exc.OperationalError("select 1", {}, Exception("server closed the connection")),
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
]
USES = {
    "data_python": lambda: PythonSource("my.rows:load", {}).read(WINDOW, time_column="at", columns=["at"]),
    "trainer_callable": lambda: CallableTrainer("my.rows:load").fit(
        pd.DataFrame({"a": [1.0, 2.0]}), pd.Series([0, 1]), {}, 1
    ),
}
THERE = [KeyError("age"), ValueError("Jane Doe"), FileNotFoundError(2, "no such file"), IsADirectoryError(21)]


@pytest.fixture
def outcome(monkeypatch):
    """``outcome(where, error)``: what becomes of an error that the user's function raises there."""

    def of(where, error) -> MlopsError:
        def function(*args, **given):
            raise error

        monkeypatch.setattr(f"airflow_mlops.backends.{where}.load_object", lambda path: function)
        with pytest.raises(MlopsError) as caught:
            USES[where]()
        assert caught.value.__cause__ is error
        return caught.value

    return of


@pytest.mark.parametrize("where", ["data_python", "trainer_callable"])
@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_service_that_is_away_is_tried_again(outcome, where, error) -> None:
    found = outcome(where, error)
    assert isinstance(found, BackendUnavailable)
    assert str(found).startswith("my.rows:load")
    assert str(found).endswith("is the service behind it up?")


@pytest.mark.parametrize(
    ("where", "kind"), [("data_python", DataRefused), ("trainer_callable", TrainingFailed)]
)
@pytest.mark.parametrize("error", THERE, ids=lambda error: type(error).__name__)
def test_anything_else_is_the_datas_or_the_codes(outcome, where, kind, error) -> None:
    found = outcome(where, error)
    assert type(found) is kind
    assert type(error).__name__ in str(found)
    assert "Jane" not in str(found)
