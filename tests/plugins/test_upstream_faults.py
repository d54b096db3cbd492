"""Faults injected into two real feeds, flights and biopsies, and changes of the world that are none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.datasets_parquet import ParquetDatasets
from airflow_mlops.backends.faults.summaries import ParquetFaultSummaries
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.faults import Fault, Reference, RowNames, faults_of, late_fault, volume_fault

REPOSITORY = Path(__file__).resolve().parents[2]
UTC = timezone.utc
YEAR = (datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]

WORST = ["worst_radius", "worst_texture", "worst_smoothness"]

Break = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass
class Feed:
    """Rows of a feed with the YAML's names, and what is found in a window after a reference."""

    rows: pd.DataFrame
    kinds: dict[str, Any]
    names: RowNames
    datasets: ParquetDatasets
    summaries: ParquetFaultSummaries
    known: dict[Any, Reference] = field(default_factory=dict)

    def between(self, start: datetime, end: datetime) -> pd.DataFrame:
        times = self.rows[self.names.time]
        return self.rows[(times >= start) & (times < end)].reset_index(drop=True)

    def faults(
        self,
        reference: tuple[datetime, datetime],
        window: tuple[datetime, datetime],
        broken: Break = lambda rows: rows,
    ) -> list[Fault]:
        """As monitor and validate look: the rows as kept in the store, the volume by stretches as long."""
        length = (window[1] - window[0]).total_seconds()
        asked = {"time": self.names.time, "key": self.names.key, "salt": "m"}
        known = self.known.get((reference, length))
        if known is None:
            uri = self._kept("reference", self.between(*reference))
            known = self.summaries.reference(uri, self.kinds, length_seconds=length, **asked)
            self.known[reference, length] = known
        rows = broken(self.between(*window))
        now = self.summaries.window(self._kept("window", rows), self.kinds, **asked)
        of_rows = [
            volume_fault(self.names, now.rows, [block.rows for block in known.blocks]),
            late_fault(self.names, known, now, window[1].timestamp(), length),
        ]
        return [*(one for one in of_rows if one is not None), *faults_of(known, now, self.names)]

    def _kept(self, key: str, rows: pd.DataFrame) -> str:
        span = f"{rows[self.names.time].iloc[0]:%Y%m%d}-{len(rows)}"
        return self.datasets.save_frame(f"{key}-{span}.parquet", rows)


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "plugins")
        yield
        for name in [
            name for name in sys.modules if name.partition(".")[0] in ("flight_delay", "breast_cancer")
        ]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def flights(plugins: None, tmp_path_factory: pytest.TempPathFactory) -> Feed:
    from flight_delay.data import FEATURES
    from flight_delay.data import flights as load

    rows = load(*YEAR).iloc[::8].reset_index(drop=True)
    categories = {"carrier", "origin", "dest"}
    kinds = {name: "categorical" if name in categories else "numeric" for name in FEATURES}
    store = LocalStore(tmp_path_factory.mktemp("flights"))
    names = RowNames("flight_id", "departs_at")
    return Feed(rows, kinds, names, ParquetDatasets(store), ParquetFaultSummaries(store))


@pytest.fixture(scope="module")
def biopsies(plugins: None, tmp_path_factory: pytest.TempPathFactory) -> Feed:
    from breast_cancer.data import FEATURES
    from breast_cancer.data import biopsies as load

    rows = load(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    store = LocalStore(tmp_path_factory.mktemp("biopsies"))
    names = RowNames("biopsy_id", "taken_at")
    kinds: dict[str, Any] = dict.fromkeys(FEATURES, "numeric")
    return Feed(rows, kinds, names, ParquetDatasets(store), ParquetFaultSummaries(store))


def _set(column: str, change: Callable[[pd.Series], Any]) -> Break:
    return lambda rows: rows.assign(**{column: change(rows[column])})


def _where(share: float, value: Any) -> Callable[[pd.Series], pd.Series]:
    """A part of the rows, the same at each call, has another value."""

    def change(column: pd.Series) -> pd.Series:
        chosen = np.random.default_rng(7).random(len(column)) < share
        return column.mask(chosen, value)

    return change


def _together(columns: list[str], share: float) -> Break:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        lost = np.random.default_rng(7).random(len(rows)) < share
        return rows.assign(**{name: rows[name].mask(lost) for name in columns})

    return change


def _swap(one: str, other: str) -> Break:
    return lambda rows: rows.assign(**{one: rows[other], other: rows[one]})


def _hours(column: str, hours: int) -> Break:
    return lambda rows: rows.assign(**{column: rows[column] + timedelta(hours=hours)})


def _mojibake(text: str) -> str:
    return text.replace("E", "É").encode().decode("latin-1")


def _a_fifth_in_metres(miles: pd.Series) -> pd.Series:
    return miles.where(miles.index % 5 > 0, miles * 1609.344)


def _spaced(names: pd.Series) -> pd.Series:
    return names.replace("JFK", " JFK ")


def _with_commas(numbers: pd.Series) -> pd.Series:
    return numbers.map(lambda number: f"{number:.2f}".replace(".", ","))


def _doubled(time: str) -> Break:
    return lambda rows: pd.concat([rows, rows.sample(frac=0.5, random_state=0)]).sort_values(time)


def _later(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(departure_minute=(rows["departure_minute"] + 120).clip(upper=1439))


FLIGHTS: list[tuple[str, str, set[str], Break]] = [
    ("all values missing", "temp", {"null"}, _set("temp", lambda c: c * np.nan)),
    ("most values missing", "humid", {"null"}, _set("humid", _where(0.8, np.nan))),
    ("a constant", "distance", {"constant"}, _set("distance", lambda c: c * 0 + 1000.0)),
    ("a constant category", "carrier", {"constant"}, _set("carrier", lambda c: "UA")),
    ("a thousand times as large", "pressure", {"unit"}, _set("pressure", lambda c: c * 1000)),
    ("hours instead of minutes", "departure_minute", {"unit"}, _set("departure_minute", lambda c: c / 60)),
    ("seconds instead of minutes", "arrival_minute", {"unit"}, _set("arrival_minute", lambda c: c * 60)),
    ("kilometres instead of miles", "distance", {"unit"}, _set("distance", lambda c: c * 1.609344)),
    ("Celsius instead of Fahrenheit", "temp", {"unit"}, _set("temp", lambda c: (c - 32) / 1.8)),
    ("a share instead of percent", "humid", {"unit"}, _set("humid", lambda c: c / 100)),
    ("the sign flipped", "distance", {"sign"}, _set("distance", lambda c: -c)),
    ("an offset", "pressure", {"offset"}, _set("pressure", lambda c: c + 500)),
    ("a part of the rows in another unit", "distance", {"magnitude"}, _set("distance", _a_fifth_in_metres)),
    ("a category renamed", "carrier", {"renamed"}, _set("carrier", lambda c: c.replace("UA", "UAL"))),
    ("all categories renamed", "origin", {"renamed", "recoded"}, _set("origin", lambda c: "K" + c)),
    ("lower case", "carrier", {"rewritten"}, _set("carrier", lambda c: c.str.lower())),
    ("spaces around one category", "origin", {"rewritten"}, _set("origin", _spaced)),
    ("a category that is lost", "origin", {"category_lost"}, lambda rows: rows[rows["origin"] != "EWR"]),
    ("truncated text", "dest", {"truncated"}, _set("dest", lambda c: c.str[:2])),
    ("a wrong encoding", "dest", {"encoding"}, _set("dest", lambda c: c.map(_mojibake))),
    ("a sentinel", "temp", {"sentinel"}, _set("temp", _where(0.1, -999.0))),
    ("zeros for missing values", "pressure", {"sentinel"}, _set("pressure", _where(0.15, 0.0))),
    ("numbers as text", "distance", {"type"}, _set("distance", lambda c: c.astype(str))),
    ("decimals with a comma", "temp", {"decimal_comma"}, _set("temp", _with_commas)),
    ("two columns swapped", "distance", {"swapped"}, _swap("distance", "departure_minute")),
    ("two categories swapped", "origin", {"swapped"}, _swap("origin", "carrier")),
    ("a join lost", "temp", {"join_lost"}, _together(WEATHER, 0.25)),
    ("decimals lost", "temp", {"rounded"}, _set("temp", np.round)),
    ("half the volume", "departs_at", {"volume"}, lambda rows: rows.iloc[::2]),
    ("duplicates", "flight_id", {"duplicated"}, _doubled("departs_at")),
    ("rows out of order", "departs_at", {"out_of_order"}, lambda rows: rows.sample(frac=1.0, random_state=0)),
    ("late rows", "departs_at", {"late"}, lambda rows: rows.head(int(len(rows) * 0.7))),
    ("another time zone", "departs_at", {"time_zone"}, _hours("departs_at", -5)),
]  # fmt: skip

BIOPSIES: list[tuple[str, str, set[str], Break]] = [
    ("all values missing", "mean_radius", {"null"}, _set("mean_radius", lambda c: c * np.nan)),
    ("most values missing", "worst_texture", {"null"}, _set("worst_texture", _where(0.7, np.nan))),
    ("a constant", "mean_texture", {"constant"}, _set("mean_texture", lambda c: c * 0 + 19.0)),
    ("a thousand times as large", "mean_radius", {"unit"}, _set("mean_radius", lambda c: c * 1000)),
    ("a thousand times as small", "worst_radius", {"unit"}, _set("worst_radius", lambda c: c / 1000)),
    ("inches instead of centimetres", "mean_radius", {"unit"}, _set("mean_radius", lambda c: c / 2.54)),
    ("a factor of 60", "mean_symmetry", {"unit"}, _set("mean_symmetry", lambda c: c * 60)),
    ("miles and kilometres", "worst_texture", {"unit"}, _set("worst_texture", lambda c: c * 1.609344)),
    ("Fahrenheit instead of Celsius", "mean_texture", {"unit"}, _set("mean_texture", lambda c: c * 1.8 + 32)),
    ("percent instead of a share", "mean_smoothness", {"unit"}, _set("mean_smoothness", lambda c: c * 100)),
    ("the sign flipped", "worst_radius", {"sign"}, _set("worst_radius", lambda c: -c)),
    ("an offset", "mean_texture", {"offset"}, _set("mean_texture", lambda c: c + 100)),
    ("kelvin", "mean_texture", {"unit"}, _set("mean_texture", lambda c: c + 273.15)),
    ("a sentinel", "mean_concavity", {"sentinel"}, _set("mean_concavity", _where(0.1, -999.0))),
    ("zeros for missing values", "mean_radius", {"sentinel"}, _set("mean_radius", _where(0.2, 0.0))),
    ("numbers as text", "worst_symmetry", {"type"}, _set("worst_symmetry", lambda c: c.astype(str))),
    ("decimals with a comma", "mean_radius", {"decimal_comma"}, _set("mean_radius", _with_commas)),
    ("two columns swapped", "mean_radius", {"swapped"}, _swap("mean_radius", "mean_symmetry")),
    ("a join lost", "worst_radius", {"join_lost"}, _together(WORST, 0.3)),
    ("decimals lost", "mean_radius", {"rounded"}, _set("mean_radius", np.round)),
    ("half the volume", "taken_at", {"volume"}, lambda rows: rows.iloc[::2]),
    ("duplicates", "biopsy_id", {"duplicated"}, _doubled("taken_at")),
    ("late rows", "taken_at", {"late"}, lambda rows: rows.head(int(len(rows) * 0.75))),
]  # fmt: skip

TRAINED = (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 11, 1, tzinfo=UTC))
NOVEMBER = (datetime(2013, 11, 1, tzinfo=UTC), datetime(2013, 12, 1, tzinfo=UTC))
KNOWN = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 9, 1, tzinfo=UTC))
AUTUMN = (datetime(2024, 9, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("column", "kinds", "broken"), [one[1:] for one in FLIGHTS], ids=[one[0] for one in FLIGHTS]
)
def test_a_fault_in_the_flights_is_named_with_its_column(flights, column, kinds, broken) -> None:
    _assert_named(flights.faults(TRAINED, NOVEMBER, broken), column, kinds)


@pytest.mark.parametrize(
    ("column", "kinds", "broken"), [one[1:] for one in BIOPSIES], ids=[one[0] for one in BIOPSIES]
)
def test_a_fault_in_the_biopsies_is_named_with_its_column(biopsies, column, kinds, broken) -> None:
    _assert_named(biopsies.faults(KNOWN, AUTUMN, broken), column, kinds)


def _assert_named(found: list[Fault], column: str, kinds: set[str]) -> None:
    ours = [fault for fault in found if column in fault.columns]
    assert ours, [str(fault) for fault in found]
    assert ours[0].kind in kinds, [str(fault) for fault in found]
    others = {fault.kind for fault in found if column not in fault.columns}
    assert not others, [str(fault) for fault in found]


def test_the_same_rows_again_are_named_as_such(flights, biopsies) -> None:
    october = flights.between(datetime(2013, 10, 1, tzinfo=UTC), TRAINED[1])
    again = october.assign(departs_at=october["departs_at"] + timedelta(days=31))
    _assert_named(flights.faults(TRAINED, NOVEMBER, lambda _: again), "departs_at", {"stale"})
    summer = biopsies.between(datetime(2024, 7, 1, tzinfo=UTC), KNOWN[1])
    again = summer.assign(taken_at=summer["taken_at"] + timedelta(days=61))
    _assert_named(biopsies.faults(KNOWN, AUTUMN, lambda _: again), "taken_at", {"stale"})


@pytest.mark.slow
def test_no_month_of_the_flights_is_called_a_fault(flights) -> None:
    """Nor against all months before it, as the example trains, nor against the first quarter."""
    first = datetime(2013, 1, 1, tzinfo=UTC)
    for month in range(4, 13):
        window = _month(month)
        for reference in ((first, window[0]), (first, datetime(2013, 4, 1, tzinfo=UTC))):
            found = flights.faults(reference, window)
            assert not found, (month, [str(fault) for fault in found])


def _month(month: int) -> tuple[datetime, datetime]:
    end = datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return datetime(2013, month, 1, tzinfo=UTC), end


@pytest.mark.slow
def test_gaps_of_the_weather_stations_are_no_faults(tmp_path) -> None:
    """Hourly weather as it is: air pressure is missing in 5 % to 19 % of a month, gusts in 59 % to 87 %."""
    weather = pd.read_csv(_weather_file())
    rows = weather.assign(
        at=pd.to_datetime(weather["time_hour"], utc=True).astype("datetime64[us, UTC]"),
        id=[f"{origin}-{hour}" for origin, hour in zip(weather["origin"], weather["time_hour"], strict=True)],
    ).sort_values("at", ignore_index=True)
    kinds: dict[str, Any] = {**dict.fromkeys([*WEATHER, "wind_gust"], "numeric"), "origin": "categorical"}
    store = LocalStore(tmp_path)
    feed = Feed(rows, kinds, RowNames("id", "at"), ParquetDatasets(store), ParquetFaultSummaries(store))
    first = datetime(2013, 1, 1, tzinfo=UTC)
    shares = []
    for month in range(3, 13):
        window = _month(month)
        shares.append(feed.between(*window)["wind_gust"].isna().mean())
        found = feed.faults((first, window[0]), window)
        assert not found, (month, [str(fault) for fault in found])
    assert max(shares) - min(shares) > 0.15


def _weather_file() -> Path:
    from flight_delay.data import _data_folder

    return _data_folder() / "weather.csv"


def _measured(column: str, change: Callable[[pd.Series], pd.Series]) -> Break:
    """With as many decimals as the instrument has always given."""

    def rounded(values: pd.Series) -> pd.Series:
        places = next(one for one in range(12) if np.allclose(values, values.round(one), 0, 1e-9, True))
        return change(values).round(places)

    return _set(column, rounded)


def _moved(column: str, deviations: float) -> Break:
    return _measured(column, lambda c: c + deviations * c.std())


def _wider(column: str, times: float) -> Break:
    return _measured(column, lambda c: c.mean() + times * (c - c.mean()))


def _new_carrier(share: float) -> Break:
    """It takes rows of all the others, more of them as time goes on."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        grows = np.linspace(0, 2 * share, len(rows))
        taken = np.random.default_rng(3).random(len(rows)) < grows
        return rows.assign(carrier=rows["carrier"].mask(taken, "ZZ"))

    return change


def _drifts(column: str, deviations: float) -> Break:
    return _measured(column, lambda c: c + np.linspace(0, deviations, len(c)) * c.std())


_PLACES, _WIDTHS = ("distance", "temp", "humid"), ("distance", "temp", "pressure")
_DRIFTS = ("temp", "distance")
REAL: list[tuple[str, Break]] = [
    *((f"{name}: mean {by:+}", _moved(name, by)) for name in _PLACES for by in (-1.5, 0.5, 1.0, 2.0)),
    *((f"{name}: {by} times as wide", _wider(name, by)) for name in _WIDTHS for by in (0.5, 1.5, 2.0)),
    *((f"a new carrier with {share:.0%} of the rows", _new_carrier(share)) for share in (0.02, 0.1, 0.3)),
    *((f"{name} drifts by {by}", _drifts(name, by)) for name in _DRIFTS for by in (1.0, 3.0)),
    ("a third longer flights", _measured("distance", lambda c: c * 1.3)),
    ("half as long again", _measured("distance", lambda c: c * 1.5)),
    ("a carrier that ends", lambda rows: rows[rows["carrier"] != "VX"]),
    ("a fifth fewer flights", lambda rows: rows[rows.index % 5 > 0]),
    ("a few readings more are missing", _set("temp", _where(0.12, np.nan))),
    ("all flights two hours later", _later),
]  # fmt: skip


@pytest.mark.parametrize("change", [one[1] for one in REAL], ids=[one[0] for one in REAL])
def test_a_change_of_the_world_is_no_fault(flights, change) -> None:
    assert [str(fault) for fault in flights.faults(TRAINED, NOVEMBER, change)] == []


@pytest.mark.parametrize("by", [-1.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("change", [_moved, _wider, _drifts], ids=["moved", "wider", "drifts"])
def test_a_change_of_all_biopsies_is_no_fault(biopsies, change, by) -> None:
    if change is _wider and by < 0:
        by = 0.7

    def broken(rows: pd.DataFrame) -> pd.DataFrame:
        for column in biopsies.kinds:
            rows = change(column, by)(rows)
        return rows

    assert [str(fault) for fault in biopsies.faults(KNOWN, AUTUMN, broken)] == []
