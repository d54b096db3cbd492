"""Texts that must have a shape: the whole text, and the same shape for whoever reads the schema."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from airflow_mlops.config.parts.base import ClassPath, ImportPath, Name, shown_pattern

READ = {"name": (Name, "flight_delay"), "function": (ImportPath, "a.b:c"), "class": (ClassPath, "a.B")}


@pytest.mark.parametrize(("kind", "text"), READ.values(), ids=READ)
@pytest.mark.parametrize("around", [("", "\n"), ("\n", ""), (" ", ""), ("", "\n\n"), ("", " x")])
def test_a_text_with_anything_around_it_is_refused(kind, text, around) -> None:
    adapter = TypeAdapter(kind)
    assert adapter.validate_python(text) == text
    with pytest.raises(ValidationError, match="should match pattern"):
        adapter.validate_python(text.join(around))


def test_schema_and_message_have_the_expression_as_it_was_written() -> None:
    pattern = TypeAdapter(Name).json_schema()["pattern"]
    assert pattern == "^[a-z][a-z0-9_]{0,63}$"
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Name).validate_python("Red-Wine")
    assert shown_pattern(refused.value.errors()[0]["ctx"]["pattern"]) == pattern
