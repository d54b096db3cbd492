"""The expectations in configs/ hold on the examples' own data, and say so when it is broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_mlops.backends.base import Backends, Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import CheckedExpectation, Expectation
from airflow_mlops.core.windows import Period, Window

REPOSITORY = Path(__file__).resolve().parents[2]
UTC = timezone.utc
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "plugins")
        yield


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Backends:
    return connect(Endpoints(store=str(tmp_path_factory.mktemp("store"))))


def check(config: ModelConfig, backends: Backends, frame: object) -> list[CheckedExpectation]:
    wanted = [Expectation(one.type, one.kwargs, one.severity) for one in config.validation.expectations]
    return backends.checker().check(frame, wanted)


@pytest.mark.parametrize(("first", "months"), [*((month, 1) for month in range(1, 13)), (1, 3), (1, 12)])
def test_the_flights_of_each_month_and_of_all_so_far_meet_their_expectations(
    first: int, months: int, backends: Backends
) -> None:
    config = load_model(REPOSITORY / "configs" / "flight_delay.yaml").config
    source = backends.data_source("python", config.data.source.model_dump(exclude={"type"}))
    start = datetime(2013, first, 1, tzinfo=UTC)
    window = Window(start, Period(months=months).after(start))
    frame = source.read(window, time_column=config.data.time_column, columns=config.data.columns)
    assert not [str(one) for one in check(config, backends, frame) if not one.success]


@pytest.mark.parametrize("month", [2, 7, 12])
def test_what_the_endpoint_is_asked_in_a_month_is_no_upstream_fault(month: int, backends: Backends) -> None:
    config = load_model(REPOSITORY / "configs" / "flight_delay.yaml").config
    source = config.data.source.model_dump(exclude={"type"})
    asked = backends.data_source("python", {**source, "params": {"landed": False}})
    start = datetime(2013, month, 1, tzinfo=UTC)
    window = Window(start, Period(months=1).after(start))
    frame = asked.read(window, time_column=config.data.time_column, columns=config.data.columns)
    features = [
        one
        for one in check(config, backends, frame)
        if one.expectation.kwargs.get("column") in config.data.features
    ]
    assert len(features) > 10
    assert not [str(one) for one in features if not one.success and one.expectation.severity == "critical"]


def test_broken_flights_are_named_by_column_and_count(backends: Backends) -> None:
    config = load_model(REPOSITORY / "configs" / "flight_delay.yaml").config
    source = backends.data_source("python", config.data.source.model_dump(exclude={"type"}))
    window = Window(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC))
    frame = source.read(window, time_column=config.data.time_column, columns=config.data.columns)
    frame.loc[:99, "origin"] = "CDG"
    frame["distance"] *= 1_609.344  # metres
    missed = {
        one.expectation.kwargs["column"]: one for one in check(config, backends, frame) if not one.success
    }
    assert set(missed) == {"origin", "distance"}
    assert missed["origin"].unexpected == 100
    assert all(one.expectation.severity == "critical" for one in missed.values())


def test_the_biopsies_meet_their_expectations(backends: Backends) -> None:
    config = load_model(REPOSITORY / "configs" / "breast_cancer.yaml").config
    source = backends.data_source("python", config.data.source.model_dump(exclude={"type"}))
    window = Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    frame = source.read(window, time_column=config.data.time_column, columns=config.data.columns)
    assert all(one.success for one in check(config, backends, frame))
