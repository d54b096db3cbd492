"""YAML as text: values, places, traps and limits."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.config.problems import InvalidConfig, dotted, nearest
from airflow_mlops.config.source import MAX_BYTES, MAX_DEPTH, read_source


def problems(text: str) -> list[tuple[int, int, str, str]]:
    try:
        found = read_source(text, "x.yaml").problems
    except InvalidConfig as error:
        found = error.problems
    return [(one.line, one.column, one.key, f"{one.message}; {one.hint}") for one in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: true", True),
        ("a: False", False),
        ("a: 12", 12),
        ("a: -0", 0),
        ("a: 1e-3", 0.001),
        ("a: .5", 0.5),
        ("a: 2.", 2.0),
        ("a: 2013-01-01", "2013-01-01"),
        ("a: 2013-01-01 06:00:00", "2013-01-01 06:00:00"),
        ("a: 'no'", "no"),
        ('a: "0123"', "0123"),
        ("a: ~", None),
        ("a:", None),
        ("a: 3 months", "3 months"),
        ("a: 1.2.3", "1.2.3"),
        ("a: 192.168.0.1:5000", "192.168.0.1:5000"),
        ("a: ='x'", "='x'"),
        ("a: |\n  one\n  yes\n", "one\nyes\n"),
        ("a: [1, {b: 2}]", [1, {"b": 2}]),
        ("a: []", []),
        ("a: {y: 1, n: 2}", {"y": 1, "n": 2}),
        ("a: &x [1]\nb: *x", [1]),
    ],
)
def test_a_value_is_what_yaml_1_2_says_and_dates_stay_text(text: str, value: Any) -> None:
    document = read_source(text, "x.yaml")
    assert not document.problems
    assert document.root.value["a"] == value
    assert type(document.root.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "fragment"),
    [
        ("a: yes", 1, 4, "a", "write true or false"),
        ("a:\n  - Off", 2, 5, "a[0]", "'Off' is true or false to some YAML readers"),
        ("a: {b: n}", 1, 8, "a.b", "'n' is true or false"),
        (
            "on: 1",
            1,
            1,
            "on",
            "the key 'on' is true or false to some YAML readers and text to others; quote it",
        ),
        ("a: 1:30", 1, 4, "a", "base 60"),
        ("a: 0123", 1, 4, "a", "octal"),
        ("a: 0x1F", 1, 4, "a", "base 10"),
        ("a: 0o17", 1, 4, "a", "base 10"),
        ("a: 1_000", 1, 4, "a", "underscores"),
        ("a: .inf", 1, 4, "a", "finite"),
        ("a: .NaN", 1, 4, "a", "finite"),
        ("a: 1e999", 1, 4, "a", "too large"),
        ("1: a", 1, 1, "1", "the key '1' is not text; quote it"),
        ("a: !!python/name:os.system x", 1, 4, "a", "the tag !!python/name:os.system is not read"),
        ("a: !Sub x", 1, 4, "a", "the tag !Sub is not read"),
        ("a: !!set {b, c}", 1, 4, "a", "the tag !!set"),
        ("a: 1\nb: 2\na: 3", 3, 1, "a", "the key is given twice, first in line 1"),
        ("a:\n  b: 1\n  'b': 2", 3, 3, "a.b", "first in line 2"),
        ("x: &x {a: 1}\nz:\n  <<: *x", 3, 3, "z.<<", "is a merge key"),
    ],
)
def test_what_two_readers_would_read_differently_is_refused_where_it_stands(
    text: str, line: int, column: int, key: str, fragment: str
) -> None:
    [found] = problems(text)
    assert found[:3] == (line, column, key)
    assert fragment in found[3]


@pytest.mark.parametrize(
    ("text", "line", "column", "fragment"),
    [
        ("", 1, 1, "the file is empty"),
        ("# only a comment\n", 1, 1, "the file is empty"),
        ("- a\n- b", 1, 1, "not a mapping"),
        ("just text", 1, 1, "not a mapping"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document"),
        ("a:\n\tb: 1", 2, 1, "a tab in the indentation; indent with spaces"),
        ("a:\n  \tb: 1", 2, 3, "a tab in the indentation"),
        ("a: 1\nb: \x07", 2, 4, "a control character"),
        ("a: [1, 2\nb: 3\n", 1, 4, "a [ is not closed"),
        ('a: 1\nb: "text\nc: 2\n', 2, 4, "a quote is not closed"),
        ("a: b: c", 1, 5, "quote text that holds ': '"),
        ("a: @x", 1, 4, "quote text that begins with @"),
        ("a: 1\n  b: 2\n", 2, 4, "check the indentation"),
        ("a: *nothing", 1, 4, "*nothing names no anchor"),
        ("a: &a [*a]", 1, 8, "inside its own anchor"),
        ("? [a]\n: 1", 1, 3, "a key must be text"),
        ("x: &x k\n*x : 1", 2, 1, "a key must be text, not an alias"),
    ],
)
def test_what_cannot_be_read_past_is_one_problem_with_its_place(
    text: str, line: int, column: int, fragment: str
) -> None:
    [found] = problems(text)
    assert found[:2] == (line, column)
    assert fragment in found[3]


def test_billion_laughs_are_counted_not_expanded() -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.perf_counter()
    [found] = problems("\n".join(lines))
    assert "aliases counted" in found[3]
    assert time.perf_counter() - started < 1


def test_nesting_is_bounded_however_it_is_reached() -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in problems("a: " + "[" * 100_000)[0][3]
    chain = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]
    assert f"nested deeper than {MAX_DEPTH} levels" in problems("\n".join(chain))[0][3]
    assert problems("a: " + "[" * 48 + "]" * 48) == []


def test_a_file_above_the_size_limit_is_refused_before_it_is_parsed() -> None:
    [found] = problems("# " + "x" * MAX_BYTES)
    assert f"larger than {MAX_BYTES} bytes" in found[3]


def test_problems_before_a_syntax_error_are_reported_with_it() -> None:
    found = problems("a: yes\nb: [1\n")
    assert [one[:2] for one in found] == [(1, 4), (2, 4)]


def test_columns_count_characters_and_a_bad_key_keeps_its_first_value() -> None:
    document = read_source("é: 'ü' # ö\nà: {ß: off}\na: 1\na: 2", "x.yaml")
    assert [(one.line, one.column) for one in document.problems] == [(2, 8), (4, 1)]
    assert document.root.value["a"] == 1


def test_every_key_and_value_knows_its_place_and_a_missing_one_its_parent() -> None:
    document = read_source("data:\n  features:\n    x: numeric\nrules:\n  - type: a\n", "x.yaml")
    assert document.key_place(("data", "features", "x")) == (3, 5)
    assert document.value_place(("data", "features", "x")) == (3, 8)
    assert document.key_place(("data", "label")) == (1, 1)
    assert document.key_place(("rules", 0, "metric")) == (5, 5)
    assert document.value_place(("rules", 0, "type")) == (5, 11)


def test_a_problem_prints_its_line_and_a_caret_below_the_character() -> None:
    [problem] = read_source("data:\n  window: {a: yes}\n", "configs/x.yaml").problems
    assert str(problem) == (
        "configs/x.yaml:2:15: data.window.a: 'yes' is true or false to some YAML readers and text to others; "
        "write true or false, or quote it if text is meant\n"
        "     2 |   window: {a: yes}\n"
        "       |               ^"
    )


def test_paths_and_nearest_names_read_as_people_write_them() -> None:
    assert dotted(("gates", "rules", 0, "metric")) == "gates.rules[0].metric"
    assert nearest("lenght", ["start", "length"]) == "did you mean 'length'?"
    assert nearest("apiversion", ["apiVersion"]) == "did you mean 'apiVersion'?"
    assert nearest("zzz", ["start"]) == ""


_scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9) | st.text()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(st.dictionaries(st.text(), _values, min_size=1))
def test_what_another_writer_quotes_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, allow_unicode=False, default_style='"', width=10_000)
    # default_style quotes every scalar and tags what is not text, which this reader refuses by design.
    if "!!" not in text:
        assert read_source(text, "x.yaml").root.value == value


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_crash(text: str) -> None:
    assert all(line >= 1 and column >= 1 for line, column, _, _ in problems(text))
