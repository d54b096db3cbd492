"""Runs a model's own pytest files in a process of its own and reads what became of each test."""

from __future__ import annotations

import logging
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from airflow_mlops.backends.own_process import Ended, run_module
from airflow_mlops.core.raised import without_rows
from airflow_mlops.exceptions import ConfigError, MissingExtra, PreflightFailed

if TYPE_CHECKING:
    import pandas as pd

FOLDER_VARIABLE = "AIRFLOW_MLOPS_PREFLIGHT"
"""Where the fixtures of ``airflow_mlops.testing`` find what the tests are handed."""
CONFIG_FILE, SAMPLE_FILE = "config.json", "sample.parquet"

_WHERE = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):", re.MULTILINE)
_NONE_COLLECTED = 5
_NOT_STARTED = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test. ``told`` is the line that failed or why it was skipped, ``details`` pytest's
    own account of a failure."""

    __test__ = False

    id: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float = 0.0
    told: str = ""
    details: str = ""

    def __str__(self) -> str:
        return f"{self.id}: {self.told}" if self.told else self.id


@dataclass(frozen=True, slots=True)
class TestRun:
    """All results in their order, pytest's own output and its JUnit XML."""

    __test__ = False

    results: tuple[TestResult, ...]
    output: str
    junit: bytes

    def of(self, outcome: str) -> list[TestResult]:
        """The results that ended so."""
        return [result for result in self.results if result.outcome == outcome]


def run_model_tests(
    tests: Sequence[str], *, config_json: str, sample: pd.DataFrame, timeout_seconds: float
) -> TestRun:
    """Run the folders and files of tests with this Python.

    Raises ``ConfigError`` where a path leads to nothing, ``PreflightFailed`` where the time is up or pytest
    cannot run them at all; a test that fails is a result.
    """
    import importlib.util

    from airflow_mlops.backends import parquet_bytes

    if importlib.util.find_spec("pytest") is None:
        raise MissingExtra("pytest", "testing")
    found = [_found(path) for path in tests]
    with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as parent:
        folder = Path(parent)
        (folder / CONFIG_FILE).write_text(config_json)
        (folder / SAMPLE_FILE).write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(sample)))
        junit = folder / "junit.xml"
        ended = run_module(
            "pytest",
            # Nothing is written beside the tests: a versioned bundle is refused once its files have changed.
            [*map(str, found), *_OPTIONS, f"--junitxml={junit}", "-o", f"cache_dir={folder / 'cache'}"],
            timeout_seconds=timeout_seconds,
            environment={FOLDER_VARIABLE: str(folder), **_NOT_HANDED_ON},
            folder=_root_of(found[0], tests[0]),
        )
        body = junit.read_bytes() if junit.is_file() else b""
    if ended.code is None:
        raise PreflightFailed(_late(ended, timeout_seconds))
    results = tuple(_results(body)) if body else ()
    if not results and ended.code not in (0, _NONE_COLLECTED):
        if ended.code == _NOT_STARTED:
            said = f":\n{_last(ended.output, 15)}"
        else:  # they may have had the sample before them
            _log.warning("pytest said:\n%s", ended.output)
            said = "; the task's log has what it said"
        raise PreflightFailed(f"pytest could not run the model's tests (code {ended.code}){said}")
    return TestRun(results, ended.output, body)


# What steers another pytest, and what tells Airflow that it is inside a task.
_NOT_HANDED_ON = dict.fromkeys(("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "_AIRFLOW_PROCESS_CONTEXT"))
_OPTIONS = (
    "-o", "junit_family=xunit1", "--import-mode=importlib", "--tb=short", "--color=no", "-v",
)  # fmt: skip


def _found(path: str) -> Path:
    """A path of tests, where this Python looks for modules; the first folder that has it."""
    folders = [Path(folder) for folder in sys.path if folder]
    for folder in folders:
        if (folder / path).exists():
            return (folder / path).resolve()
    looked = "\n".join(f"  - {folder}" for folder in folders if folder.is_dir())
    raise ConfigError(
        f"preflight.tests: there is no {path!r} in any folder that Python imports from where this step runs. "
        f"Put it into Airflow's plugins/ folder, beside the training code. Looked in:\n{looked}"
    )


def _root_of(found: Path, path: str) -> Path:
    return found.parents[len(Path(path).parts) - 1]


def _late(ended: Ended, timeout_seconds: float) -> str:
    running = [line for line in ended.output.splitlines() if "::" in line]
    last = f"; the last one it began: {running[-1].partition(' ')[0]}" if running else ""
    return (
        f"the model's tests were not over within {timeout_seconds:g} seconds{last}. Make them faster, or "
        "make preflight.timeout longer"
    )


def _last(text: str, lines: int) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _results(junit: bytes) -> Iterable[TestResult]:
    tree = ElementTree.fromstring(junit)  # noqa: S314 - of the pytest that ran here, with our rights
    for case in tree.iter("testcase"):
        name, seconds = _id(case), float(case.get("time", 0))
        bad = case.find("failure")
        bad = case.find("error") if bad is None else bad
        skipped = case.find("skipped")
        if bad is not None:
            text = bad.text or ""
            yield TestResult(name, "failed", seconds, _told(bad.get("message", ""), text), text)
        elif skipped is not None and skipped.get("type") != "pytest.xfail":
            yield TestResult(name, "skipped", seconds, skipped.get("message", ""))
        else:
            yield TestResult(name, "passed", seconds)


def _id(case: ElementTree.Element) -> str:
    """``churn/tests/test_rows.py::TestRows::test_it``, as pytest takes it; for a file that cannot be imported
    its own path."""
    file, scope, name = case.get("file"), case.get("classname", ""), case.get("name", "")
    if file is None:
        return name.replace(".", "/") + ".py" if not scope else f"{scope}::{name}"
    module = file.removesuffix(".py").replace("/", ".")
    classes = scope.removeprefix(module).strip(".")
    return "::".join([file, *filter(None, classes.split(".")), name])


def _what(said: str, source: str) -> str:
    """The class of an error, and its words where they are the author's own or about code. What pytest adds to
    a bare ``assert``, and what a library says, may be of the sample's rows; the report has it all. ``source``
    is the line of the test's own that raised it."""
    kind, _, words = said.partition(": ")
    if _OF_PYTEST.match(said):
        return said
    if not _CLASS.fullmatch(kind):
        return "AssertionError" if said.startswith("assert") else "it failed"
    if kind in ("AssertionError", "Failed") and _BY_HAND.match(source) and not words.startswith("assert "):
        return said
    return without_rows(kind.rpartition(".")[2], words) or kind


_CLASS = re.compile(r"[A-Za-z_][\w.]*")
_INSTALLED = ("site-packages", "/lib/python3")
_BY_HAND = re.compile(r"assert\b|raise\b|pytest\.fail\(|fail\(|self\.fail\(")
_OF_PYTEST = re.compile(
    r"fixture '\w+' not found$|(SyntaxError|IndentationError): |ImportError: cannot import name '\w+'"
)


def _told(message: str, text: str) -> str:
    """The error in one line, with the last place of the test's own that it came through."""
    lines = text.splitlines()
    raised = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    said = raised[0] if raised else message.strip().partition("\n")[0]
    places = list(_WHERE.finditer(text))
    own = [place for place in places if not any(part in place["file"] for part in _INSTALLED)]
    if not own:
        return _what(said, "")
    place = own[-1]
    after = text[place.end() :].splitlines()
    source = after[1].strip() if len(after) > 1 and after[1].startswith("    ") else ""
    where = f"{place['file']}:{place['line']}"
    what = _what(said, source if place is places[-1] else "")
    return f"{what} ({where}: {source})" if source else f"{what} ({where})"
