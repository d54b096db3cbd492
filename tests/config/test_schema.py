"""The JSON Schema agrees with the loader on good and bad files, and explains every key."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.schema import EXAMPLES, SCHEMA_FILES, WHOLE_FILE, Language, json_schema, schema_text
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


def test_every_part_and_every_key_is_described_and_no_internal_name_leaks() -> None:
    schema = json_schema()
    for name, part in schema["$defs"].items():
        assert part.get("description"), name
    for name, part in [("", schema), *schema["$defs"].items()]:
        for key, field in part["properties"].items():
            # A `type` is one constant, which tells its part from the others.
            assert field.get("description") or "const" in field, f"{name}.{key}"
    assert "strict=False" not in str(schema)


def test_two_calls_give_equal_schemas() -> None:
    assert json_schema() == json_schema()


def test_every_example_of_a_key_is_good_to_the_schema() -> None:
    schema = json_schema()
    for name, examples in EXAMPLES.items():
        part = schema["$defs"][name] if name else schema
        assert set(examples) <= set(part["properties"]), name
        for key, values in examples.items():
            below = {**part["properties"][key], "$defs": schema["$defs"]}
            assert below["examples"] == list(values)
            for value in values:
                jsonschema.Draft202012Validator(below).validate(value)


def test_the_example_of_a_whole_file_is_good_to_the_schema_and_to_the_loader(tmp_path: Path) -> None:
    assert errors(WHOLE_FILE) == []
    path = tmp_path / "model.yaml"
    path.write_text(json.dumps(WHOLE_FILE))
    assert load_model(path).config.model == WHOLE_FILE["model"]


@pytest.mark.parametrize("language", SCHEMA_FILES)
def test_the_shipped_file_is_what_the_types_say(language: Language) -> None:
    shipped = SCHEMA_FILES[language].read_text(encoding="utf-8")
    assert shipped == schema_text(language), "the types have changed; run: make docs"


def test_a_reference_may_stand_for_a_number_a_word_and_an_entry_of_a_list_but_not_for_the_name() -> None:
    value = json.loads(json.dumps(WHOLE_FILE))
    value["vars"] = {"rows": 500}
    value["data"]["minimum_rows"] = "${vars.rows}"
    value["data"]["window"]["length"] = "${vars.window}"
    value["evaluation"]["metrics"] = ["roc_auc", "${vars.metric}"]
    value["task"] = "${vars.task}"
    for approval in (True, "${vars.asks}", {"users": ["ada"], "four_eyes": True}):
        value["deploy"] = {"approval": approval}
        assert found(value, "model") == []
    value["data"]["minimum_rows"] = "many"
    value["model"] = "${vars.name}"
    assert len(found(value, "model")) == 2


def test_a_layer_gives_any_part_and_is_held_to_the_keys_all_the_same() -> None:
    layer = {
        "apiVersion": "airflow-mlops/v1",
        "data": {"source": {"params": {"airport": "JFK"}}},
        "gates": {"rules": [{"type": "threshold", "metric": "roc_auc", "minimum": 0.7}]},
        "vars": {"bucket": "/data"},
        "locked": ["deploy.approval"],
        "deploy": {"approval": True},
    }
    assert found(layer, "layer") == []
    assert found({**layer, "model": "wine"}, "layer")
    assert found({**layer, "deploy": {"aproval": True}}, "layer")
    assert found({key: one for key, one in layer.items() if key != "apiVersion"}, "layer")


def test_a_policy_is_held_to_its_keys() -> None:
    policy = {
        "apiVersion": "airflow-mlops/v1",
        "rules": [{"name": "owned", "key": "owner", "given": True, "when": {"level": [2, 3]}}],
    }
    assert found(policy, "policy") == []
    policy["rules"][0]["wen"] = {}
    assert found(policy, "policy")


def found(value: Any, language: Language) -> list[str]:
    schema = json.loads(SCHEMA_FILES[language].read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


def test_the_wheel_has_the_schema_and_every_other_file_of_the_package(tmp_path: Path) -> None:
    repository = Path(__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=repository, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        for file in SCHEMA_FILES.values():
            assert packed.read(f"airflow_mlops/config/{file.name}") == file.read_bytes()
        files = {str(path.relative_to(repository)) for path in (repository / "airflow_mlops").rglob("*.*")}
        assert {name for name in files if "__pycache__" not in name} <= set(packed.namelist())
