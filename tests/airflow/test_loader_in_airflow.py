"""The loader, and models in Python, inside a real DAG processor, with its database."""

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
    assert "model: 'rain' is described in" in errors[str(outside)]
    good = {
        "rain.train",
        "rain.deploy",
        "rain.rollback",
        "rain.monitor",
        "fog.train",
        "fog.deploy",
        "fog.rollback",
    }
    assert set(ask(home, "select dag_id, is_stale, has_import_errors, relative_fileloc from dag")) == {
        (name, 0, 0, "mlops.py") for name in good
    }
    (data,) = ask(home, "select data from serialized_dag where dag_id = 'rain.train'")
    tasks = {task["__var"]["task_id"] for task in json.loads(data[0])["dag"]["tasks"]}
    assert {"preflight.sample_run", "announce_challenger"} <= tasks
    assert {name for (name,) in ask(home, "select name from asset_active")} == {
        "rain/challenger", "rain/champion", "rain/drift", "rain/decay", "rain/retrain", "fog/challenger",
        "fog/champion",
    }  # fmt: skip


# An Airflow as it may become: the error goes to the path of the Python file that holds the DAG.
CHANGED = """\
from airflow.dag_processing import processor

real = processor._serialize_dags


def _serialize_dags(bag, log):
    dags, errors = real(bag, log)
    return dags, {"mlops.py": text for text in errors.values()}


processor._serialize_dags = _serialize_dags
"""


def test_on_an_airflow_that_has_changed_a_broken_file_is_a_dag_until_it_is_mended(home, model_yaml):
    (home / "config").mkdir()
    (home / "config" / "airflow_local_settings.py").write_text(CHANGED)
    model_yaml("rain", at="airflow/dags/rain.yaml")
    bad = model_yaml("snow", more="levle: 2\n", at="airflow/dags/winter.yaml")
    parse(home)

    good = {("rain.train", 0), ("rain.deploy", 0), ("rain.rollback", 0)}
    assert set(ask(home, "select dag_id, is_stale from dag")) == {*good, ("snow.config_error", 0)}
    assert import_errors(home) == {}
    assert set(ask(home, "select name from dag_tag where dag_id = 'snow.config_error'")) == {
        ("config-error",),
        ("mlops",),
    }
    ((owners, description),) = ask(home, "select owners, description from dag where dag_id like 'snow%'")
    assert owners == "weather"
    assert "did you mean 'level'?" in description

    bad.write_text(bad.read_text().replace("levle: 2\n", ""))
    quickly = {
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "1",
        "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "0",
    }
    parse(home, **quickly)

    alive = set(ask(home, "select dag_id from dag where not is_stale"))
    assert alive == {
        ("rain.train",),
        ("rain.deploy",),
        ("rain.rollback",),
        ("snow.train",),
        ("snow.deploy",),
        ("snow.rollback",),
    }
    assert import_errors(home) == {}


RAIN = """\
from airflow_mlops import Model, build_dags  # an Airflow DAG file

globals().update(build_dags(Model(
    model="{name}",
    task="binary_classification",
    data={{
        "source": {{"type": "parquet", "path": "rain.parquet"}},
        "time_column": "day", "key": "station", "label": "rain", "features": {{"pressure": "numeric"}},
        "window": {{"length": "3 months"}}, "holdout": {{"{length}": "14 days"}},
    }},
    training={{"estimator": "sklearn.linear_model.LogisticRegression"}},
    evaluation={{"metrics": ["roc_auc"]}},
    gates={{"rules": [{{"type": "threshold", "metric": "roc_auc", "minimum": 0.6}}]}},
)))
"""


def test_models_in_python_are_scheduled_and_a_wrong_one_is_its_own_files_import_error(home, model_yaml):
    model_yaml("fog", at="airflow/dags/fog.yaml")
    (home / "dags" / "rain.py").write_text(RAIN.format(name="rain", length="length"))
    wrong = home / "dags" / "winter" / "snow.py"
    wrong.parent.mkdir()
    wrong.write_text(RAIN.format(name="snow", length="lenght"))
    shutil.copy(LOADER.with_name("example_python_model.py"), home / "dags")
    (home / "dags" / "policy.yaml").write_text(
        "apiVersion: airflow-mlops/v1\n"
        "rules: [{name: somebody answers, key: owner, given: true, when: {level: [3]}}]\n"
    )

    parse(home)

    (told,) = import_errors(home).items()
    assert told[0] == "winter/snow.py"
    assert f"{wrong}:9:55: data.holdout.lenght: unknown key; did you mean 'length'?" in told[1]
    assert f'File "{wrong}", line 3, in <module>' in told[1]
    sources = {
        "fog": "mlops.py",
        "rain": "rain.py",
        "example_mean_cells": "example_python_model.py",
        "example_worst_cells": "example_python_model.py",
    }
    assert set(ask(home, "select dag_id, is_stale, has_import_errors, relative_fileloc from dag")) == {
        (f"{model}.{role}", 0, 0, file)
        for model, file in sources.items()
        for role in ("train", "deploy", "rollback")
    }

    versions = ask(home, "select dag_id, id from dag_version")
    wrong.write_text(RAIN.format(name="snow", length="length"))
    parse(home)

    assert import_errors(home) == {}
    now = ask(home, "select dag_id, id from dag_version")
    assert {name for name, version in set(now) - set(versions)} == {
        "snow.train",
        "snow.deploy",
        "snow.rollback",
    }
