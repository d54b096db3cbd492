"""Layers in Airflow: read below the loader's folder, with the profile and packages of its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_mlops.factory import Loaded, load_dags

HEAD = "apiVersion: airflow-mlops/v1\n"


@pytest.fixture
def load(tmp_path: Path):
    def run() -> Loaded:
        return load_dags({"__file__": str(tmp_path / "mlops.py")})

    return run


def owner(dag: DAG) -> str:
    return dag.tasks[0].owner


def test_defaults_of_the_loaders_folder_reach_the_folders_below_it(model_yaml, load, tmp_path) -> None:
    path = model_yaml("rain", at="team/rain.yaml")
    path.write_text(path.read_text().replace("owner: weather\n", ""))
    (tmp_path / "defaults.yaml").write_text(HEAD + "owner: everybody\n")
    found = load()
    assert set(found.dags) == {"rain.train", "rain.deploy", "rain.rollback"}
    assert owner(found.dags["rain.train"]) == "everybody"


def test_the_profile_is_the_one_of_airflows_configuration(model_yaml, load, tmp_path, monkeypatch) -> None:
    model_yaml("rain")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "prod.yaml").write_text(HEAD + "execution: {retries: 7}\n")
    assert load().dags["rain.train"].tasks[0].retries == 1
    monkeypatch.setenv("AIRFLOW__MLOPS__PROFILE", "prod")
    assert load().dags["rain.train"].tasks[0].retries == 7
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rain.train")
    assert load().dags["rain.train"].tasks[0].retries == 7


def test_packages_that_airflow_does_not_allow_are_refused(model_yaml, load, monkeypatch) -> None:
    model_yaml("rain")
    monkeypatch.setenv("AIRFLOW__MLOPS__ALLOWED_IMPORTS", "acme, other")
    (problem,) = load().problems
    assert "leads to a package that is not allowed; allowed are acme, other" in problem.message


def test_a_broken_layer_takes_its_models_down_and_is_told_under_its_own_path_once(
    model_yaml, load, tmp_path
) -> None:
    models = [model_yaml("rain", at="a/rain.yaml"), model_yaml("snow", at="a/snow.yaml")]
    model_yaml("fog", at="b/fog.yaml")
    layer = tmp_path / "a" / "defaults.yaml"
    layer.write_text(HEAD + "execution: {retires: 3}\n")
    found = load()
    assert set(found.dags) == {"fog.train", "fog.deploy", "fog.rollback"}
    assert [problem.path for problem in found.problems] == [*models, layer]
    assert all(f"{layer}:2:13: execution.retires: unknown key" in one.message for one in found.problems)


def test_a_model_that_a_policy_refuses_hides_no_other(model_yaml, load, tmp_path) -> None:
    model_yaml("rain", level=2)
    model_yaml("snow")
    rule = "{name: careful, key: deploy.automatic, equals: false, hint: ask first}"
    (tmp_path / "policy.yaml").write_text(f"{HEAD}rules:\n  - {rule}\n")
    found = load()
    assert set(found.dags) == {"snow.train", "snow.deploy", "snow.rollback"}
    (problem,) = found.problems
    assert "deploy.automatic: must be false, by" in problem.message
    assert "ask first" in problem.message


def test_layers_above_the_folder_that_airflow_reads_are_told_and_do_not_count(model_yaml, tmp_path) -> None:
    model_yaml("rain", at="dags/rain.yaml")
    (tmp_path / ".git").mkdir()
    above = tmp_path / "defaults.yaml"
    above.write_text(HEAD + "owner: everybody\n")
    found = load_dags({"__file__": str(tmp_path / "dags" / "mlops.py")})
    assert owner(found.dags["rain.train"]) == "weather"
    (problem,) = found.problems
    assert problem.path == above
    assert f"lies above {tmp_path / 'dags'}, the folder that Airflow reads" in problem.message


def test_airflows_ignore_files_are_honoured(model_yaml, load, tmp_path, monkeypatch) -> None:
    model_yaml("rain")
    model_yaml("snow", at="old/snow.yaml")
    (tmp_path / ".airflowignore").write_text("old/\n")
    assert set(load().dags) == {"rain.train", "rain.deploy", "rain.rollback"}
    monkeypatch.setenv("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", "regexp")
    (tmp_path / ".airflowignore").write_text("ra.n\n")
    assert set(load().dags) == {"snow.train", "snow.deploy", "snow.rollback"}


def test_a_link_out_of_the_folder_is_refused(model_yaml, load, tmp_path, tmp_path_factory) -> None:
    model_yaml("rain")
    outside = tmp_path_factory.mktemp("outside") / "snow.yaml"
    outside.write_text((tmp_path / "rain.yaml").read_text().replace("rain", "snow"))
    (tmp_path / "snow.yaml").symlink_to(outside)
    found = load()
    assert set(found.dags) == {"rain.train", "rain.deploy", "rain.rollback"}
    (problem,) = found.problems
    assert f"is a link to {outside}, outside of {tmp_path}; put the file itself there" in problem.message
