"""The two-line loader: which files are read, and what one broken file does to the others."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_mlops.exceptions import ConfigError
from airflow_mlops.factory import load as factory_load
from airflow_mlops.factory import load_dags

BAD = "levle: 2\n"


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch):
    """What is kept on disk has tests of its own."""
    monkeypatch.setenv("AIRFLOW__MLOPS__CACHE_FOLDER", "")


@pytest.fixture
def read_files(monkeypatch):
    """Every file whose configuration is read."""
    seen: list[str] = []
    real = factory_load.compile_file

    def spy(path, site):
        seen.append(path.name)
        return real(path, site)

    monkeypatch.setattr(factory_load, "compile_file", spy)
    return seen


@pytest.fixture
def load(tmp_path):
    """Run the loader as if it were ``mlops.py`` in the test's folder; its globals."""

    def run() -> dict:
        namespace: dict = {"__file__": str(tmp_path / "mlops.py")}
        load_dags(namespace)
        return namespace

    return run


def dags_in(namespace):
    return {value.dag_id for value in namespace.values() if isinstance(value, DAG)}


@pytest.fixture
def for_one_task(monkeypatch):
    def parse_for(dag_id):
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "train")

    return parse_for


def test_every_model_beside_and_below_the_loader_is_loaded(model_yaml, load):
    model_yaml("rain")
    model_yaml("snow", at="winter/snow.yml")
    model_yaml("fog", at="other/.hidden/fog.yaml")
    assert dags_in(load()) == {
        "rain.train",
        "rain.deploy",
        "rain.rollback",
        "snow.train",
        "snow.deploy",
        "snow.rollback",
    }


def test_yaml_of_others_is_left_alone(model_yaml, load, tmp_path):
    model_yaml("rain")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    (tmp_path / "deployment.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\n")
    assert dags_in(load()) == {"rain.train", "rain.deploy", "rain.rollback"}


@pytest.mark.parametrize("written", ["absolute", "relative"])
def test_the_configured_folder_is_read_as_well(model_yaml, load, monkeypatch, tmp_path, written):
    model_yaml("rain")
    folder = model_yaml("snow", at="../configs/snow.yaml").parent.resolve()
    monkeypatch.setenv(
        "AIRFLOW__MLOPS__CONFIGS_FOLDER", str(folder) if written == "absolute" else "../configs"
    )
    assert dags_in(load()) == {
        "rain.train",
        "rain.deploy",
        "rain.rollback",
        "snow.train",
        "snow.deploy",
        "snow.rollback",
    }


def test_a_configured_folder_that_is_not_there_is_told_and_hides_nothing(
    model_yaml, load, monkeypatch, caplog
):
    model_yaml("rain")
    monkeypatch.setenv("AIRFLOW__MLOPS__CONFIGS_FOLDER", "/no/such/folder")
    with caplog.at_level(logging.WARNING):
        assert dags_in(load()) == {"rain.train", "rain.deploy", "rain.rollback"}
    assert "/no/such/folder: no such folder" in caplog.text


def test_a_model_in_the_loaders_folder_and_the_configured_one_at_once_is_loaded_once(
    model_yaml, load, monkeypatch, tmp_path, caplog
):
    model_yaml("rain", at="configs/rain.yaml")
    monkeypatch.setenv("AIRFLOW__MLOPS__CONFIGS_FOLDER", str(tmp_path / "configs"))
    assert dags_in(load()) == {"rain.train", "rain.deploy", "rain.rollback"}
    assert "Skipped" not in caplog.text


def test_a_broken_file_is_skipped_with_line_column_and_hint_and_hides_no_other(model_yaml, load, caplog):
    model_yaml("rain")
    bad = model_yaml("snow", more=BAD)
    with caplog.at_level(logging.WARNING):
        assert dags_in(load()) == {"rain.train", "rain.deploy", "rain.rollback"}
    line = bad.read_text().splitlines().index(BAD.strip()) + 1
    assert f"{bad}:{line}:1: levle" in caplog.text
    assert "level" in caplog.text


def test_the_second_file_of_a_model_is_a_problem_that_names_the_first(model_yaml, load, caplog):
    first = model_yaml("rain", at="a.yaml")
    second = model_yaml("rain", level=2, at="b.yaml")
    with caplog.at_level(logging.WARNING):
        assert dags_in(load()) == {"rain.train", "rain.deploy", "rain.rollback"}
    assert f"Skipped {second}" in caplog.text
    assert f"{second}:2:1: model: 'rain' is described in {first} already" in caplog.text


def test_a_file_that_cannot_be_rendered_hides_no_other(model_yaml, load, monkeypatch, caplog):
    model_yaml("rain")
    model_yaml("snow")
    real = factory_load.render

    def render(plan, config, **options):
        if plan.model == "snow":
            raise RuntimeError("boom")
        return real(plan, config, **options)

    monkeypatch.setattr(factory_load, "render", render)
    assert dags_in(load()) == {"rain.train", "rain.deploy", "rain.rollback"}
    assert "snow.yaml: cannot be rendered: RuntimeError: boom" in caplog.text


def test_a_parse_for_one_task_reads_one_file_and_draws_one_dag(model_yaml, load, for_one_task, read_files):
    for name in ("fog", "rain", "snow"):
        model_yaml(name, level=3)
    for_one_task("rain.deploy")
    assert dags_in(load()) == {"rain.deploy"}
    assert read_files == ["rain.yaml"]


@pytest.mark.parametrize("line", ["model: rain", "model: 'rain'  # wet", '"model": rain'])
def test_a_parse_for_one_task_finds_a_file_of_another_name(model_yaml, load, for_one_task, read_files, line):
    model_yaml("fog")
    path = model_yaml("rain", at="forecast.yaml")
    path.write_text(path.read_text().replace("model: rain", line))
    for_one_task("rain.train")
    assert dags_in(load()) == {"rain.train"}
    assert read_files == ["forecast.yaml"]


def test_a_parse_for_one_task_is_not_led_astray_by_a_file_named_after_the_model(
    model_yaml, load, for_one_task
):
    model_yaml("snow", at="rain.yaml")
    model_yaml("rain", at="snow.yaml")
    for_one_task("rain.train")
    assert dags_in(load()) == {"rain.train"}


def test_a_parse_for_one_task_passes_over_a_file_of_that_name_that_is_ignored(
    model_yaml, load, for_one_task, tmp_path
):
    model_yaml("rain", level=3)
    model_yaml("rain", level=2, at="winter/forecast.yaml")
    (tmp_path / ".airflowignore").write_text("/rain.yaml\n")
    for_one_task("rain.train")
    (dag,) = load_dags({"__file__": str(tmp_path / "mlops.py")}).dags.values()
    assert "level 2" in dag.tags


def test_a_parse_for_one_task_is_not_disturbed_by_other_broken_files(model_yaml, load, for_one_task):
    model_yaml("rain")
    model_yaml("rainfall", more=BAD)
    model_yaml("snow", more=BAD)
    for_one_task("rain.train")
    assert dags_in(load()) == {"rain.train"}


def test_a_parse_for_a_task_of_a_broken_model_says_what_is_broken(model_yaml, load, for_one_task):
    model_yaml("rain", more=BAD)
    for_one_task("rain.train")
    with pytest.raises(ConfigError, match="levle"):
        load()


def test_a_command_that_asks_for_a_broken_models_dag_is_told_why_and_the_loader_does_not_fail(
    model_yaml, load, monkeypatch, caplog
):
    bad = model_yaml("rain", more=BAD)
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rain.train")  # and no task: `airflow tasks test`
    assert dags_in(load()) == set()
    assert f"Skipped rain.train: {bad}:" in caplog.text


def test_a_parse_for_somebody_elses_dag_loads_nothing(model_yaml, load, for_one_task):
    model_yaml("rain")
    for_one_task("hand_written")
    assert dags_in(load()) == set()


def test_the_loader_of_the_repository_is_found_by_airflows_safe_mode():
    from airflow.utils.file import might_contain_dag

    loader = Path(__file__).parents[2] / "dags" / "mlops.py"
    assert might_contain_dag(str(loader), safe_mode=True)
    assert len([line for line in loader.read_text().splitlines() if line]) == 2


EXAMPLES = {
    "cause_sensors": {
        *(f"{verb}_{what}" for verb in ("wait_for", "after") for what in ("drift", "decay", "rows", "age"))
    },
    "deploy_canary": {"canary", "promote", "announce"},
    "drift_watcher": {"take_causes", "open_a_ticket"},
    "hand_written": {"snapshot", "validate", "train", "evaluate", "gate", "register", "tell_the_team"},
    "label_arrival_sensor": {"wait_for_labels", "collect", "performance"},
    "model_version_sensor": {"wait_for_a_champion", "score_again"},
    "on_drift": {"take_causes", "tell_the_team"},
    "promote": {"take_challenger", "smoke_serve", "approve", "conclude", "promote", "undo"},
    "rollback": {"rollback", "tell_the_team"},
    "rollout_sensor": {"wait_for_the_end", "tell_the_team"},
    "shadow": {"take_challenger", "smoke_serve", "shadow", "undo", "tell_the_team"},
}
WOKEN = {
    "example_on_drift": ["flight_delay/drift", "flight_delay/decay"],
    "example_drift_watcher": ["flight_delay/drift_watched"],
    "example_label_arrival_sensor": "CronDataIntervalTimetable",
}


@pytest.mark.slow
def test_the_hand_written_examples_parse_without_extras_and_start_as_they_say():
    code = (
        "import json, pathlib, runpy, sys\n"
        "extras = {'pandas', 'numpy', 'sklearn', 'mlflow', 'evidently', 'great_expectations', 'fastapi'}\n"
        "found = {}\n"
        "for path in sys.argv[1:]:\n"
        "    dag = runpy.run_path(path)['dag']\n"
        "    woken = getattr(dag.schedule, 'objects', dag.schedule)\n"
        "    is_clock = woken and not hasattr(woken, '__iter__')\n"
        "    named = type(woken).__name__ if is_clock else woken and [one.name for one in woken]\n"
        "    told = [dag.dag_id, named, sorted(task.task_id for task in dag.tasks)]\n"
        "    found[pathlib.Path(path).stem] = [*told, sorted(extras & set(sys.modules))]\n"
        "print(json.dumps(found))"
    )
    folder = Path(__file__).parents[2] / "dags"
    files = sorted(set(folder.glob("example_*.py")) - {folder / "example_python_model.py"})
    # The one that asks a person last: Airflow's operator for that brings a library of the extras with it.
    files.sort(key=lambda path: path.stem == "example_promote")
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name.removeprefix("example_"): set(told[2]) for name, told in found.items()} == EXAMPLES
    for name, (dag_id, woken_by, _, extras) in found.items():
        assert (dag_id, woken_by) == (name, WOKEN.get(name))
        assert extras == [] or name == "example_promote"


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(model_yaml, load, was_on):
    model_yaml("rain")
    before = gc.get_freeze_count()
    try:
        (gc.enable if was_on else gc.disable)()
        load()
        assert gc.isenabled() is was_on
        assert gc.get_freeze_count() == before
    finally:
        gc.enable()
