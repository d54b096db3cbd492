"""The flights as requests, and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.backends.base import Backends, Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.demo.traffic import Answer, MonthOfTraffic, months
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.windows import Window

REPOSITORY = Path(__file__).resolve().parents[2]
FEBRUARY = next(months(datetime(2013, 2, 1, tzinfo=timezone.utc), 1))


class RecordingEndpoint:
    """Answers every row with one half, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Answer]:
        self.asked.extend(dict(row) for row in rows)
        return {str(row["flight_id"]): Answer(0.5, "1") for row in rows}


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    return load_model(REPOSITORY / "configs" / "flight_delay.yaml").config


@pytest.fixture
def backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backends:
    monkeypatch.syspath_prepend(REPOSITORY / "plugins")
    return connect(Endpoints(store=str(tmp_path)))


@pytest.fixture
def endpoint() -> RecordingEndpoint:
    return RecordingEndpoint()


@pytest.fixture
def month(config: ModelConfig, backends: Backends, endpoint: RecordingEndpoint) -> MonthOfTraffic:
    return MonthOfTraffic(config, FEBRUARY, endpoint, backends)  # type: ignore[arg-type]  # a fake of it


def test_every_flight_is_asked_about_once_in_order_of_departure_without_its_label(
    month: MonthOfTraffic, endpoint: RecordingEndpoint
) -> None:
    while month.send(5_000):
        pass
    assert not month.send()
    times = [row["departs_at"] for row in endpoint.asked]
    assert times == sorted(times)
    assert len({row["flight_id"] for row in endpoint.asked}) == len(times) == len(month.frame)
    assert all("late" not in row for row in endpoint.asked)
    assert set(month.answers) == set(month.frame["flight_id"])


def test_times_carry_their_zone_and_a_missing_reading_is_null(
    month: MonthOfTraffic, endpoint: RecordingEndpoint
) -> None:
    month.send(10_000)
    first = datetime.fromisoformat(endpoint.asked[0]["departs_at"])
    assert first.tzinfo is not None
    assert FEBRUARY.start <= first < FEBRUARY.end
    assert any(row["pressure"] is None for row in endpoint.asked)


def test_a_part_sent_ahead_is_not_sent_again(month: MonthOfTraffic, endpoint: RecordingEndpoint) -> None:
    month.send(100)
    assert month.sent_share == pytest.approx(100 / len(month.frame))
    while month.send(10_000):
        pass
    assert len(endpoint.asked) == len(month.frame)


def test_labels_land_where_the_yaml_looks_for_them_and_cancelled_flights_get_none(
    month: MonthOfTraffic, config: ModelConfig, backends: Backends
) -> None:
    landed = month.land_labels()
    assert 0.04 < 1 - len(landed) / len(month.frame) < 0.06  # the blizzard of February
    assert config.monitor.labels is not None
    source = config.monitor.labels.source.model_dump()
    window = Window(FEBRUARY.start, FEBRUARY.end)
    columns = ["flight_id", "departs_at", "late"]
    read = backends.data_source("parquet", source).read(window, time_column="departs_at", columns=columns)
    assert len(read) == len(landed)
    assert set(read["late"]) == {0, 1}
