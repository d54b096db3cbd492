"""The JSON Schema agrees with the loader on good and bad files, and explains every key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_mlops.config.schema import json_schema
from airflow_mlops.config.source import read_source

FILES = [Path(__file__).parent / "minimal.yaml", *(Path(__file__).parents[2] / "configs").glob("*.y*ml")]


def errors(value: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(json_schema()).iter_errors(value)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_good_file_is_good_to_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert errors(read_source(path.read_text(), str(path)).root.value) == []


def test_a_misspelt_key_and_a_bad_word_are_bad_to_the_schema() -> None:
    value = read_source(FILES[0].read_text(), "x").root.value
    value["data"]["lable"] = value["data"].pop("label")
    value["task"] = "guessing"
    told = "\n".join(errors(value))
    assert "'lable' was unexpected" in told
    assert "'guessing' is not one of" in told


def test_every_part_is_described_and_no_internal_name_leaks() -> None:
    schema = json_schema()
    for name, part in schema["$defs"].items():
        assert part.get("description"), name
    assert "strict=False" not in str(schema)


def test_two_calls_give_equal_schemas() -> None:
    assert json_schema() == json_schema()
