"""``airflow-mlops lint``, ``plan`` and ``schema``, as people call them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.cli.main import COMMANDS, main

MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(MINIMAL.replace("label:", "lable:").replace("model: wine", "model: cider"))
    return path


def test_a_good_file_is_silent_on_standard_output_and_ends_with_0(good: Path) -> None:
    result = run("lint", good)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 file, no problems\n"


def test_problems_are_listed_with_their_places_and_end_with_1(bad: Path, good: Path) -> None:
    result = run("lint", good.parent)
    assert result.exit_code == 1
    assert f"{bad}:11:3: data.lable: unknown key; did you mean 'label'?" in result.stdout
    assert result.stderr == "2 problems in 1 of 2 files\n"


def test_a_named_file_without_our_version_is_checked_and_a_folder_passes_it_over(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("a: 1\n")
    assert "apiVersion: missing" in run("lint", other).stdout
    result = run("lint", tmp_path)
    assert result.exit_code == 1
    assert "no file with apiVersion airflow-mlops/..." in result.stderr


def test_the_second_file_of_a_model_is_a_problem_at_its_name(good: Path) -> None:
    again = good.with_name("zz.yaml")
    again.write_text(MINIMAL)
    result = run("lint", good.parent)
    assert f"{again}:3:1: model: 'wine' is described in {good} already" in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize("arguments", [("lint",), ("lint", "/nowhere"), ("plan",), ("dance",)])
def test_a_wrong_call_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_plan_is_a_tree_of_dags_with_triggers_tasks_and_assets(good: Path) -> None:
    good.write_text(MINIMAL + "level: 2\n")
    result = run("plan", good)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[1] == "├── wine.train  runs by hand only"
    assert "│   │   └── sample_run  <- snapshot" in lines
    assert "│   ├── train  <- validate, preflight.contracts, preflight.sample_run" in lines
    assert "├── wine.deploy  runs when wine/challenger is updated" in lines
    assert lines[-1] == "    └── decide  <- data_quality, drift"
    assert "│   └── announce_champion  <- promote  => asset wine/champion" in lines


def test_the_plan_of_a_bad_file_is_its_problems(bad: Path) -> None:
    result = run("plan", bad)
    assert result.exit_code == 1
    assert "data.lable: unknown key" in result.stderr
    assert "Traceback" not in result.output


def test_the_schema_is_json_that_names_its_dialect() -> None:
    schema = json.loads(run("schema").output)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "gates" in schema["required"]


def test_the_schemas_file_is_where_its_path_says() -> None:
    path = Path(run("schema", "--path").output.strip())
    assert path.is_absolute()
    assert path.read_text(encoding="utf-8") == run("schema").output


@pytest.mark.parametrize(
    "call",
    [
        "lint wine.yaml",
        "lint wine.yaml --format sarif",
        "plan wine.yaml",
        "plan wine.yaml --format mermaid",
        "plan wine.yaml --diff HEAD",
        "show wine.yaml",
        "schema",
        "schema --path",
        "init cider --level 3 --folder begun",
        "--help",
    ],
)
def test_checking_a_file_imports_neither_airflow_nor_a_heavy_library_nor_the_models_code(
    tmp_path: Path, call: str
) -> None:
    (tmp_path / "spy.py").write_text("raise SystemExit('the training code was imported')")
    path = tmp_path / "wine.yaml"
    training = "callable: spy:train"
    path.write_text(MINIMAL.replace("estimator: sklearn.linear_model.LogisticRegression", training))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    me = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(
        ["git", *me, "commit", "--quiet", "--allow-empty", "-m", "first"], cwd=tmp_path, check=True
    )
    program = (
        "import sys\n"
        "from airflow_mlops.cli.main import main\n"
        f"main({call.split()!r}, standalone_mode=False)\n"
        "heavy = {'airflow', 'pandas', 'numpy', 'mlflow', 'sklearn', 'pyarrow', 'evidently',\n"
        "         'great_expectations', 'fastapi', 'spy'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr.replace("1 file, no problems\n", "")) == (0, "")


def test_help_lists_the_installed_commands_in_the_tables_order() -> None:
    output = run("--help").output
    places = [output.index(f"\n  {name} ") for name in COMMANDS if f"\n  {name} " in output]
    assert places == sorted(places)
    assert len(places) >= 4


def test_a_command_that_is_not_installed_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**COMMANDS, "ghost": ("airflow_mlops.cli.ghost:command", "Not there.")}
    monkeypatch.setattr("airflow_mlops.cli.main.COMMANDS", table)
    assert "ghost" not in run("--help").output
    assert run("ghost").exit_code == 2
