"""The quick reader gives what the careful one gives, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.quick import quick_value
from airflow_mlops.config.source import _Reader, read_source

CONFIGS = Path(__file__).parents[2] / "configs"
WORDS = ["yes", "On", "n", "~", "", "null", "true", "0123", "1_000", "1e3", ".5", "-", "1:30", "<<", "a", "é"]
PIECES = [*WORDS, "&x 1", "*x", "!!str a", "'q'", '"d"', "[1, b]", "{c: d}", "- 1", "# note", "|\n  text"]


def careful(text: str) -> tuple[object, list[str]]:
    reader = _Reader("x.yaml", tuple(text.splitlines()))
    try:
        return reader.read_text(text).value, [str(one) for one in reader.problems]
    except InvalidConfig as error:
        return None, [str(error)]


def same(text: str) -> None:
    quick = quick_value(text)
    if quick is not None:
        value, problems = careful(text)
        assert not problems
        assert repr(quick) == repr(value)  # 1, 1.0 and True are three things


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_read_quickly(path: Path) -> None:
    text = path.read_text()
    value, problems = careful(text)
    assert not problems
    assert quick_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: yes", "1: a", "on: 1", "a: 1\na: 2", "a: &x 1", "a: *x", "a: !!int '1'", "a: 1\n---\nb: 2",
        "a: [1", "? [a]\n: 1", "- a", "text", "", "a: 1e999", "a: << b\n<<: 1", "a: " + "[" * 60 + "]" * 60,
        "a: [" + "1, " * 30_000 + "1]",
    ],
)  # fmt: skip
def test_what_takes_a_careful_look_is_left_to_the_careful_reader(text: str) -> None:
    assert quick_value(text) is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "y", "'1'", "1", "on"]), st.sampled_from(PIECES))))
@settings(max_examples=400, deadline=None)
def test_no_file_of_odd_pieces_is_read_otherwise(lines: list[tuple[str, str]]) -> None:
    same("\n".join(f"{key}: {value}" for key, value in lines))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), _JSON, max_size=5), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_file_that_a_program_wrote_is_read_otherwise(value: dict[str, object], flow: bool) -> None:
    same(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True))


def test_places_are_there_when_they_are_asked_for() -> None:
    document = read_source("a: 1\nb:\n  - c: x\n", "x.yaml")
    assert document.value_place(("b", 0, "c")) == (3, 8)
    assert document.key_place(("b", 0, "c")) == (3, 5)
    assert document.has(("b", 0))
    assert not document.has(("b", 1))
    assert document.problem((3, 8), ("b", 0, "c"), "odd").snippet == "  - c: x"
