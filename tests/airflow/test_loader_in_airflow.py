"""The loader inside a real DAG processor, with its database."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from airflow_mlops.testing.airflow_home import environment, migrate

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

LOADER = Path(__file__).parents[2] / "dags" / "mlops.py"


@pytest.fixture
def home(tmp_path, request):
    """An Airflow of this test's own, with the loader in its DAGs folder."""
    home = tmp_path / "airflow"
    migrate(home, request.config.cache.mkdir("airflow-mlops"))
    shutil.copy(LOADER, home / "dags")
    return home


def airflow(home, *arguments, **variables):
    given = {**os.environ, **environment(home), **variables}
    return subprocess.run(
        [sys.executable, "-m", "airflow", *arguments], env=given, capture_output=True, text=True, timeout=120
    )


def parse(home, **variables):
    done = airflow(home, "dag-processor", "--num-runs", "1", **variables)
    assert done.returncode == 0, done.stderr[-4000:]


def ask(home, query):
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        return database.execute(query).fetchall()


def import_errors(home):
    return dict(ask(home, "select filename, stacktrace from import_error"))


def test_good_models_are_scheduled_and_each_broken_file_is_an_import_error_under_its_own_path(
    home, model_yaml, tmp_path
):
    model_yaml("rain", level=3, at="airflow/dags/rain.yaml")
    bad = model_yaml("snow", more="levle: 2\n", at="airflow/dags/winter/snow.yaml")
    line = bad.read_text().splitlines().index("levle: 2") + 1
    model_yaml("fog", at="configs/fog.yaml")
    outside = model_yaml("rain", at="configs/twice.yaml")

    parse(home, AIRFLOW__MLOPS__CONFIGS_FOLDER=str(tmp_path / "configs"))

    errors = import_errors(home)
    assert errors.keys() == {"winter/snow.yaml", str(outside)}
    assert f"{bad}:{line}:1: levle" in errors["winter/snow.yaml"]
    assert "model 'rain' is described in" in errors[str(outside)]
    good = {"rain.train", "rain.deploy", "rain.monitor", "fog.train", "fog.deploy"}
    assert set(ask(home, "select dag_id, is_stale, has_import_errors, relative_fileloc from dag")) == {
        (name, 0, 0, "mlops.py") for name in good
    }
    (data,) = ask(home, "select data from serialized_dag where dag_id = 'rain.train'")
    tasks = {task["__var"]["task_id"] for task in json.loads(data[0])["dag"]["tasks"]}
    assert {"preflight.sample_run", "announce_challenger"} <= tasks
    assert {name for (name,) in ask(home, "select name from asset_active")} == {
        "rain/challenger", "rain/champion", "rain/retrain", "fog/challenger", "fog/champion",
    }  # fmt: skip


def test_a_repaired_file_loses_its_import_error_and_its_model_appears(home, model_yaml):
    bad = model_yaml("snow", more="levle: 2\n", at="airflow/dags/snow.yaml")
    parse(home)
    assert import_errors(home).keys() == {"snow.yaml"}

    bad.write_text(bad.read_text().replace("levle: 2\n", ""))
    parse(home)

    assert import_errors(home) == {}
    assert ask(home, "select dag_id from dag order by 1") == [("snow.deploy",), ("snow.train",)]


def test_a_model_that_breaks_leaves_the_others_of_the_loader_alive(home, model_yaml):
    model_yaml("rain", at="airflow/dags/rain.yaml")
    snow = model_yaml("snow", at="airflow/dags/snow.yaml")
    parse(home)
    snow.write_text("apiVersion: airflow-mlops/v1\nmodel: [\n")

    parse(home)

    assert import_errors(home).keys() == {"snow.yaml"}
    alive = ask(home, "select dag_id from dag where not is_stale and dag_id like 'rain%'")
    assert len(alive) == 2


def test_commands_that_serialise_every_dag_do_not_stumble_over_a_broken_file(home, model_yaml):
    model_yaml("rain", at="airflow/dags/rain.yaml")
    model_yaml("snow", more="levle: 2\n", at="airflow/dags/snow.yaml")

    done = airflow(home, "dags", "reserialize")

    assert done.returncode == 0, done.stderr[-4000:]
    assert ask(home, "select dag_id from serialized_dag order by 1") == [("rain.deploy",), ("rain.train",)]
