"""``airflow-mlops plan`` as a Mermaid chart, and as what changed since a git revision."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.cli.main import main
from airflow_mlops.config.load import load_model
from airflow_mlops.plan.compile import compile_plan

REPOSITORY = Path(__file__).parents[2]
MINIMAL = (REPOSITORY / "tests" / "config" / "minimal.yaml").read_text()
FILES = [REPOSITORY / "tests" / "config" / "minimal.yaml", *(REPOSITORY / "configs").glob("*.yaml")]


def plan(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["plan", *(str(argument) for argument in arguments)])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_chart_has_every_task_arrow_and_asset_and_names_nothing_else(path: Path) -> None:
    chart = plan(path, "--format", "mermaid").stdout
    loaded = load_model(path)
    dags = compile_plan(loaded.config, loaded.digest).dags
    assert chart.startswith("flowchart LR\n")
    assert chart.count("subgraph ") == len(re.findall(r"^ +end$", chart, re.MULTILINE))
    boxes = dict(re.findall(r'^ +(\w+)\["([^"\[\]]+)"\]$', chart, re.MULTILINE))
    assert sorted(boxes.values()) == sorted(task.task_id for dag in dags for task in dag.tasks)
    assets = dict(re.findall(r'^ +(asset\d+)\(\["([^"]+)"\]\)$', chart, re.MULTILINE))
    emitted = {task.emits for dag in dags for task in dag.tasks if task.emits}
    assert set(assets.values()) == emitted | {name for dag in dags for name in dag.trigger.assets}
    arrows = re.findall(r"^ +(\w+) --> (\w+)$", chart, re.MULTILINE)
    assert len(arrows) == sum(len(task.upstream) for dag in dags for task in dag.tasks)
    dotted = re.findall(r"^ +(\w+) -\.-> (\w+)$", chart, re.MULTILINE)
    assert {name for arrow in [*arrows, *dotted] for name in arrow} <= boxes.keys() | assets.keys()


def test_an_asset_leads_from_the_task_that_updates_it_to_the_dag_that_it_starts() -> None:
    chart = plan(REPOSITORY / "configs" / "flight_delay.yaml", "--format", "mermaid").stdout
    number = re.search(r'asset(\d+)\(\["flight_delay/challenger"\]\)', chart)
    assert number is not None
    assert f"train_announce_challenger -.-> asset{number[1]}\n" in chart
    assert f"asset{number[1]} -.-> deploy_take_challenger\n" in chart


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model in a git repository, below its top, committed once."""
    path = tmp_path / "team a" / "wine.yaml"
    path.parent.mkdir()
    path.write_text(MINIMAL)
    git(tmp_path, "init", "--quiet")
    commit(path)
    return path


def git(folder: Path, *arguments: str) -> None:
    me = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *me, *arguments], check=True, capture_output=True)


def commit(path: Path) -> None:
    git(path.parent, "add", ".")
    git(path.parent, "commit", "--quiet", "-m", "a change")


def test_a_comment_changes_nothing(file: Path) -> None:
    file.write_text("# new\n" + MINIMAL)
    result = plan(file, "--diff", "HEAD")
    assert result.exit_code == 0
    assert result.output == "wine: the DAGs and settings are those of HEAD\n"


def test_a_higher_level_shows_new_tasks_a_new_dag_and_the_settings_behind_them(file: Path) -> None:
    file.write_text(MINIMAL + "level: 2\ndeploy: {steps: [0.2, 0.5]}\n")
    lines = plan(file, "--diff", "HEAD").output.splitlines()
    assert lines == [
        "wine (HEAD -> working file)",
        "~ wine.train",
        "    ~ tags airflow, level 1, mlops, wine -> airflow, level 2, mlops, wine",
        "    ~ train: after validate -> validate, preflight.contracts, preflight.sample_run",
        "    + preflight.contracts  <- snapshot",
        "    + preflight.sample_run  <- snapshot",
        "~ wine.deploy",
        "    ~ runs by hand only -> when wine/challenger is updated",
        "    ~ tags airflow, level 1, mlops, wine -> airflow, level 2, mlops, wine",
        "    - approve  <- smoke_serve",
        "    ~ shadow: after approve -> smoke_serve",
        "    - canary.weight_10  <- shadow",
        "    ~ canary.weight_50: after canary.weight_10 -> canary.weight_20",
        '    ~ conclude: verdicts ["smoke_serve", "approve", "shadow", "canary.weight_10", '
        '"canary.weight_50"] -> ["smoke_serve", "shadow", "canary.weight_20", "canary.weight_50"]',
        '    ~ roll_back: verdicts ["smoke_serve", "approve", "shadow", "canary.weight_10", '
        '"canary.weight_50"] -> ["smoke_serve", "shadow", "canary.weight_20", "canary.weight_50"]',
        "    + canary.weight_20  <- shadow",
        "~ wine.rollback",
        "    ~ tags airflow, level 1, mlops, wine -> airflow, level 2, mlops, wine",
        "+ wine.monitor  runs by hand only",
        "    + collect",
        "    + data_quality  <- collect",
        "    + drift  <- collect",
        "    + announce_drift  <- data_quality, drift  => asset wine/drift",
        "    + decide  <- data_quality, drift",
        "settings",
        "    ~ level: 1 -> 2",
        '    ~ validation.upstream_faults.severity: "warning" -> "critical"',
        "    ~ preflight.enabled: false -> true",
        "    ~ deploy.automatic: false -> true",
        "    ~ deploy.approval: true -> false",
        "    ~ deploy.steps: null -> [0.2, 0.5]",
    ]


def test_a_schedule_shows_as_what_starts_the_dag(file: Path) -> None:
    file.write_text(MINIMAL + 'schedule: {cron: "@daily", start: 2024-01-01, catchup: true}\n')
    told = plan(file, "--diff", "HEAD").output
    assert "~ wine.train\n    ~ runs by hand only -> every day at 00:00 (UTC)\n" in told
    assert "    ~ start none -> 2024-01-01 00:00:00+00:00\n    ~ catchup false -> true\n" in told
    assert '    ~ schedule.cron: null -> "@daily"\n' in told


def test_a_rule_is_changed_in_its_place_and_one_put_in_first_moves_no_other(file: Path) -> None:
    file.write_text(MINIMAL.replace("minimum: 0.6", "minimum: 0.7"))
    assert "    ~ gates.rules[0].minimum: 0.6 -> 0.7\n" in plan(file, "--diff", "HEAD").output
    rule = "    - {type: threshold, metric: log_loss, maximum: 0.9}\n"
    file.write_text(MINIMAL.replace("  rules:\n", f"  rules:\n{rule}"))
    told = plan(file, "--diff", "HEAD").output.splitlines()
    assert [line for line in told if "gates.rules" in line] == [
        '    + gates.rules: {"type": "threshold", "metric": "log_loss", "maximum": 0.9, "decide_by": "value"}'
    ]


def test_a_file_that_did_not_exist_is_all_new(file: Path) -> None:
    new = file.with_name("cider.yaml")
    new.write_text(MINIMAL.replace("model: wine", "model: cider"))
    told = plan(new, "--diff", "HEAD").output
    assert told.startswith("cider (there is no such file at HEAD)\n+ cider.train  runs by hand only\n")
    assert '    + model: "cider"\n' in told


def test_a_renamed_model_has_all_new_dags(file: Path) -> None:
    file.write_text(MINIMAL.replace("model: wine", "model: cider"))
    told = plan(file, "--diff", "HEAD").output
    assert told.startswith("wine -> cider (HEAD -> working file)\n- wine.train")
    assert "\n+ cider.deploy" in told


def test_a_changed_suite_is_a_change_and_the_old_one_is_read_from_the_revision(file: Path) -> None:
    file.write_text(MINIMAL + "validation: {suite: checks/suite.json}\n")
    suite = file.parent / "checks" / "suite.json"
    suite.parent.mkdir()
    suite.write_text('{"expectations": []}')
    commit(file)
    suite.write_text('{"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}}]}')
    told = plan(file, "--diff", "HEAD").output
    assert '    + validation.expectations: {"type": "expect_column_to_exist"' in told


def test_a_file_that_was_wrong_then_shows_its_problems_under_the_revision(file: Path) -> None:
    file.write_text(MINIMAL.replace("label:", "lable:"))
    commit(file)
    file.write_text(MINIMAL)
    result = plan(file, "--diff", "HEAD")
    assert result.exit_code == 1
    assert f"HEAD:{file}:11:3: data.lable: unknown key" in result.stderr
    assert plan(file, "--diff", "HEAD~1").output == "wine: the DAGs and settings are those of HEAD~1\n"


def test_what_git_cannot_tell_is_an_error_that_says_why(file: Path, tmp_path_factory) -> None:
    result = plan(file, "--diff", "nonsense")
    assert result.exit_code == 1
    assert "'nonsense' is no revision of" in result.stderr
    outside = tmp_path_factory.mktemp("outside") / "wine.yaml"
    outside.write_text(MINIMAL)
    assert "lies in no git repository" in plan(outside, "--diff", "HEAD").stderr


def test_a_revision_is_never_an_option_of_git(file: Path) -> None:
    spoiled = file.parent / "spoiled"
    result = plan(file, f"--diff=--output={spoiled}")
    assert result.exit_code == 1
    assert "is no revision of" in result.stderr
    assert not spoiled.exists()


def test_a_chart_of_a_diff_is_a_wrong_call(file: Path) -> None:
    result = plan(file, "--format", "mermaid", "--diff", "HEAD")
    assert result.exit_code == 2
    assert "give one of them" in result.stderr
