"""What every data source holds to: the window is half-open, in UTC, and nothing is silently missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_mlops.backends.base import DataSource
from airflow_mlops.backends.chunks import read_chunks
from airflow_mlops.backends.data_parquet import ParquetSource
from airflow_mlops.backends.data_python import PythonSource
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.exceptions import DataRefused

START = datetime(2025, 3, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
COLUMNS = ["id", "at", "carrier", "late"]
Opened = Callable[[pd.DataFrame], DataSource]


@pytest.fixture(
    params=["python", "python that yields", "whole frames only", "parquet in the store", "parquet anywhere"]
)
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A source that holds the rows it is given."""

    def open_source(frame: pd.DataFrame) -> DataSource:
        path = tmp_path / "store" / "landed" / "flights.parquet"
        path.parent.mkdir(parents=True)
        frame.to_parquet(path)
        if request.param == "parquet in the store":
            return ParquetSource("landed/*.parquet", LocalStore(tmp_path / "store"))
        if request.param == "parquet anywhere":
            return ParquetSource(str(path), LocalStore(tmp_path / "other"))
        name = f"source_of_{tmp_path.name}".replace("-", "_")
        (tmp_path / f"{name}.py").write_text(
            "import pandas\n"
            "def load(start, end, path):\n    return pandas.read_parquet(path)\n"
            "def pieces(start, end, path):\n"
            "    rows = pandas.read_parquet(path)\n"
            "    yield rows.head(3)\n    yield rows.iloc[3:]\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        function = "pieces" if request.param == "python that yields" else "load"
        source = PythonSource(f"{name}:{function}", {"path": str(path)})
        return source if request.param != "whole frames only" else WholeFrames(source)

    return open_source


class WholeFrames:
    """Another package's source, which knows nothing of pieces."""

    def __init__(self, source: DataSource) -> None:
        self.read = source.read


def flights() -> pd.DataFrame:
    """Five days out of order, one row twice at one moment, one row without a time."""
    days = [3, 0, 1, 1, 4, 2, None]
    return pd.DataFrame(
        {
            "id": [30, 0, 10, 11, 40, 20, 99],
            "at": [pd.NaT if day is None else START + day * DAY for day in days],
            "carrier": ["AA", None, "DL", "DL", "AA", "UA", "UA"],
            "late": [True, False, True, False, True, False, True],
            "not asked for": 1.5,
        }
    )


def read(source: DataSource, start: datetime, end: datetime) -> pd.DataFrame:
    return source.read(Window(start, end), time_column="at", columns=COLUMNS)


def test_the_window_holds_its_start_and_not_its_end(opened: Opened) -> None:
    rows = read(opened(flights()), START + DAY, START + 3 * DAY)
    assert rows["id"].tolist() == [10, 11, 20]


def chunks(source: DataSource, start: datetime, end: datetime, **given: Any) -> list[pd.DataFrame]:
    window = Window(start, end)
    return list(read_chunks(source, window, time_column="at", columns=COLUMNS, **given))


@pytest.mark.parametrize("period", [None, Period(seconds=86_400), Period(seconds=7_000)])
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_pieces_add_up_to_the_window_and_none_is_larger_than_asked_for(
    opened: Opened, rows: int, period: Period | None
) -> None:
    source = opened(flights())
    pieces = chunks(source, START + DAY, START + 4 * DAY, rows=rows, period=period)
    assert max(map(len, pieces)) <= rows
    found = pd.concat(pieces).sort_values(["at", "id"])
    assert found.columns.tolist() == COLUMNS
    assert found["id"].tolist() == [10, 11, 20, 30]
    assert str(found["at"].dt.tz) == "UTC"


def test_a_window_without_rows_is_an_empty_piece_with_its_columns(opened: Opened) -> None:
    first, *more = chunks(opened(flights()), START - 9 * DAY, START - 8 * DAY, rows=100)
    assert (len(first), first.columns.tolist()) == (0, COLUMNS)
    assert sum(map(len, more)) == 0


def test_missing_columns_are_named_before_the_first_piece(opened: Opened) -> None:
    with pytest.raises(DataRefused, match="has no column 'late'"):
        chunks(opened(flights().drop(columns="late")), START, START + DAY, rows=100)


def test_rows_come_by_time_with_exactly_the_columns_asked_for(opened: Opened) -> None:
    rows = read(opened(flights()), START, START + 30 * DAY)
    assert rows.columns.tolist() == COLUMNS
    assert rows["id"].tolist() == [0, 10, 11, 20, 30, 40]
    assert rows.index.tolist() == list(range(6))
    assert str(rows["at"].dt.tz) == "UTC"


def test_the_time_column_is_left_out_where_it_is_not_asked_for(opened: Opened) -> None:
    rows = opened(flights()).read(Window(START, START + 2 * DAY), time_column="at", columns=["late", "id"])
    assert rows.columns.tolist() == ["late", "id"]
    assert rows["id"].tolist() == [0, 10, 11]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_without_a_zone_is_utc_in_every_resolution(opened: Opened, unit: str) -> None:
    frame = flights()
    frame["at"] = frame["at"].dt.tz_localize(None).astype(f"datetime64[{unit}]")
    between = timedelta(microseconds=500)  # finer than some resolutions can say
    rows = read(opened(frame), START + between, START + 2 * DAY + between)
    assert rows["id"].tolist() == [10, 11, 20]
    assert rows["at"].iloc[0] == START + DAY


def test_another_zone_is_turned_into_utc(opened: Opened) -> None:
    frame = flights()
    frame["at"] = frame["at"].dt.tz_convert("America/New_York")
    rows = read(opened(frame), START + DAY, START + 2 * DAY)
    assert rows["id"].tolist() == [10, 11]
    assert rows["at"].iloc[0].isoformat() == "2025-03-02T00:00:00+00:00"


def test_a_window_without_rows_is_an_empty_frame_with_its_columns(opened: Opened) -> None:
    rows = read(opened(flights()), START - 9 * DAY, START - 8 * DAY)
    assert rows.columns.tolist() == COLUMNS
    assert len(rows) == 0
    assert str(rows["at"].dt.tz) == "UTC"


def test_missing_columns_are_named_with_those_there_are_and_the_nearest(opened: Opened) -> None:
    with pytest.raises(DataRefused) as caught:
        read(opened(flights().drop(columns="late").rename(columns={"carrier": "carier"})), START, START + DAY)
    told = str(caught.value)
    assert "has no column 'carrier', 'late'" in told
    assert "there are: id, at, carier, not asked for" in told
    assert "Is 'carrier' the column 'carier'?" in told


@pytest.mark.parametrize("values", ["2025-03-01", 20250301, 1.5], ids=["text", "number", "float"])
def test_a_time_column_that_holds_no_times_is_refused(opened: Opened, values: object) -> None:
    with pytest.raises(DataRefused, match=r"the time column 'at' holds .*, not times; convert it"):
        read(opened(flights().assign(at=values)), START, START + DAY)
