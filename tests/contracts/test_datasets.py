"""What every keeper of datasets holds to."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.base import Datasets
from airflow_mlops.backends.datasets_parquet import ParquetDatasets
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.values import DatasetRef
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused

START = datetime(2025, 1, 1, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=10))
HOLDOUT = START + timedelta(days=8)


@pytest.fixture(params=["parquet"])
def datasets(request: pytest.FixtureRequest, tmp_path: Path) -> Datasets:
    return ParquetDatasets(LocalStore(tmp_path))


def flights(rows: int = 10) -> pd.DataFrame:
    number = np.arange(rows)
    return pd.DataFrame(
        {
            "id": number,
            "scheduled": pd.date_range(START, periods=rows, freq="D"),
            "carrier": [None if n == 3 else "AA" if n % 2 else "é✈" for n in number],
            "distance": np.where(number == 4, np.nan, number * 1.5),
            "cabin": pd.Categorical(["first" if n % 3 else "second" for n in number]),
            "late": number % 2 == 0,
        }
    )


def save(datasets: Datasets, frame: pd.DataFrame, **changes: object) -> DatasetRef:
    settings = {"model": "m", "window": WINDOW, "time_column": "scheduled", "holdout_start": HOLDOUT}
    return datasets.save(frame, **(settings | changes))  # type: ignore[arg-type]


def test_rows_come_back_as_they_were_saved(datasets: Datasets) -> None:
    loaded = datasets.load(save(datasets, flights()), "all")
    pd.testing.assert_frame_equal(loaded, flights(), check_dtype=False)
    assert str(loaded["scheduled"].dtype) == "datetime64[us, UTC]"
    assert [str(loaded[name].dtype) for name in ("id", "distance", "cabin", "late")] == [
        "int64",
        "float64",
        "category",
        "bool",
    ]


def test_the_holdout_is_the_rows_from_its_start_on_and_training_never_sees_them(datasets: Datasets) -> None:
    ref = save(datasets, flights())
    train, holdout = datasets.load(ref, "train"), datasets.load(ref, "holdout")
    assert (ref.rows, ref.holdout_rows) == (10, 2)
    assert train["id"].tolist() == list(range(8))
    assert holdout["id"].tolist() == [8, 9]
    assert holdout.index.tolist() == [0, 1]


def test_equal_content_is_one_version_whatever_pandas_holds_it_in(datasets: Datasets) -> None:
    same = flights().set_index(np.arange(100, 110))
    same["scheduled"] = same["scheduled"].dt.tz_localize(None).astype("datetime64[ns]")
    same["carrier"] = same["carrier"].astype(object)
    assert save(datasets, flights()) == save(datasets, same)


def test_another_process_gives_the_same_version(datasets: Datasets) -> None:
    code = (
        "import sys, importlib.util, tempfile\n"
        f"spec = importlib.util.spec_from_file_location('again', {str(Path(__file__))!r})\n"
        "again = importlib.util.module_from_spec(spec); spec.loader.exec_module(again)\n"
        "store = again.LocalStore(tempfile.mkdtemp())\n"
        "print(again.save(again.ParquetDatasets(store), again.flights(5000)).version)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == save(datasets, flights(5000)).version


@pytest.mark.parametrize("change", ["value", "order", "column", "window", "holdout"])
def test_any_change_is_another_version(datasets: Datasets, change: str) -> None:
    frame, changes = flights(), {}
    match change:
        case "value":
            frame.loc[0, "distance"] = 0.1
        case "order":
            frame = frame.iloc[::-1]
        case "column":
            frame = frame.rename(columns={"distance": "miles"})
        case "window":
            changes = {"window": Window(START, START + timedelta(days=11))}
        case "holdout":
            changes = {"holdout_start": HOLDOUT + timedelta(hours=1)}
    assert save(datasets, frame, **changes).version != save(datasets, flights()).version


def test_the_schema_hash_knows_names_and_types_and_not_values(datasets: Datasets) -> None:
    kept = save(datasets, flights()).schema_hash
    assert save(datasets, flights().assign(distance=1.0)).schema_hash == kept
    assert save(datasets, flights().assign(distance="far")).schema_hash != kept
    assert save(datasets, flights().drop(columns="cabin")).schema_hash != kept


@pytest.mark.parametrize("suffix", [".parquet", ".json"])
def test_a_snapshot_that_was_changed_is_refused(datasets: Datasets, tmp_path: Path, suffix: str) -> None:
    ref = save(datasets, flights())
    path = tmp_path / "snapshots" / "m" / f"{ref.version}{suffix}"
    other = save(datasets, flights().assign(late=True))
    path.write_bytes((tmp_path / "snapshots" / "m" / f"{other.version}{suffix}").read_bytes())
    with pytest.raises(DataRefused, match=rf"snapshot {ref.version[:12]} at .* was changed after"):
        datasets.load(ref, "train")


def test_a_snapshot_that_is_gone_is_refused_and_named(datasets: Datasets, tmp_path: Path) -> None:
    ref = save(datasets, flights())
    (tmp_path / "snapshots" / "m" / f"{ref.version}.parquet").unlink()
    with pytest.raises(DataRefused, match=rf"{ref.version}.parquet is gone from the store"):
        datasets.load(ref, "all")


def test_a_version_does_not_vouch_for_another_object(datasets: Datasets) -> None:
    ref, other = save(datasets, flights()), save(datasets, flights(9))
    with pytest.raises(DataRefused, match="manifest is not the one that was saved"):
        datasets.load(replace(ref, uri=other.uri), "all")


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (flights().drop(columns="scheduled"), "no time column 'scheduled'; there are: id, carrier"),
        (flights().assign(scheduled="monday"), "'scheduled' holds string, not times"),
        (flights().assign(scheduled=pd.NaT), "10 of 10 rows have no 'scheduled'"),
        (flights().assign(mixed=[1, "a"] * 5), "column 'mixed' cannot be kept as Parquet"),
        (pd.concat([flights(), flights()[["id"]]], axis=1), "columns appear twice: id"),
    ],
    ids=["no time", "text time", "null times", "mixed", "twice"],
)
def test_a_frame_that_cannot_be_kept_is_refused_with_the_reason(
    datasets: Datasets, frame: pd.DataFrame, told: str
) -> None:
    with pytest.raises(DataRefused) as caught:
        save(datasets, frame)
    assert told in str(caught.value)


def test_any_frame_is_kept_under_a_key(datasets: Datasets) -> None:
    uri = datasets.save_frame("collected/m/window.parquet", flights(3))
    pd.testing.assert_frame_equal(datasets.load_frame(uri), flights(3), check_dtype=False)
    ref = save(datasets, flights())
    assert len(datasets.load_frame(ref.uri)) == 10


def test_some_columns_of_a_frame_are_read_without_the_others(datasets: Datasets) -> None:
    uri = datasets.save_frame("reports/some.parquet", flights(3))
    wanted = list(flights(3).columns[:2])
    assert datasets.load_frame(uri, columns=wanted).columns.tolist() == wanted
    with pytest.raises(DataRefused, match="'nothing'"):
        datasets.load_frame(uri, columns=["nothing"])


def test_a_frame_that_is_gone_or_damaged_is_refused(datasets: Datasets, tmp_path: Path) -> None:
    uri = datasets.save_frame("collected/m/window.parquet", flights(3))
    (tmp_path / "collected" / "m" / "window.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataRefused, match=r"window.parquet cannot be read as Parquet"):
        datasets.load_frame(uri)
    (tmp_path / "collected" / "m" / "window.parquet").unlink()
    with pytest.raises(DataRefused, match="gone from the store"):
        datasets.load_frame(uri)


def test_an_empty_frame_is_kept_with_its_columns(datasets: Datasets) -> None:
    ref = save(datasets, flights().iloc[:0])
    assert (ref.rows, ref.holdout_rows) == (0, 0)
    assert datasets.load(ref, "holdout").columns.tolist() == flights().columns.tolist()


PARTS = ["train", "holdout", "left_out", "train", "holdout", "train", "train", "train", "train", "holdout"]


def test_parts_that_are_said_go_before_the_time_and_no_reader_sees_how_they_are_kept(
    datasets: Datasets,
) -> None:
    ref = save(datasets, flights(), parts=PARTS)
    assert (ref.rows, ref.holdout_rows, ref.left_out_rows, ref.training_rows) == (10, 3, 1, 6)
    found = {part: datasets.load(ref, part) for part in ("all", "train", "holdout", "left_out")}
    assert {part: frame["id"].tolist() for part, frame in found.items()} == {
        "all": list(range(10)),
        "train": [0, 3, 5, 6, 7, 8],
        "holdout": [1, 4, 9],
        "left_out": [2],
    }
    columns = flights().columns.tolist()
    assert all(frame.columns.tolist() == columns for frame in found.values())
    assert datasets.load_frame(ref.uri).columns.tolist() == columns
    assert ref.schema_hash == save(datasets, flights()).schema_hash


def test_other_parts_are_another_version(datasets: Datasets) -> None:
    by_time = save(datasets, flights())
    said = save(datasets, flights(), parts=PARTS)
    other = save(datasets, flights(), parts=["train", *PARTS[:-1]])
    assert len({by_time.version, said.version, other.version}) == 3
    assert save(datasets, flights(), parts=PARTS) == said


def test_by_time_alone_nothing_is_left_out(datasets: Datasets) -> None:
    ref = save(datasets, flights())
    assert (ref.left_out_rows, ref.training_rows) == (0, 8)
    assert datasets.load(ref, "left_out").empty


def test_parts_must_be_as_many_as_the_rows_and_their_column_is_the_snapshots_own(datasets: Datasets) -> None:
    with pytest.raises(ValueError, match="3 parts do not fit 10 rows"):
        save(datasets, flights(), parts=PARTS[:3])
    with pytest.raises(DataRefused, match="'__part__' is a snapshot's own column"):
        save(datasets, flights().assign(__part__=1))
