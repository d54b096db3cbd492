"""What holds of one data source alone: the user's function, and files that come and differ."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from airflow_mlops.backends.data_parquet import ParquetSource
from airflow_mlops.backends.data_python import PythonSource
from airflow_mlops.backends.inference_log import ALWAYS, ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, DataRefused, MlopsError

START = datetime(2025, 3, 1, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=2))


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def read_python(path: str, **params: object) -> pd.DataFrame:
    return PythonSource(path, params).read(WINDOW, time_column="at", columns=["at", "id"])


def test_the_function_is_told_the_window_and_its_params(plugins: Path) -> None:
    (plugins / "told.py").write_text(
        "import pandas\n"
        "def load(*, start, end, table):\n"
        "    return pandas.DataFrame({'at': [start], 'id': [f'{table} {start} {end}']})\n"
    )
    rows = read_python("told:load", table="flights")
    assert rows["id"].tolist() == ["flights 2025-03-01 00:00:00+00:00 2025-03-03 00:00:00+00:00"]


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        ("raise KeyError('distance')", DataRefused, "raised KeyError (at "),
        ("return None", DataRefused, "returned NoneType; return a pandas DataFrame"),
        ("yield [1, 2]", DataRefused, "returned list; return a pandas DataFrame"),
        ("yield from ()", DataRefused, "yielded nothing; yield an empty DataFrame with its columns"),
        ("yield from [] or {}[1]", DataRefused, "raised KeyError (at "),
        ("return [1, 2]", DataRefused, "returned list; return a pandas DataFrame"),
        ("raise ConnectionRefusedError('db:5432')", BackendUnavailable, "is the service behind it up?"),
        ("raise __import__('airflow_mlops.exceptions').exceptions.DataRefused('no')", DataRefused, "no"),
    ],
)
def test_what_the_function_does_wrong_is_told(
    plugins: Path, body: str, error: type[MlopsError], told: str
) -> None:
    name = f"wrong_{abs(hash(body))}"
    (plugins / f"{name}.py").write_text(f"def load(start, end):\n    {body}\n")
    with pytest.raises(error) as caught:
        read_python(f"{name}:load")
    assert told in str(caught.value)
    assert caught.value.retry_can_help == (error is BackendUnavailable)


def test_the_functions_own_error_is_kept_as_the_cause(plugins: Path) -> None:
    (plugins / "deep.py").write_text("def load(start, end):\n    return inner()\ndef inner():\n    1 / 0\n")
    with pytest.raises(DataRefused) as caught:
        read_python("deep:load")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_function_that_takes_other_params_is_told_with_the_call(plugins: Path) -> None:
    (plugins / "other.py").write_text("def load(start, end):\n    ...\n")
    with pytest.raises(DataRefused, match=r"other:load\(start, end, table\) raised TypeError: .*'table'"):
        read_python("other:load", table="x")


def test_a_function_that_is_not_there_is_told_by_its_path(plugins: Path) -> None:
    with pytest.raises(ConfigError, match="no_such_plugin:load"):
        read_python("no_such_plugin:load")


def rows(*days: int, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"at": [START + timedelta(days=day) for day in days], "id": days, **more})


def write(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("landed/a.parquet", [0]),
        ("landed/*.parquet", [0, 1]),
        ("landed", [0, 1, 2]),
        ("landed/**/*.parquet", [0, 1, 2]),
        ("landed/?.parquet", [0, 1]),
        ("landed/[!a].parquet", [1]),
        ("landed/[a-c].parquet", [0, 1]),
        ("landed/deep/*", [2]),
        ("land*/a.parquet", [0]),
        ("nowhere/*.parquet", []),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_path_is_a_file_a_folder_or_a_glob(
    tmp_path: Path, pattern: str, found: list[int], absolute: bool
) -> None:
    store = LocalStore(tmp_path / "_store")
    root = tmp_path / "_store" / "landed"
    write(root / "a.parquet", rows(0, day=0))
    write(root / "b.parquet", rows(0, day=1))
    write(root / "deep" / "c.parquet", rows(0, day=2))
    for name in (".d.parquet", "_e.parquet", "_spark/f.parquet"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"being written")
    path = str(tmp_path / "_store" / pattern) if absolute else pattern
    read = ParquetSource(path, store).read(WINDOW, time_column="at", columns=["at", "day"])
    assert sorted(read["day"]) == found


def test_labels_that_have_not_landed_are_an_empty_frame(tmp_path: Path) -> None:
    source = ParquetSource("labels/*.parquet", LocalStore(tmp_path))
    read = source.read(WINDOW, time_column="at", columns=["id", "at", "late"])
    assert read.columns.tolist() == ["id", "at", "late"]
    assert len(read) == 0


def test_a_path_out_of_the_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a key of the store"):
        ParquetSource("../secrets/*.parquet", LocalStore(tmp_path)).read(
            WINDOW, time_column="at", columns=["at"]
        )


def test_files_may_gain_columns_and_widen_numbers(tmp_path: Path) -> None:
    write(tmp_path / "landed" / "1.parquet", rows(0, n=1, text=None))
    write(tmp_path / "landed" / "2.parquet", rows(1, n=1.5, text="x", new=True))
    source = ParquetSource("landed", LocalStore(tmp_path))
    read = source.read(WINDOW, time_column="at", columns=["at", "n", "text", "new"])
    assert read["n"].tolist() == [1.0, 1.5]
    assert read["text"].isna().tolist() == [True, False]
    assert read["new"].isna().tolist() == [True, False]


def test_files_whose_columns_contradict_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "landed" / "1.parquet", rows(0, n=1))
    write(tmp_path / "landed" / "2.parquet", rows(1, n="one"))
    with pytest.raises(DataRefused, match=r"the files of landed do not fit together: .*n"):
        ParquetSource("landed", LocalStore(tmp_path)).read(WINDOW, time_column="at", columns=["at", "n"])


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    write(tmp_path / "landed" / "1.parquet", rows(0))
    whole = (tmp_path / "landed" / "1.parquet").read_bytes()
    (tmp_path / "landed" / "2.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataRefused, match=r"landed/2\.parquet is not a whole Parquet file"):
        ParquetSource("landed", LocalStore(tmp_path)).read(WINDOW, time_column="at", columns=["at", "id"])


def logged(*days: int, **features: object) -> pd.DataFrame:
    frame = rows(*days).rename(columns={"at": "event_time", "id": "request_id"})
    own = {"key": "k", "version": "3", "role": "champion", "prediction": 0.5}
    return frame.assign(received_at=frame["event_time"], error=None, **own, **features)


def test_the_log_is_read_by_event_time_with_the_features_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "inference" / "m" / "date=2025-03-01"
    write(folder / "2.parquet", logged(1, 2, distance=2.0, carrier="AA"))
    write(folder / "1.parquet", logged(0, 5, distance=1.0, carrier="DL"))
    (folder / ".3.parquet.tmp").write_bytes(b"being written")
    write(tmp_path / "inference" / "other" / "1.parquet", logged(0, distance=9.0))
    log = ParquetInferenceLog(LocalStore(tmp_path))
    read = log.read("m", WINDOW, columns=["distance"])
    assert read.columns.tolist() == [*ALWAYS, "distance"]
    assert read["distance"].tolist() == [1.0, 2.0]
    everything = log.read("m", WINDOW)
    assert {"carrier", "error", *ALWAYS} <= set(everything.columns)


def test_a_feature_that_only_a_later_version_has_is_null_before(tmp_path: Path) -> None:
    write(tmp_path / "inference" / "m" / "1.parquet", logged(0, distance=1.0))
    write(tmp_path / "inference" / "m" / "2.parquet", logged(1, distance=2.0, wind=7.0))
    log = ParquetInferenceLog(LocalStore(tmp_path))
    assert log.read("m", WINDOW, ["wind"])["wind"].isna().tolist() == [True, False]
    with pytest.raises(DataRefused, match="inference log of m has no column 'winds'"):
        log.read("m", WINDOW, ["winds"])


def test_a_feature_whose_kind_changed_outside_the_window_hinders_nobody(tmp_path: Path) -> None:
    write(tmp_path / "inference" / "m" / "1.parquet", logged(40, gate="B12"))
    write(tmp_path / "inference" / "m" / "2.parquet", logged(0, 1, gate=12.0))
    log = ParquetInferenceLog(LocalStore(tmp_path))
    assert log.read("m", WINDOW, ["gate"])["gate"].tolist() == [12.0, 12.0]
    write(tmp_path / "inference" / "m" / "3.parquet", logged(1, gate="B12"))
    with pytest.raises(DataRefused, match="do not fit together"):
        log.read("m", WINDOW, ["gate"])


def test_a_model_that_was_never_asked_has_an_empty_log(tmp_path: Path) -> None:
    read = ParquetInferenceLog(LocalStore(tmp_path)).read("m", WINDOW)
    assert len(read) == 0
    assert {*ALWAYS, "error"} <= set(read.columns)
    assert len(read[(read["role"] != "shadow") & read["error"].isna()]) == 0
