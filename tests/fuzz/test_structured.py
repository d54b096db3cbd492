"""Files made from the JSON Schema with wrong parts, and text of any kind: the same must hold of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mlops.config.schema import WHOLE_FILE, json_schema
from airflow_mlops.config.site import Site

from . import seeds
from .checks import is_usable, loaded

pytestmark = pytest.mark.slow
EXAMPLES = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

SCHEMA: dict[str, Any] = json_schema()
WORDS = st.sampled_from(
    ("2024-01-01", "3 months", "@daily", "UTC", "a.b:c", "acme.x.Y", "${model}", "${vars.x}", "roc_auc", "x")
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**39), 10**39)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | WORDS,
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5) | WORDS, one, max_size=3),
    max_leaves=6,
)


def fitting(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema's shape, one in twelve of any other."""
    return st.integers(0, 11).flatmap(lambda roll: ANYTHING if roll == 0 else shaped(schema, depth))


def shaped(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return shaped(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], depth)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return st.one_of([fitting(one, depth + 1) for one in schema[several]])
    match schema.get("type"):
        case "object" if "properties" in schema:
            required = set(schema.get("required", ()))
            parts = {name: fitting(one, depth + 1) for name, one in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: part for name, part in parts.items() if name in required},
                optional={name: part for name, part in parts.items() if name not in required},
            )
        case "object":
            inside = schema.get("additionalProperties")
            values = fitting(inside, depth + 1) if isinstance(inside, dict) else ANYTHING
            return st.dictionaries(WORDS, values, max_size=4)
        case "array":
            return st.lists(fitting(schema.get("items", {}), depth + 1), max_size=4)
        case "integer":
            return st.integers(0, 500)
        case "number":
            return st.floats(0, 1) | st.integers(0, 1000)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "string":
            return st.sampled_from(schema.get("examples", ["x"])) | WORDS
    return ANYTHING


def holds(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    model = loaded(path, Site(), {str(path): text})
    if model is not None:
        (path.parent / "shown").mkdir(exist_ok=True)
        is_usable(model, path.parent / "shown" / path.name, _write)


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("structured") / "model.yaml"


def test_any_text_is_refused_at_a_place(path: Path) -> None:
    @EXAMPLES
    @given(st.text(max_size=200) | st.text("ab:-[]{}&*!|>#'\\\"%@`,? \n\t", max_size=60))
    def any_text(text: str) -> None:
        holds(path, text)
        holds(path, seeds.REPOSITORY.joinpath("tests/config/minimal.yaml").read_text() + text)

    any_text()


def test_values_of_any_kind_in_the_schemas_shape_have_their_place(path: Path) -> None:
    @EXAMPLES
    @given(fitting(SCHEMA))
    def any_values(value: Any) -> None:
        holds(path, json.dumps(value))

    any_values()


def test_any_value_in_one_place_of_a_good_file_has_its_place(path: Path) -> None:
    """In JSON, which is what was drawn; the rest is good, so that the last checks are reached."""
    places = list(_places(dict(WHOLE_FILE), ()))

    @EXAMPLES
    @given(st.data())
    def one_place(data: st.DataObject) -> None:
        value = json.loads(json.dumps(WHOLE_FILE))
        at = data.draw(st.sampled_from(places))
        inside = value
        for part in at[:-1]:
            inside = inside[part]
        inside[at[-1]] = data.draw(ANYTHING)
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from(sorted(SCHEMA["properties"])))
            value[name] = data.draw(fitting(SCHEMA["properties"][name]))
        indent, escaped = data.draw(st.sampled_from([None, 1])), data.draw(st.booleans())
        holds(path, json.dumps(value, indent=indent, ensure_ascii=escaped))

    one_place()


def _places(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        found += _places(one, (*path, key))
    return found
