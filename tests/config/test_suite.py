"""A Great Expectations suite beside the YAML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
OWN = "validation:\n  suite: suite.json\n  expectations:\n    - type: expect_table_row_count_to_be_between\n"
NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "bottle"}}


def test_a_suite_comes_first_and_old_names_of_type_are_read(tmp_path: Path) -> None:
    old = {"expectation_type": "expect_column_to_exist", "kwargs": {"column": "bottle"}, "meta": {"x": 1}}
    (tmp_path / "suite.json").write_text(json.dumps({"name": "s", "expectations": [NOT_NULL, old]}))
    (tmp_path / "wine.yaml").write_text(MINIMAL + OWN)
    expectations = load_model(tmp_path / "wine.yaml").config.validation.expectations
    assert [item.type for item in expectations] == [
        "expect_column_values_to_not_be_null",
        "expect_column_to_exist",
        "expect_table_row_count_to_be_between",
    ]
    assert expectations[0].severity == "critical"
    assert expectations[0].kwargs == {"column": "bottle"}


def test_a_changed_suite_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "wine.yaml").write_text(MINIMAL + OWN)
    digests = set()
    for listed in ([], [NOT_NULL]):
        (tmp_path / "suite.json").write_text(json.dumps({"expectations": listed}))
        digests.add(load_model(tmp_path / "wine.yaml").digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("suite", "fragment"),
    [
        (None, "suite.json cannot be read: No such file"),
        ("{", "suite.json is not JSON"),
        ("[]", 'suite.json has no list "expectations"'),
        ('{"expectations": [1]}', "expectation 0 is not an object"),
        ('{"expectations": [{"type": "check_it"}]}', "expectation 0: type: String should match pattern"),
        ("[" * 100_000, "suite.json is not JSON"),
    ],
)
def test_a_suite_that_cannot_be_used_is_a_problem_at_its_name(
    tmp_path: Path, suite: str | None, fragment: str
) -> None:
    (tmp_path / "wine.yaml").write_text(MINIMAL + OWN)
    if suite is not None:
        (tmp_path / "suite.json").write_text(suite)
    with pytest.raises(InvalidConfig) as caught:
        load_model(tmp_path / "wine.yaml")
    [problem] = caught.value.problems
    assert (problem.line, problem.column, problem.key) == (32, 10, "validation.suite")
    assert fragment in problem.message


def test_an_expectation_of_a_suite_that_could_never_fail_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wine.yaml").write_text(MINIMAL.replace("colour: categorical", "colour: text") + OWN)
    (tmp_path / "suite.json").write_text(
        '{"expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "colour"}}]}'
    )
    with pytest.raises(InvalidConfig) as caught:
        load_model(tmp_path / "wine.yaml")
    assert "expectation 0: 'colour' is text, and a missing text is an empty one" in str(caught.value.problems)


@pytest.mark.parametrize("name", ["../suite.json", "/etc/hostname"])
def test_a_suite_outside_the_yamls_folder_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (tmp_path / "suite.json").write_text('{"expectations": []}')
    (folder / "wine.yaml").write_text(MINIMAL + f"validation: {{suite: {name}}}\n")
    with pytest.raises(InvalidConfig, match="must lie in the YAML's own folder"):
        load_model(folder / "wine.yaml")
