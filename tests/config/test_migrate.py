"""A file of an older apiVersion becomes one of the newest, and its author knows it again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlops.config.load import load_model
from airflow_mlops.config.migration.edits import Edit, Move, Rename, Replace
from airflow_mlops.config.migration.migrate import MIGRATIONS, Migrations, known_versions, migrate
from airflow_mlops.config.migration.rewrite import rewritten
from airflow_mlops.config.models import API_VERSION
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.source import read_source

OLD = "airflow-mlops/v1beta1"
TO_TASKS = Move(("retries",), ("tasks", "retries"))
TO_DEEP = Move(("old", "x"), ("new", "deep", "x"))


def edited(text: str, *edits: Edit) -> str:
    """The text after the edits, without the line of its version."""
    table: Migrations = {"v1": ("v2", edits)}
    out = migrate(f"apiVersion: v1\n{text}", "x.yaml", table).text
    assert out.startswith("apiVersion: v2\n")
    return out.removeprefix("apiVersion: v2\n")


def problems(text: str, *edits: Edit) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        edited(text, *edits)
    return [f"{one.line}:{one.column}: {one.key}: {one.message}; {one.hint}" for one in caught.value.problems]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "a: 1\n\n# How often.\nretries: 3  # three\n\nb: 'x'\n",
            "a: 1\n\ntasks:\n  # How often.\n  retries: 3  # three\n\nb: 'x'\n",
            id="where it stood, below a new parent",
        ),
        pytest.param(
            "retries: 3\ntasks:\n    queue: x # q\n    # pool: y\n\nb: 2\n",
            "tasks:\n    queue: x # q\n    # pool: y\n    retries: 3\n\nb: 2\n",
            id="to the end of a parent that is there, in its indentation",
        ),
        pytest.param(
            "retries: 3\ntasks:\nb: 2\n", "tasks:\n  retries: 3\nb: 2\n", id="below an empty parent"
        ),
        pytest.param(
            "tasks: ~ # t\nretries: 3\n", "tasks: # t\n  retries: 3\n", id="below a parent that is null"
        ),
        pytest.param("tasks: {}\nretries: 3\n", "tasks: {retries: 3}\n", id="into empty braces"),
        pytest.param(
            "tasks: {queue: x} # q\n# How often.\nretries: 3 # three\n",
            "# How often.\n# three\ntasks: {queue: x, retries: 3} # q\n",
            id="into braces, its comments above the line",
        ),
        pytest.param(
            "tasks: {}\nretries: a, b\n", 'tasks: {retries: "a, b"}\n', id="quoted where braces ask it"
        ),
        pytest.param(
            "retries: |  # text\n  one\n\n   two\n# end\nb: |+\n  x\n\n",
            "tasks:\n  retries: |  # text\n    one\n\n     two\n# end\nb: |+\n  x\n\n",
            id="a block of text",
        ),
        pytest.param(
            "retries: |+\n  x\n\n", "tasks:\n  retries: |+\n    x\n\n", id="a text that keeps its end"
        ),
        pytest.param(
            "n:\n    m: 1\nretries:\n- 1  # c\n# d\n- {a: 1,\n  b: 2}\n",
            "n:\n    m: 1\ntasks:\n    retries:\n    - 1  # c\n    # d\n    - {a: 1,\n      b: 2}\n",
            id="a list, in the indentation of the file",
        ),
        pytest.param(
            "retries: 'it''s\n\n  so'\n",
            "tasks:\n  retries: 'it''s\n\n    so'\n",
            id="a quoted text of several lines",
        ),
        pytest.param(
            "# yaml-language-server: $schema=x.json\nretries: 3\n",
            "# yaml-language-server: $schema=x.json\ntasks:\n  retries: 3\n",
            id="a line for the editor stays on its own",
        ),
        pytest.param(
            "a: 1\n  # of a\nretries: 3\n  # or 5\nb: 2\n",
            "a: 1\n  # of a\ntasks:\n  retries: 3\n    # or 5\nb: 2\n",
            id="comments below it that are indented go along, those of its neighbour do not",
        ),
        pytest.param(
            "tasks: {retries: 3}\n# c\nretries: 3 # d\n",
            "tasks: {retries: 3}\n# c\n# d\n",
            id="twice the same",
        ),
        pytest.param("retries: 3", "tasks:\n  retries: 3", id="no end of the last line"),
        pytest.param(
            "retries: 3\ntasks:\n  a: 1", "tasks:\n  a: 1\n  retries: 3", id="added below such a line"
        ),
        pytest.param("tasks:\n  a: 1\nretries: 3", "tasks:\n  a: 1\n  retries: 3", id="it was such a line"),
        pytest.param("retries: [&a 1, *a]\n", "tasks:\n  retries: [&a 1, *a]\n", id="an anchor of its own"),
        pytest.param(
            "b: &a 1\nretries: 3\nc: *a\n", "b: &a 1\ntasks:\n  retries: 3\nc: *a\n", id="others' anchors"
        ),
        pytest.param(
            "a: 'x\n\n# no comment'\nretries: 3\n",
            "a: 'x\n\n# no comment'\ntasks:\n  retries: 3\n",
            id="text that looks like a comment",
        ),
        pytest.param(
            "tasks:\n  a: 1\nb: 1\nretries: |+\n  x\n\n",
            "tasks:\n  a: 1\n  retries: |+\n    x\n\nb: 1\n",
            id="blank lines that are part of a text",
        ),
        pytest.param("b: 1\nnested: {retries: 3}\n", "b: 1\nnested: {retries: 3}\n", id="not given: nothing"),
    ],
)
def test_a_key_moves_with_its_value_and_comments_and_nothing_else_changes(before: str, after: str) -> None:
    assert edited(before, TO_TASKS) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("old:\n  x: 1\n  z: 2\n", "old:\n  z: 2\nnew:\n  deep:\n    x: 1\n"),
        (
            "# o\nold:  # beside\n  # loose\n\n  # of x\n  x: 1  # one\n  # tail\nb: 1\n",
            "# o\n# beside\n# loose\n# tail\nb: 1\nnew:\n  deep:\n    # of x\n    x: 1  # one\n",
        ),
        ("old: {x: 1}  # c\nb: 1\n", "# c\nb: 1\nnew:\n  deep:\n    x: 1\n"),
        ("old: {y: 2, x: 1}\nnew: {a: 1}\n", "old: {y: 2}\nnew: {a: 1, deep: {x: 1}}\n"),
        ("old: {\n  # of x\n  x: 1, # one\n  y: 2 # two\n}\nnew:\n    deep:\n        a: 1\n",
         "old: {\n  y: 2 # two\n}\nnew:\n    deep:\n        a: 1\n        # of x\n        x: 1  # one\n"),
        ("new:\n  deep:\n    a: 1\n  b: 2\nold:\n  y: 2\n  x:\n    - 1\n    - 2\n",
         "new:\n  deep:\n    a: 1\n    x:\n      - 1\n      - 2\n  b: 2\nold:\n  y: 2\n"),
    ],
)  # fmt: skip
def test_a_key_moves_between_mappings_and_one_left_empty_goes_but_not_its_comments(
    before: str, after: str
) -> None:
    assert edited(before, TO_DEEP) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{apiVersion: v1, retries: 3, b: 2}", "{apiVersion: v2, tasks: {retries: 3}, b: 2}"),
        ("{retries: 3, apiVersion: 'v1', tasks: {a: 1,}}", "{apiVersion: 'v2', tasks: {a: 1, retries: 3,}}"),
        (
            '{"apiVersion":"v1","tasks":{"a":1},"retries":3}',
            '{"apiVersion":"v2","tasks":{"a":1, "retries": 3}}',
        ),
        (
            "{\n  apiVersion: v1,\n  # how\n  retries: 3, # three\n  b: 2,\n}\n",
            "{\n  apiVersion: v2,\n  # how\n  tasks: {retries: 3}, # three\n  b: 2,\n}\n",
        ),
        (
            "{\n  apiVersion: v1,\n  # how\n  retries: 3, # three\n  tasks: {a: 1} # t\n}\n",
            "{\n  apiVersion: v2,\n  # how\n  # three\n  tasks: {a: 1, retries: 3} # t\n}\n",
        ),
    ],
)
def test_a_file_in_flow_style_stays_in_it(before: str, after: str) -> None:
    assert migrate(before, "x.yaml", {"v1": ("v2", (TO_TASKS,))}).text == after


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: {retries: 4}\nretries: 3\n",
         "3:1: retries: is now tasks.retries, which is given as well, in line 2; keep one of the two"),
        ("tasks: 4\nretries: 3\n",
         "3:1: retries: is now tasks.retries, and tasks in line 2 is no mapping; make tasks a mapping"),
        ("retries: &r 3\nb: *r\n",
         "2:1: retries: cannot be moved to tasks.retries, because its value is tied to another by &r; "
         "write the value out in place of the alias, then migrate again"),
        ("tasks: &t\n  a: 1\nb: *t\nretries: 3\n",
         "2:1: tasks: cannot be changed, because *t uses the same values; "
         "write the values out where they are used, then migrate again"),
        ("b: &t\n  a: 1\ntasks: *t\nretries: 3\n",
         "4:1: tasks: cannot be changed, because *t uses the same values; "
         "write the values out where they are used, then migrate again"),
        ("? retries\n: 3\n",
         "2:3: retries: cannot be moved from where it stands; "
         "write it as a plain key: value, then migrate again"),
        ("tasks: {a: 1}\nretries:\n  - 1\n",
         "3:1: retries: is now tasks.retries, and does not fit between the braces of line 2; "
         "move it by hand"),
        ("retries: yes\n",
         "2:10: retries: 'yes' is true or false to some YAML readers and text to others; "
         "write true or false, or quote it if text is meant"),
    ],
)  # fmt: skip
def test_what_a_person_must_decide_is_a_problem_at_its_place(text: str, said: str) -> None:
    assert problems(text, TO_TASKS) == [said]


def test_a_text_that_ends_with_the_file_and_would_get_an_end_of_line_is_a_problem() -> None:
    said = "old.x: cannot be moved to new.deep.x, because the file's last line has no end"
    for text in ("old:\n  x: 1\nb: |\n  text", "b: 1\nold:\n  x: |\n    text"):
        [problem] = problems(text, TO_DEEP)
        assert said in problem
        assert problem.endswith("; end the file with a line break, then migrate again")
    assert edited("retries: |\n  text", TO_TASKS) == "tasks:\n  retries: |\n    text"


def test_a_problem_after_other_edits_has_its_place_in_the_file_as_it_is() -> None:
    text = "old:\n  # c\n  x: 1\nb: 2\nnew: {deep: {z: 1}}\n"
    steps = (TO_DEEP, Rename(("new",), "newer"), Move(("newer", "deep", "x"), ("b", "x")))
    assert problems(text, *steps) == [
        "4:3: old.x: is now b.x, and b in line 5 is no mapping; make b a mapping"
    ]


def test_a_key_is_renamed_and_a_value_replaced_in_its_own_quotes() -> None:
    edits = (Rename(("a", "b"), "c"), Replace(("mode",), "fast", "quick"), Replace(("n",), 1, 2))
    assert (
        edited("a: {b: 1} # x\nmode: 'fast'  # f\nn: 1\n", *edits)
        == "a: {c: 1} # x\nmode: 'quick'  # f\nn: 2\n"
    )
    assert edited("a: 1\nmode: slow\nn: true\n", *edits) == "a: 1\nmode: slow\nn: true\n"
    assert edited("mode: fast\n", Replace(("mode",), "fast", "on: #")) == 'mode: "on: #"\n'
    assert edited("n:\n", Replace(("n",), None, 2)) == "n: 2\n"


def test_a_value_that_is_an_anchor_or_a_block_is_not_replaced() -> None:
    [said] = problems("mode: &m fast\nb: *m\n", Replace(("mode",), "fast", "quick"))
    assert said.startswith("2:1: mode: cannot be replaced by quick")


def test_a_scalar_can_become_a_mapping_that_holds_it() -> None:
    assert edited("tasks: 3 # t\nb: 1\n", Move(("tasks",), ("tasks", "n"))) == "tasks:\n  n: 3 # t\nb: 1\n"
    with pytest.raises(ValueError, match="the same or around it"):
        Move(("a", "b"), ("a",))


def test_ends_of_lines_and_a_byte_order_mark_stay() -> None:
    before = f"\ufeff# c\napiVersion: {OLD}\n\nretries: 3 # r\nb: 1\n".replace("\n", "\r\n")
    after = f"\ufeff# c\napiVersion: {API_VERSION}\n\nexecution:\n  retries: 3 # r\nb: 1\n"
    assert migrate(before, "x.yaml").text == after.replace("\n", "\r\n")


def test_versions_are_followed_to_the_newest() -> None:
    table: Migrations = {
        "v1": ("v2", (TO_TASKS,)),
        "v2": ("v3", (Rename(("tasks",), "execution"), Move(("execution", "retries"), ("again", "times")))),
    }
    done = migrate("apiVersion: v1 # v\n# r\nretries: 3\n", "x.yaml", table)
    assert (done.was, done.now) == ("v1", "v3")
    assert done.text == "apiVersion: v3 # v\nagain:\n  # r\n  times: 3\n"
    assert not migrate(done.text, "x.yaml", table).is_changed
    assert known_versions(table) == ("v1", "v2", "v3")


def test_the_table_ends_at_the_version_that_this_release_reads() -> None:
    for version in MIGRATIONS:
        assert migrate(f"apiVersion: {version}\n", "x.yaml").now == API_VERSION


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\napiVersion: airflow-mlops/v9\n", "x.yaml:2:13: apiVersion: 'airflow-mlops/v9' is"),
        ("a: 1\n", "x.yaml:1:1: apiVersion: missing"),
        ("apiVersion: [1]\n", "x.yaml:1:13: apiVersion: [1] is not a version"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_known_is_a_problem_with_those_that_are(text: str, said: str) -> None:
    with pytest.raises(InvalidConfig, match=re.escape(f"it knows {OLD}, {API_VERSION}")) as caught:
        migrate(text, "x.yaml")
    assert str(caught.value).startswith(said)


def test_an_outcome_that_says_something_else_is_never_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replace, "applied", lambda edit, values: None)
    with pytest.raises(
        InvalidConfig, match=r"a bug in the migration, nothing was written: .*; please report"
    ):
        edited("a: 1\n", TO_TASKS)


def test_an_outcome_without_one_of_the_comments_is_never_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "airflow_mlops.config.migration.migrate.rewritten",
        lambda text, edit, values: rewritten(text, edit, values).replace("# c", ""),
    )
    with pytest.raises(InvalidConfig, match="a comment is lost"):
        edited("a: 1 # c\n", TO_TASKS)


def test_a_migrated_model_loads_and_one_that_is_not_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    minimal = (Path(__file__).parent / "minimal.yaml").read_text()
    path.write_text(minimal.replace(API_VERSION, OLD) + "retries: 4\n")
    with pytest.raises(InvalidConfig, match=re.escape(f"run: airflow-mlops migrate {path}")):
        load_model(path)
    path.write_text(migrate(path.read_text(), str(path)).text)
    assert load_model(path).config.execution.retries == 4


# Values as lines to stand behind a key in some column; "@" is where a comment of its own may stand.
_SCALARS = [
    "1",
    "-2.5",
    "true",
    "~",
    "",
    "word",
    "two words",
    "'it''s # no comment'",
    '"a: \\"b\\""',
    "2020-01-01",
]
_FLOWS = ["{}", "[]", "{p: 1, q: [a, 'b']}", "[{r: 1}, 2]", "{p: 1,@\n   q: 2}", "[1,@\n 2]"]
_BLOCKS = [
    "|\n  one\n\n  # text\n   two",
    ">-\n  folded\n  text",
    "|+\n  kept\n",
    "'quoted\n  # text\n\n  on'",
]
_NAMES = ["a", "b", "data", "'quoted'", '"q2"', "tasks", "retries", "old", "new", "name", "x", "deep"]


def test_a_text_that_keeps_its_last_lines_is_not_given_those_of_a_moved_key() -> None:
    text = "apiVersion: v1\na:\n  data: |+\n    kept\n\n  b: 1\n\n  c: 2\n"
    with pytest.raises(InvalidConfig, match=r"x.yaml:3:9: a text that keeps its last lines"):
        migrate(text, "x.yaml", {"v1": ("v2", (Move(("a", "b"), ("d", "b")),))})


@st.composite
def _mapping(draw: st.DrawFn, depth: int, step: int) -> str:
    names = draw(st.lists(st.sampled_from(_NAMES), unique=True, min_size=1, max_size=6))
    return "".join(draw(_entry(name, depth, step)) for name in names)


@st.composite
def _entry(draw: st.DrawFn, name: str, depth: int, step: int) -> str:
    above = "".join(draw(st.lists(st.sampled_from(["@\n", "\n", "  @\n"]), max_size=3)))
    kind = draw(st.sampled_from(["scalar", "flow", "block", "list", "mapping"][: 5 if depth < 3 else 4]))
    if kind == "mapping":
        return f"{above}{name}:{draw(_beside)}\n{_indented(draw(_mapping(depth + 1, step)), step)}"
    if kind == "list":
        items = draw(st.lists(st.sampled_from(_SCALARS[:6]), min_size=1, max_size=3))
        lead = " " * draw(st.sampled_from([0, step]))
        return f"{above}{name}:{draw(_beside)}\n" + "".join(
            f"{lead}- {item}{draw(_beside)}\n" for item in items
        )
    value = draw(st.sampled_from({"scalar": _SCALARS, "flow": _FLOWS, "block": _BLOCKS}[kind]))
    return f"{above}{name}: {value}{draw(_beside) if kind != 'block' else ''}\n"


_beside = st.sampled_from(["", " @", "   @"])


def _indented(text: str, step: int) -> str:
    return "".join(f"{' ' * step}{line}\n" if line else "\n" for line in text.removesuffix("\n").split("\n"))


@st.composite
def _files(draw: st.DrawFn) -> str:
    body = draw(_mapping(0, draw(st.sampled_from([2, 4]))))
    text = f"@\napiVersion: v1 @\n{body}" if draw(st.booleans()) else f"{body}apiVersion: 'v1'\n"
    number = 0
    while "@" in text:
        number += 1
        text = text.replace("@", f"# c{number}.", 1)
    text = text if draw(st.booleans()) else text.removesuffix("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


EDITS: list[tuple[Edit, ...]] = [
    (TO_TASKS,),
    (TO_DEEP,),
    (Rename(("name",), "title"),),
    (TO_TASKS, Move(("data",), ("new", "data"))),
    (Move(("tasks", "retries"), ("retries",)),),
    (Move(("a", "b"), ("b", "a")), Rename(("new", "x"), "z"), TO_TASKS),
    (Replace(("a",), "word", "another"), Move(("old", "old"), ("data", "old"))),
]


@settings(max_examples=400, deadline=None)
@given(text=_files(), edits=st.sampled_from(EDITS))
def test_any_file_means_the_same_with_all_comments_and_the_other_lines_as_they_were(
    text: str, edits: tuple[Edit, ...]
) -> None:
    values: dict[str, Any] = read_source(text, "x.yaml").root.value
    try:
        after = migrate(text, "x.yaml", {"v1": ("v2", edits)}).text
    except InvalidConfig as error:
        bugs = [one for one in error.problems if not one.line or "bug" in one.message]
        if bugs:
            raise
        return
    meant = json.loads(json.dumps(values))
    for edit in edits:
        edit.applied(meant)
    assert _same(read_source(after, "x.yaml").root.value, {**meant, "apiVersion": "v2"})
    moved = [_key_range(text, edit.path) for edit in edits]
    touched = {number for numbers in moved for number in numbers}
    kept = [line for number, line in enumerate(text.splitlines()) if number not in touched]
    kept = [line for line in kept if line.strip() and not line.startswith("apiVersion")]
    left = after.splitlines()
    changed = [line for line in kept if line not in left]
    # An edit of one line: the target's own, or parents that went and left their comments.
    assert len(changed) <= 3 * len(edits), (text, after, changed)
    order = [line for line in left if line in set(kept)]
    assert _is_subsequence([line for line in kept if line in set(left) and kept.count(line) == 1], order)
    numbers = re.findall(r"# c\d+\.", text)
    assert sorted(re.findall(r"# c\d+\.", after)) == sorted(numbers)
    of_kept = [found for line in kept for found in re.findall(r"# c\d+\.", line)]
    assert _is_subsequence(of_kept, re.findall(r"# c\d+\.", after))
    assert ("\r" in after) == ("\r" in text)
    assert after.count("\r") in (0, after.count("\n"))


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(one in rest for one in part)


def _key_range(text: str, path: tuple[str, ...]) -> range:
    """The numbers of the lines from the comments above a key to the next key in its column or left of it."""
    document = read_source(text, "x.yaml")
    at: Any = document.root.value
    for part in path:
        if not isinstance(at, dict) or part not in at:
            return range(0)
        at = at[part]
    line, column = document.key_place(path)
    lines = text.splitlines()
    first = last = line - 1
    while first and lines[first - 1].lstrip().startswith("# c"):
        first -= 1
    ends = rf" {{0,{column - 1}}}[^ \-#]"
    while last + 1 < len(lines) and not (lines[last + 1] and re.match(ends, lines[last + 1])):
        last += 1
    return range(first, last + 1)
