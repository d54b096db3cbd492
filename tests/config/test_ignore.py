"""``.airflowignore``: a file is ours exactly where it would be Airflow's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow._shared.module_loading.file_discovery import find_path_from_directory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mlops.config.site import Site
from airflow_mlops.config.tree import find_yaml, would_find

NAMES = st.sampled_from(["a", "b", "ab", "team", "x y", "é"])
FILES = st.sampled_from(["a.yaml", "b.yaml", "ab.yml", "keep.yaml", "x y.yaml", "é.yaml", "#.yaml"])
PATHS = st.builds(lambda folders, file: "/".join([*folders, file]), st.lists(NAMES, max_size=3), FILES)
GLOBS = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "*",
            "**",
            "/",
            "!",
            "*.yaml",
            "a.yaml",
            "keep.yaml",
            "?",
            "[ab]",
            "[",
            "]",
            " ",
            "#",
            "x y",
            "é",
            "\\",
            "\t",
            "team",
        ]
    ),
    max_size=6,
).map("".join)
REGEXPS = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            ".*",
            "^",
            "$",
            "/",
            "\\.yaml",
            "keep",
            "(",
            ")",
            "[ab]",
            "|",
            "+",
            " ",
            "#",
            "team",
            "a{999999999999}",
        ]
    ),
    max_size=5,
).map("".join)
ENDS = st.sampled_from(["\n", "\r\n", "\n\n"])


def both(folder: Path, syntax: str) -> tuple[set[str], set[str]]:
    theirs = {
        path
        for path in find_path_from_directory(folder, ".airflowignore", syntax)
        if path.endswith((".yaml", ".yml"))
    }
    return {str(path) for path in find_yaml(folder, Site(root=folder, ignore_syntax=syntax))}, theirs


def tree(folder: Path, files: set[str], ignores: dict[str, str]) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for name, text in ignores.items():
        if (folder / name).is_dir():
            (folder / name / ".airflowignore").write_bytes(text.encode())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("syntax", "patterns"), [("glob", GLOBS), ("regexp", REGEXPS)])
def test_our_reading_is_airflows(syntax: str, patterns: st.SearchStrategy[str], tmp_path_factory) -> None:
    folders = st.lists(NAMES, max_size=2).map("/".join)

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sets(PATHS, min_size=1, max_size=8),
        st.dictionaries(folders, st.tuples(st.lists(patterns, max_size=4), ENDS), max_size=3),
    )
    def holds(files: set[str], ignores: dict[str, tuple[list[str], str]]) -> None:
        folder = tmp_path_factory.mktemp("tree")
        tree(folder, files, {name: end.join(lines) for name, (lines, end) in ignores.items()})
        try:
            ours, theirs = both(folder, syntax)
        except (ValueError, OverflowError, re.error):
            return  # Airflow itself cannot read such a pattern; what we do is in the test below
        assert ours == theirs
        site = Site(root=folder, ignore_syntax=syntax)
        assert {str(folder / name) for name in files if would_find(folder / name, folder, site)} == theirs

    holds()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ("*.yaml\n!keep.yaml", ["a/keep.yaml", "keep.yaml"]),
        ("a/", ["keep.yaml", "x.yaml"]),
        ("/keep.yaml", ["a/keep.yaml", "a/x.yaml", "x.yaml"]),
        ("a/x.yaml", ["a/keep.yaml", "keep.yaml", "x.yaml"]),
        ("x.yaml  # a comment\n# another", ["a/keep.yaml", "keep.yaml"]),
        ("a\n!a/keep.yaml", ["keep.yaml", "x.yaml"]),
    ],
)
def test_globs_are_read_as_airflow_reads_them(lines: str, kept: list[str], tmp_path: Path) -> None:
    tree(tmp_path, {"a/keep.yaml", "a/x.yaml", "keep.yaml", "x.yaml"}, {".": lines})
    ours, theirs = both(tmp_path, "glob")
    assert sorted(str(Path(path).relative_to(tmp_path)) for path in ours) == kept
    assert ours == theirs


@pytest.mark.parametrize(
    ("syntax", "text"),
    [
        ("glob", b"\xff\nx.yaml"),
        ("glob", b"!\n//\nx.yaml"),
        ("glob", b"[z-a]\nx.yaml"),
        ("regexp", b"a{99999999999999}\n(\nx.yaml"),
        ("regexp", b"\x00"),
    ],
)
def test_an_ignore_file_that_airflow_cannot_read_hides_no_other_file(
    syntax: str, text: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / ".airflowignore").write_bytes(text)
    assert list(find_yaml(tmp_path, Site(root=tmp_path, ignore_syntax=syntax))) == [tmp_path / "a.yaml"]
