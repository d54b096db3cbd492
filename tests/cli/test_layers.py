"""The command line and layers: lint with each profile, explain where a setting came from, show, diff."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.cli.main import main

MODEL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
HEAD = "apiVersion: airflow-mlops/v1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with defaults, two profiles, a policy and a model in ``team/``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIRFLOW__MLOPS__PROFILE", raising=False)
    files = {
        "defaults.yaml": HEAD + "owner: growth\nvars: {rows: 300}\n",
        "profiles/dev.yaml": HEAD + "execution: {retries: 0}\n",
        "profiles/prod.yaml": HEAD + "execution: {retries: 5}\nvars: {rows: 900}\n",
        "policy.yaml": HEAD + "rules:\n"
        "  - {name: production retries, key: execution.retries, minimum: 3, when: {profile: [prod]}}\n",
        "team/wine.yaml": MODEL + "level: 2\nmonitor: {drift: {minimum_rows: '${vars.rows}'}}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_lint_counts_layers_and_finds_nothing_wrong(folder: Path) -> None:
    result = run("lint", ".")
    assert (result.exit_code, result.stderr) == (0, "5 files, no problems\n")


def test_lint_tries_every_profile_unless_one_is_named(folder: Path) -> None:
    profile = folder / "profiles" / "prod.yaml"
    profile.write_text(profile.read_text().replace("5", "1"))
    told = "profiles/prod.yaml:2:22: execution.retries: must be at least 3, by policy.yaml:3 (production"
    assert told in run("lint", "team").output
    assert run("lint", "team", "--profile", "dev").exit_code == 0
    assert told in run("lint", "team", "--profile", "prod").output


def test_lint_takes_the_profile_that_airflow_would_take(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLOPS__PROFILE", "nightly")
    assert "the profile 'nightly' is in force, and there is no" in run("lint", "team").output


def test_what_is_wrong_in_a_layer_is_told_once_for_all_its_models(folder: Path) -> None:
    (folder / "team" / "beer.yaml").write_text(MODEL.replace("model: wine", "model: beer"))
    (folder / "defaults.yaml").write_text(HEAD + "ownr: growth\n")
    result = run("lint", ".")
    assert result.output.count("defaults.yaml:2:1: ownr: unknown key; did you mean 'owner'?") == 1
    assert "1 problem in 1 of 6 files" in result.stderr


def test_a_layer_can_be_linted_alone(folder: Path) -> None:
    (folder / "profiles" / "dev.yaml").write_text(HEAD + "execution: [3]\nlocked: deploy\n")
    assert run("lint", "profiles/dev.yaml").output.startswith("profiles/dev.yaml:3:9: locked: must be a list")
    assert run("lint", "policy.yaml").exit_code == 0


def test_explain_names_for_each_setting_the_file_and_line_or_what_else_decided(folder: Path) -> None:
    result = run("plan", "team/wine.yaml", "--explain", "--profile", "prod")
    assert result.exit_code == 0, result.output
    told = {}
    for line in result.output.splitlines():
        setting, _, origin = line.partition("  ")
        told[setting] = origin.strip()
    assert told['owner: "growth"'] == "defaults.yaml:2"
    assert told["execution.retries: 5"] == "profiles/prod.yaml:2"
    assert told["deploy.automatic: true"] == "preset of level 2"
    assert told["gates.minimum_rows: 200"] == "default"
    variable = "(${vars.rows} of profiles/prod.yaml:3)"
    assert told["monitor.drift.minimum_rows: 900"] == f"team/wine.yaml:32 {variable}"
    assert told['data.features.colour: "categorical"'] == "team/wine.yaml:14"
    assert told["gates.rules[1].margin: 0.01"] == "team/wine.yaml:30"
    assert told['evaluation.metrics: ["roc_auc", "log_loss"]'] == "team/wine.yaml:22"


def test_explain_says_which_expectation_is_the_suites_and_which_the_files(folder: Path) -> None:
    suite = '{"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "colour"}}]}'
    (folder / "team" / "suite.json").write_text(suite)
    own = "    - {type: expect_column_to_exist, kwargs: {column: alcohol}}\n"
    text = f"{MODEL}validation:\n  suite: suite.json\n  expectations:\n{own}"
    (folder / "team" / "wine.yaml").write_text(text)
    lines = run("plan", "team/wine.yaml", "--explain").output.splitlines()
    origins = {line.split(":")[0]: line.split()[-1] for line in lines if ".kwargs.column" in line}
    assert origins["validation.expectations[0].kwargs.column"] == "team/suite.json"
    assert origins["validation.expectations[1].kwargs.column"] == "team/wine.yaml:34"


def test_show_gives_a_file_without_layers_that_becomes_the_same(folder: Path) -> None:
    shown = run("show", "team/wine.yaml", "--profile", "prod").output
    digest = next(line for line in shown.splitlines() if line.startswith("# digest"))
    alone = folder / "alone" / ".git"
    alone.mkdir(parents=True)
    (alone.parent / "wine.yaml").write_text(shown)
    again = run("show", "alone/wine.yaml").output
    assert digest in again.splitlines()


def test_a_diff_counts_the_layers_as_they_were_then(folder: Path) -> None:
    def git(*arguments: str) -> None:
        me = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *me, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "then")
    assert "the DAGs and settings are those of HEAD" in run("plan", "team/wine.yaml", "--diff", "HEAD").output
    (folder / "defaults.yaml").write_text(HEAD + "owner: platform\nvars: {rows: 300}\n")
    told = run("plan", "team/wine.yaml", "--diff", "HEAD").output
    assert '~ owner: "growth" -> "platform"' in told
    (folder / "defaults.yaml").unlink()
    assert "vars.rows" in run("plan", "team/wine.yaml", "--diff", "HEAD").stderr
