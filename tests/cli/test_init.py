"""``airflow-mlops init``: files that lint, load, train and pass as they are; nothing is overwritten."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.cli.main import main
from airflow_mlops.config.load import load_model
from airflow_mlops.plan.compile import compile_plan

TASKS = ["binary_classification", "multiclass_classification", "regression", "ranking", "forecasting"]
PROGRAM = [sys.executable, "-m", "airflow_mlops"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_new_model_lints_and_plans_at_every_level_and_task(level: int, task: str, tmp_path: Path) -> None:
    made = run("init", "wine", "--level", str(level), "--task", task, "--folder", tmp_path)
    assert made.exit_code == 0, made.output
    checked = run("lint", tmp_path)
    assert (checked.exit_code, checked.stderr) == (0, "1 file, no problems\n")
    loaded = load_model(tmp_path / "dags" / "wine.yaml")
    assert (loaded.config.model, loaded.config.level, loaded.config.task) == ("wine", level, task)
    assert loaded.config.retraining.enabled is (level == 3)
    dags = {dag.dag_id for dag in compile_plan(loaded.config, loaded.digest).dags}
    assert dags == {"wine.train", "wine.deploy", "wine.rollback"} | ({"wine.monitor"} if level > 1 else set())
    assert loaded.config.preflight.tests == (("wine/tests",) if level > 1 else ())
    assert (tmp_path / "plugins" / "wine" / "tests" / "test_rows.py").is_file() is (level > 1)
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text())
        assert all(len(line) <= 110 for line in path.read_text().splitlines()), path


def test_the_files_are_listed_and_so_is_what_to_do_next(tmp_path: Path) -> None:
    made = run("init", "wine", "--folder", tmp_path)
    assert files(tmp_path) == [
        "dags/mlops.py",
        "dags/wine.yaml",
        "plugins/.airflowignore",
        "plugins/wine/__init__.py",
        "plugins/wine/data.py",
        "plugins/wine/model.py",
        "pytest.ini",
        "tests/test_wine.py",
    ]
    for name in files(tmp_path):
        assert f"wrote {tmp_path / name}\n" in made.output
    assert f"  airflow-mlops plan {tmp_path}/dags/wine.yaml\n" in made.output
    assert f"  pytest {tmp_path}/tests/test_wine.py\n" in made.output


def test_without_a_terminal_nothing_is_asked_and_the_level_is_1(tmp_path: Path) -> None:
    made = subprocess.run(
        [*PROGRAM, "init", "wine", "--folder", str(tmp_path)], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert made.returncode == 0
    config = load_model(tmp_path / "dags" / "wine.yaml").config
    assert (config.level, config.task) == (1, "binary_classification")


def test_on_a_terminal_it_asks_for_what_was_not_given(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "init", "wine", "--folder", str(tmp_path)], stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        os.write(ours, b"7\n2\n3\n")  # there is no level 7: it asks again
        output, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert "1  a person approves each model" in output
    config = load_model(tmp_path / "dags" / "wine.yaml").config
    assert (config.level, config.task) == (2, "regression")


@pytest.mark.parametrize("name", ["dags/wine.yaml", "plugins/wine/model.py", "tests/test_wine.py"])
def test_a_file_of_the_models_own_that_exists_ends_it_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    made = run("init", "wine", "--folder", tmp_path)
    assert made.exit_code == 1
    assert f"{path} is there already, and nothing was written" in made.stderr
    assert files(tmp_path) == [name]
    assert path.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    link = tmp_path / "dags" / "wine.yaml"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "elsewhere.yaml")
    assert run("init", "wine", "--folder", tmp_path).exit_code == 1
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_files_that_all_models_share_are_kept_and_a_second_model_stands_beside_the_first(
    tmp_path: Path,
) -> None:
    run("init", "wine", "--folder", tmp_path)
    loader = tmp_path / "dags" / "mlops.py"
    loader.write_text(loader.read_text() + "# mine\n")
    made = run("init", "cider", "--folder", tmp_path)
    assert made.exit_code == 0
    assert f"kept  {loader}\n" in made.output
    assert loader.read_text().endswith("# mine\n")
    assert run("lint", tmp_path).stderr == "2 files, no problems\n"
    assert f"  pytest {tmp_path}/tests/test_cider.py\n" in made.output


def test_a_project_with_pytest_settings_keeps_them_and_is_told_the_switch(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    made = run("init", "wine", "--folder", tmp_path)
    assert not (tmp_path / "pytest.ini").exists()
    assert f"  pytest --mlops-airflow {tmp_path}/tests/test_wine.py\n" in made.output


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Wine", "has the wrong form"),
        ("2wine", "has the wrong form"),
        ("../wine", "has the wrong form"),
        ("wine\n", "has the wrong form"),
        ("w" * 65, "has the wrong form"),
        ("class", "a word of Python's own"),
        ("json", "a module of Python's own"),
        ("pandas", "can be imported already"),
        ("airflow_mlops", "can be imported already"),
    ],
)
def test_a_name_that_cannot_be_a_models_and_a_packages_is_refused(
    name: str, why: str, tmp_path: Path
) -> None:
    made = run("init", name, "--folder", tmp_path)
    assert made.exit_code == 2
    assert why in made.stderr.replace("\n", " ")
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "dags").write_text("a file, not a folder")
    made = run("init", "wine", "--folder", tmp_path)
    assert made.exit_code == 1
    assert "cannot write" in made.stderr


@pytest.mark.slow
@pytest.mark.airflow
def test_the_generated_tests_pass_as_they_are(tmp_path: Path) -> None:
    """In a process of their own, with the settings that were written for them: each trains a model on a
    whole Airflow and MLflow."""
    for level, task in ((1, "forecasting"), (3, "binary_classification")):
        made = run("init", f"wine_{level}", "--level", str(level), "--task", task, "--folder", tmp_path)
        assert made.exit_code == 0, made.output
    outside = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests"],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "6 passed" in done.stdout
