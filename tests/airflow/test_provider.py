"""What Airflow makes of the package: its own schemas, its own command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.metadata import entry_points, metadata
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_mlops.get_provider_info import get_provider_info

RELEASE_ONLY = {"state", "source-date-epoch", "versions", "lifecycle"}


def schema(name: str) -> dict:
    return json.loads((Path(airflow.__file__).parent / name).read_text())


def test_the_provider_info_is_valid_and_named_as_the_distribution():
    info = get_provider_info()
    jsonschema.validate(info, schema("provider_info.schema.json"))
    strict = schema("provider.yaml.schema.json")
    strict["required"] = [name for name in strict["required"] if name not in RELEASE_ONLY]
    jsonschema.validate(info, strict)
    assert info["package-name"] == metadata("airflow-mlops")["Name"]


def test_every_class_that_is_named_exists_and_agrees():
    info = get_provider_info()
    for entry in info["connection-types"]:
        hook = _load(entry["hook-class-name"])
        assert (hook.conn_type, hook.hook_name) == (entry["connection-type"], entry["hook-name"])
    for path in info["extra-links"]:
        assert _load(path)().name


def _load(path: str):
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_the_plugin_loads_by_its_entry_point_without_a_warning():
    (point,) = [one for one in entry_points(group="airflow.plugins") if one.name == "airflow_mlops"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plugin = point.load()
    assert plugin.name == "airflow_mlops"


@pytest.mark.slow
@pytest.mark.airflow
def test_airflow_lists_the_provider_its_connection_types_its_links_and_its_store(tmp_path):
    def airflow_says(*command: str) -> str:
        environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "COLUMNS": "300"}
        environment.pop("AIRFLOW__MLOPS__STORE", None)
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "airflow-mlops" in airflow_says("providers", "list", "-o", "plain")
    behaviours = airflow_says("providers", "behaviours", "-o", "plain")
    assert "mlflow" in behaviours
    assert "mlops_gateway" in behaviours
    assert "airflow_mlops.operators.links.TrainingRunLink" in airflow_says(
        "providers", "links", "-o", "plain"
    )
    assert airflow_says("config", "get-value", "mlops", "store").strip().endswith(f"{tmp_path}/mlops")
