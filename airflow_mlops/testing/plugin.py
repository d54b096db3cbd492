"""The pytest plugin: fixtures to test a model's YAML, and DAGs that are made of it or by hand.

Nothing here imports Airflow before a fixture asks for it. Airflow reads its configuration when it is first
imported, so tests that import it at their top need the environment earlier than any fixture: say

    [pytest]
    mlops_airflow = true

(or ``pytest --mlops-airflow``) and the whole session, each worker of pytest-xdist for itself, gets a
throw-away ``AIRFLOW_HOME`` at its start. A database is made only if a test uses ``mlops_airflow_home``.

    def test_the_model_trains(mlops_load_model_dags, mlops_run_dag, mlops_store, mlops_mlflow_server):
        dags = mlops_load_model_dags("configs/flight_delay.yaml")
        run = mlops_run_dag(dags["flight_delay.train"])
        assert run.state == "success"
        assert run.events["flight_delay/challenger"]["version"] == "1"
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_mlops.testing.airflow_home import airflow_is_loaded, environment, migrate

if TYPE_CHECKING:
    import pandas as pd
    from airflow.sdk import DAG

    from airflow_mlops.config.models import ModelConfig
    from airflow_mlops.testing.runs import FinishedRun

_HOME = pytest.StashKey[Path]()
_BEFORE = pytest.StashKey[dict[str, str | None]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "Give the session a throw-away AIRFLOW_HOME before Airflow is imported."
    parser.addini("mlops_airflow", told, type="bool", default=False)
    group = parser.getgroup("airflow-mlops")
    group.addoption("--mlops-airflow", action="store_true", help=told)
    group.addoption("--mlops-model", metavar="YAML", help="The model that mlops_config gives.")
    group.addoption("--mlops-sample", metavar="PARQUET", help="The rows that mlops_sample gives.")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Before any conftest.py, which may import Airflow."""
    if "--mlops-airflow" in args or early_config.getini("mlops_airflow"):
        _isolate(early_config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (home := config.stash.get(_HOME, None)) is None:
        return
    for name, value in config.stash[_BEFORE].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    shutil.rmtree(home, ignore_errors=True)


def _isolate(config: pytest.Config) -> Path:
    home = Path(tempfile.mkdtemp(prefix="airflow-mlops-home-"))
    given = environment(home)
    config.stash[_HOME] = home
    config.stash[_BEFORE] = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    return home


@pytest.fixture(scope="session")
def mlops_airflow_home(request: pytest.FixtureRequest) -> Path:
    """A throw-away ``AIRFLOW_HOME`` of this session with a migrated SQLite database and an empty
    ``dags/``. The migrated database is kept in pytest's cache for the next session.
    """
    home = request.config.stash.get(_HOME, None)
    if home is None:
        if airflow_is_loaded():
            pytest.fail(
                "Airflow was imported before mlops_airflow_home could give it a home of its own. "
                "Put 'mlops_airflow = true' into your pytest configuration, or run pytest --mlops-airflow."
            )
        home = _isolate(request.config)
    cache = getattr(request.config, "cache", None)
    migrate(home, cache.mkdir("airflow-mlops") if cache is not None else home)
    return home


@pytest.fixture
def mlops_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store of this test's own, which ``[mlops] store`` points to."""
    store = tmp_path / "mlops-store"
    store.mkdir()
    monkeypatch.setenv("AIRFLOW__MLOPS__STORE", str(store))
    return store


@pytest.fixture(scope="session")
def mlops_mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real MLflow server of this session; the connection ``mlflow_default`` leads to it.
    Needs ``airflow-mlops[mlflow]``. Starting takes some six seconds.
    """
    from airflow_mlops.testing.mlflow_server import mlflow_server

    with (
        pytest.MonkeyPatch.context() as patch,
        mlflow_server(tmp_path_factory.mktemp("mlflow")) as url,
    ):
        port = url.rpartition(":")[2]
        patch.setenv(
            "AIRFLOW_CONN_MLFLOW_DEFAULT",
            f'{{"conn_type": "mlflow", "host": "127.0.0.1", "schema": "http", "port": {port}}}',
        )
        yield url


@pytest.fixture
def mlops_load_model_dags() -> Callable[[str | Path], dict[str, DAG]]:
    """``load(path)``: the DAGs of one YAML, or of every model's YAML below a folder, by their id.
    Raises ``ConfigError`` that shows every problem with its line and column.
    """

    def load(path: str | Path) -> dict[str, DAG]:
        from airflow_mlops.exceptions import ConfigError
        from airflow_mlops.factory import load_file, load_folders

        if Path(path).is_file():
            return load_file(Path(path))
        found = load_folders([Path(path)])
        if found.problems:
            raise ConfigError("\n".join(problem.message for problem in found.problems))
        return found.dags

    return load


@pytest.fixture
def mlops_run_dag(mlops_airflow_home: Path) -> Callable[..., FinishedRun]:
    """``run(dag, conf=..., logical_date=..., retries=0)``: run a DAG in this process to its end; the
    states of its tasks, what they returned, and the assets it announced. See ``testing.runs.run_dag``.
    """

    def run(dag: DAG, **options: Any) -> FinishedRun:
        from airflow_mlops.testing.runs import run_dag

        return run_dag(dag, home=mlops_airflow_home, **options)

    return run


@pytest.fixture(scope="session")
def mlops_config(request: pytest.FixtureRequest) -> ModelConfig:
    """The model's configuration, as the steps are handed it. In a preflight that of the run; by hand that of
    ``--mlops-model``, and without it the test is skipped.
    """
    from airflow_mlops.testing.preflight import handed_config

    return handed_config(request.config.getoption("--mlops-model"))


@pytest.fixture
def mlops_sample(request: pytest.FixtureRequest) -> pd.DataFrame:
    """A small sample of the training rows, with key, time, features and label; each test has its own copy.
    In a preflight it is of the run's snapshot; by hand that of ``--mlops-sample``, and without it the test
    is skipped.
    """
    from airflow_mlops.testing.preflight import handed_sample

    return handed_sample(request.config.getoption("--mlops-sample"))
