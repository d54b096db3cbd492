"""The leakage check on the examples' own data, with the defaults."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.config.load import load_model
from airflow_mlops.core.values import RunInfo, RunKey
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.steps.leakage import leaks_of
from airflow_mlops.steps.requests import SnapshotRequest
from airflow_mlops.steps.snapshot import snapshot

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("breast_cancer", datetime(2024, 7, 1, tzinfo=timezone.utc)),
        ("breast_cancer", datetime(2025, 1, 1, tzinfo=timezone.utc)),
        ("flight_delay", datetime(2013, 2, 1, tzinfo=timezone.utc)),
    ],
)
def test_no_leak_is_found_in_the_examples(
    name: str, end: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "plugins")
    config = load_model(REPOSITORY / "configs" / f"{name}.yaml").config
    backends = connect(Endpoints(store=str(tmp_path)))
    sources = WindowSources(params=Window(end - timedelta(days=30), end))
    run = RunInfo(key=RunKey(name, "r1"), kind="manual", sources=sources, now=end)
    taken = snapshot(SnapshotRequest(config, run), backends)
    assert taken is not None
    assert leaks_of(config, taken.dataset, backends) == []
