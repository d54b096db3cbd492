"""``airflow-mlops lint --format``: the same problems for people, programs, code scanners and GitHub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.cli.lint_formats import FORMATS, Findings, as_github, as_sarif
from airflow_mlops.cli.main import main
from airflow_mlops.config.problems import Problem

MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
# What SARIF 2.1.0 says of the objects used here: the properties it knows, and those it wants.
KNOWN: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"$schema", "version", "runs"}, {"version", "runs"}),
    "run": ({"tool", "columnKind", "invocations", "results"}, {"tool"}),
    "driver": ({"name", "version", "rules"}, {"name"}),
    "invocation": (
        {"executionSuccessful", "toolConfigurationNotifications"},
        {"executionSuccessful"},
    ),
    "result": (
        {"ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"},
        {"message"},
    ),
    "place": ({"artifactLocation", "region"}, set()),
    "region": ({"startLine", "startColumn", "snippet"}, set()),
}


def lint(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["lint", *(str(argument) for argument in arguments)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One good file and two bad ones; the working folder, so that paths are relative."""
    monkeypatch.chdir(tmp_path)
    Path("dags").mkdir()
    Path("dags/good.yaml").write_text(MINIMAL)
    bad = MINIMAL.replace("label:", "lable:").replace("model: wine", "model: cider")
    Path("dags/bad, really.yaml").write_text(bad)
    Path("dags/broken.yaml").write_text(MINIMAL + "level: [1\n")
    return tmp_path


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_tells_all_problems_of_all_files_and_ends_with_1(folder: Path, form: str) -> None:
    result = lint("dags", "--format", form)
    assert result.exit_code == 1
    assert result.stderr == "3 problems in 2 of 3 files\n"
    for said in ("data.lable: unknown key", "data.label: missing", "a [ is not closed"):
        assert said.rpartition(": ")[2] in result.stdout


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_ends_with_0_where_all_is_well(folder: Path, form: str) -> None:
    result = lint("dags/good.yaml", "--format", form)
    assert (result.exit_code, result.stderr) == (0, "1 file, no problems\n")
    assert "good.yaml" not in result.stdout


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_fails_where_there_is_no_file_of_ours(tmp_path: Path, form: str) -> None:
    result = lint(tmp_path, "--format", form)
    assert result.exit_code == 1
    assert "no file with apiVersion" in (result.stderr if form == "text" else result.stdout)


def test_json_has_the_place_the_key_the_message_and_the_hint_of_each(folder: Path) -> None:
    told = json.loads(lint("dags", "--format", "json").stdout)
    assert told["files"] == 3
    assert told["problems"][1] == {
        "path": "dags/bad, really.yaml",
        "line": 11,
        "column": 3,
        "key": "data.lable",
        "message": "unknown key",
        "hint": "did you mean 'label'?",
        "snippet": "  lable: is_good",
    }


def test_sarif_has_only_what_its_standard_knows_and_all_that_it_wants(folder: Path) -> None:
    log = json.loads(lint("dags", "--format", "sarif").stdout)
    run = log["runs"][0]
    _holds("log", log)
    assert log["version"] == "2.1.0"
    _holds("run", run)
    _holds("driver", run["tool"]["driver"])
    _holds("invocation", run["invocations"][0])
    assert run["invocations"][0]["executionSuccessful"] is True
    assert len(run["results"]) == 3
    for result in run["results"]:
        _holds("result", result)
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        _holds("place", place)
        _holds("region", place["region"])
        assert (folder / unquote(place["artifactLocation"]["uri"])).is_file()


def _holds(kind: str, given: dict[str, Any]) -> None:
    known, wanted = KNOWN[kind]
    assert wanted <= set(given) <= known, kind


def test_sarif_points_at_the_line_and_column(folder: Path) -> None:
    results = json.loads(lint("dags", "--format", "sarif").stdout)["runs"][0]["results"]
    told = next(one for one in results if "unknown key" in one["message"]["text"])
    assert told["message"]["text"] == "data.lable: unknown key; did you mean 'label'?"
    place = told["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "dags/bad%2C%20really.yaml"
    assert place["region"] == {"startLine": 11, "startColumn": 3, "snippet": {"text": "  lable: is_good"}}


def test_a_problem_keeps_its_fingerprint_when_lines_are_put_in_above_it(folder: Path) -> None:
    before = _fingerprints(lint("dags/bad, really.yaml", "--format", "sarif"))
    path = Path("dags/bad, really.yaml")
    path.write_text("# a comment\n\n" + path.read_text())
    assert _fingerprints(lint(path, "--format", "sarif")) == before
    assert len(set(before)) == 2


def _fingerprints(result: Result) -> list[str]:
    results = json.loads(result.stdout)["runs"][0]["results"]
    return sorted(one["partialFingerprints"]["keyAndMessage/v1"] for one in results)


def test_a_file_that_cannot_be_opened_has_no_line_and_an_absolute_path_is_a_uri(tmp_path: Path) -> None:
    found = Findings(1, (Problem(str(tmp_path / "ä.yaml"), 0, 0, "", "cannot be read"),), "1 problem")
    place = json.loads(as_sarif(found))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert "region" not in place
    uri = urlsplit(place["artifactLocation"]["uri"])
    assert (uri.scheme, unquote(uri.path)) == ("file", str(tmp_path / "ä.yaml"))
    assert as_github(found).startswith("::error file=")
    assert "line=" not in as_github(found)


def test_sarif_says_that_the_run_failed_where_there_is_no_file(tmp_path: Path) -> None:
    invocation = json.loads(lint(tmp_path, "--format", "sarif").stdout)["runs"][0]["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "no file with apiVersion" in invocation["toolConfigurationNotifications"][0]["message"]["text"]


def test_github_gets_one_command_a_problem_at_its_line(folder: Path) -> None:
    lines = lint("dags", "--format", "github").stdout.splitlines()
    assert len(lines) == 3
    assert (
        "::error file=dags/bad%2C really.yaml,line=11,col=3,title=airflow-mlops lint::"
        "data.lable: unknown key; did you mean 'label'?"
    ) in lines


def test_no_text_of_a_file_can_end_a_github_command_or_begin_another() -> None:
    evil = Problem("a:b,c%.yaml", 1, 1, "k", "50 %\n::set-output name=x::y\r")
    line = as_github(Findings(1, (evil,), ""))
    assert line == (
        "::error file=a%3Ab%2Cc%25.yaml,line=1,col=1,title=airflow-mlops lint::"
        "k: 50 %25%0A::set-output name=x::y%0D"
    )


def test_an_unknown_format_is_a_wrong_call(folder: Path) -> None:
    assert lint("dags", "--format", "xml").exit_code == 2
