"""What ``lint`` found, as people, programs, code scanners and GitHub read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from airflow_mlops import __version__
from airflow_mlops.config.problems import Problem
from airflow_mlops.core.identity import content_hash

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RULE = "invalid-config"


@dataclass(frozen=True, slots=True)
class Findings:
    """``files`` counts what was checked; none at all is a fault of its own, which ``summary`` tells."""

    files: int
    problems: tuple[Problem, ...]
    summary: str


def as_text(findings: Findings) -> str:
    """One problem after the other, each with its line and a caret. Nothing where all is well."""
    return "\n".join(str(problem) for problem in findings.problems)


def as_json(findings: Findings) -> str:
    """``line`` and ``column`` count from 1; both are 0 where the whole file is meant."""
    told = {
        "files": findings.files,
        "summary": findings.summary,
        "problems": [asdict(problem) for problem in findings.problems],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_sarif(findings: Findings) -> str:
    """SARIF 2.1.0 (OASIS), one run with one rule, for what GitHub and others call code scanning.

    A file that was not found leaves no result to hang a location on, so that is told as the run's own fault.
    """
    driver = {
        "name": "airflow-mlops lint",
        "version": __version__,
        "rules": [
            {
                "id": RULE,
                "shortDescription": {"text": "A model's YAML file is wrong"},
                "fullDescription": {"text": "The DAGs of this file cannot be made until it is mended."},
                "help": {
                    "text": "airflow-mlops schema describes every key, airflow-mlops lint each problem."
                },
                "defaultConfiguration": {"level": "error"},
            }
        ],
    }
    invocation: dict[str, Any] = {"executionSuccessful": findings.files > 0}
    if not findings.files:
        told = {"level": "error", "message": {"text": findings.summary}}
        invocation["toolConfigurationNotifications"] = [told]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [_result(problem) for problem in findings.problems],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(problem: Problem) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(problem.path)}}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column}
        if problem.snippet:
            place["region"]["snippet"] = {"text": problem.snippet}
    # The line is left out on purpose: a problem stays the same one when lines are put in above it.
    same = content_hash({"key": problem.key, "message": problem.message})
    return {
        "ruleId": RULE,
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": _said(problem)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"keyAndMessage/v1": same},
    }


def _uri(path: str) -> str:
    """Relative paths stay relative: a scanner takes them as below the repository's root."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix())


def as_github(findings: Findings) -> str:
    """Workflow commands, which GitHub Actions shows beside the lines of a pull request."""
    if not findings.files:
        return f"::error title=airflow-mlops lint::{_data(findings.summary)}"
    return "\n".join(_annotation(problem) for problem in findings.problems)


def _annotation(problem: Problem) -> str:
    where = {"file": problem.path}
    if problem.line:
        where |= {"line": str(problem.line), "col": str(problem.column)}
    properties = ",".join(f"{name}={_property(value)}" for name, value in where.items())
    return f"::error {properties},title=airflow-mlops lint::{_data(_said(problem))}"


def _data(text: str) -> str:
    """The escapes of GitHub's own toolkit: a line's end would end the command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _said(problem: Problem) -> str:
    said = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return f"{problem.key}: {said}" if problem.key else said


FORMATS: Mapping[str, Callable[[Findings], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
