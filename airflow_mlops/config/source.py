"""YAML text to plain values that know where they stand.

Built from libyaml's event stream rather than by a loader: no constructor exists that a tag could reach,
the nesting is counted before anything is built, and every key and value has its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from airflow_mlops.config.problems import MAX_PROBLEMS, InvalidConfig, KeyPath, Problem, clipped, dotted
from airflow_mlops.config.quick import quick_value
from airflow_mlops.config.scalars import Trap, resolve
from airflow_mlops.config.text import MAX_BYTES as MAX_BYTES
from airflow_mlops.config.text import lines_of as lines_of
from airflow_mlops.config.text import place_of

MAX_DEPTH = 50
MAX_VALUES = 20_000
MAX_KEY = 200
# So much text counts as one more value: one long text may be used by thousands of aliases.
TEXT_PER_VALUE = 64

Place = tuple[int, int]

# What libyaml says, and what usually lies behind it.
_SYNTAX_HINTS: dict[str, str] = {
    "mapping values are not allowed in this context": "quote text that holds ': ', and check the indentation",
    "did not find expected ',' or ']'": "a [ is not closed",
    "did not find expected ',' or '}'": "a { is not closed",
    "found character that cannot start any token": "quote text that begins with @, ` or %",
    "did not find expected key": "keys of one part start in the same column",
    "could not find expected ':'": "a key is followed by ': ' and its value",
    "found unexpected end of stream": "a quote is not closed",
    "did not find expected alphabetic or numeric character": "quote text that begins with * or &",
}
_LONGEST_MESSAGE = 1_000
_LARGEST = 10**40  # as in YAML, see scalars.py
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INDENTING_TAB = re.compile(r"(?:^|(?<=[\r\x85\u2028\u2029])) *(\t)[ \t]*[^\s#]", re.MULTILINE)
# What libyaml takes for a line's end; str.splitlines knows more.
_DIRECTIVE = re.compile(r"(?:^|(?<=[\r\x85\u2028\u2029]))(%TAG\b)", re.MULTILINE)


@dataclass(slots=True)
class Node:
    """A value, where it begins, and for each key where the key and its value are.

    ``size`` and ``depth`` count aliases each time they are used, which is what reading them would cost.
    """

    value: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)
    size: int = 1
    depth: int = 1


@dataclass(frozen=True)
class Document:
    """One file's values with their places, and what is wrong that does not stop the reading.

    An ordinary file is read for its values alone, with its ``text`` kept: its places are looked up there at
    the first question for one.
    """

    path: str
    lines: tuple[str, ...]
    root: Node
    problems: tuple[Problem, ...] = ()
    text: str | None = None

    def has(self, path: KeyPath) -> bool:
        """Whether the file gives a value at a path."""
        node = self._placed
        for part in path:
            if part not in node.children:
                return False
            node = node.children[part]
        return True

    def value_place(self, path: KeyPath) -> Place:
        """Where the value at a path begins; of the deepest part of the path that exists, if it does not."""
        node = self._placed
        for part in path:
            if part not in node.children:
                break
            node = node.children[part]
        return node.place

    def key_place(self, path: KeyPath) -> Place:
        """Where the key at the end of a path stands; the value's place where there is no key (a list)."""
        node, place = self._placed, self._placed.place
        for part in path:
            if part not in node.children:
                break
            node, place = node.children[part], node.keys.get(str(part), node.children[part].place)
        return place

    def problem(self, place: Place, path: KeyPath, message: str, hint: str = "") -> Problem:
        """A problem at a place of this document."""
        return _problem(self.path, self.lines, place, path, message, hint)

    @cached_property
    def _placed(self) -> Node:
        return self.root if self.text is None else _Reader(self.path, self.lines).read_text(self.text)


def read_source(text: str, path: str) -> Document:
    """Read one YAML document. Raises ``InvalidConfig`` where there is no telling what the rest means
    (syntax, tags' constructors, several documents, too large or too deep).
    """
    lines = lines_of(text)
    is_plain = len(text) * 4 <= MAX_BYTES and not _UNPRINTABLE.search(text) and "\t" not in text
    if is_plain and "%TAG" not in text and (value := quick_value(text)) is not None:
        return Document(path, lines, Node(value, (1, 1)), text=text)
    reader = _Reader(path, lines)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise reader.stop((1, 1), f"larger than {MAX_BYTES} bytes", "a model's YAML is a few hundred lines")
    for sign, pattern, message, hint in (
        ("", _UNPRINTABLE, "a control character", "remove it"),
        ("\t", _INDENTING_TAB, "a tab in the indentation", "indent with spaces"),
        # libyaml compares each of these with all before it.
        ("%TAG", _DIRECTIVE, "a directive for tags, which are not read", "leave it out"),
    ):
        if sign in text and (found := pattern.search(text)):
            raise reader.stop(place_of(text, found.start(found.lastindex or 0)), message, hint)
    root = reader.read_text(text)
    return Document(path, lines, root, tuple(reader.problems))


def size_of(text: str) -> int:
    """How many values a text counts as."""
    return 1 + len(text) // TEXT_PER_VALUE


def unfit(value: Any) -> str | None:
    """What keeps a value that did not come from YAML out of a configuration: the limits are the same, and
    what is written as YAML must be read as the same value."""
    left = MAX_VALUES
    inside: list[tuple[Any, int]] = [(value, 1)]
    while inside:
        one, depth = inside.pop()
        if depth > MAX_DEPTH:
            return f"is nested deeper than {MAX_DEPTH} levels"
        if isinstance(one, dict):
            if any(len(key) > MAX_KEY for key in one):
                return f"holds a key of more than {MAX_KEY} characters"
            inside += [(part, depth + 1) for pair in one.items() for part in pair]
        elif isinstance(one, list):
            inside += [(part, depth + 1) for part in one]
        left -= size_of(one) if isinstance(one, str) else 1
        if left < 0:
            return f"holds more than {MAX_VALUES} values"
        if isinstance(one, str) and _UNPRINTABLE.search(one):
            return "holds a control character"
        if type(one) in (int, float) and not abs(one) < _LARGEST:
            return f"holds the number {clipped(str(one), 50)}, which is too large"
    return None


def _syntax(reader: _Reader, error: yaml.MarkedYAMLError) -> InvalidConfig:
    said = error.problem or "not YAML"
    # An unclosed bracket or quote is noticed only at the end of the file; its beginning helps more.
    unclosed = "end of stream" in said or (error.context or "").startswith("while parsing a flow")
    mark = (error.context_mark if unclosed else None) or error.problem_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return reader.stop(place, f"not YAML: {said}", _SYNTAX_HINTS.get(said, ""))


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read."""

    node: Node
    path: KeyPath
    key: str | None = None
    key_place: Place = (1, 1)


class _Reader:
    """Turns events into nodes; what can be read past is noted in ``problems``."""

    def __init__(self, path: str, lines: tuple[str, ...]) -> None:
        self.path = path
        self.lines = lines
        self.problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None

    def stop(self, place: Place, message: str, hint: str = "", path: KeyPath = ()) -> InvalidConfig:
        """The error to raise where reading cannot go on: this problem and those noted so far."""
        return InvalidConfig([*self.problems, _problem(self.path, self.lines, place, path, message, hint)])

    def read_text(self, text: str) -> Node:
        """The document's values with their places. Raises ``InvalidConfig``."""
        try:
            return self._read(yaml.parse(text, Loader=yaml.CSafeLoader))
        except yaml.MarkedYAMLError as error:
            raise _syntax(self, error) from error
        except yaml.YAMLError as error:
            raise self.stop((1, 1), f"not YAML: {error}", "check the file's encoding") from error

    def _read(self, events: Iterable[Any]) -> Node:
        for event in events:
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            match event:
                case yaml.DocumentStartEvent() if self._root is not None:
                    raise self.stop(place, "a second document in one file", "one file describes one model")
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event, place)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close()
                case yaml.ScalarEvent():
                    self._scalar(event, place)
                case yaml.AliasEvent():
                    self._alias(str(event.anchor), place)
        if self._root is None or not isinstance(self._root.value, dict):
            what = "the file is empty" if self._root is None else "the file is not a mapping of keys"
            raise self.stop((1, 1), what, "it begins with: apiVersion: airflow-mlops/v1")
        return self._root

    def _open(self, event: Any, place: Place) -> None:
        if self._awaits_key():
            raise self.stop(place, "a key must be text", "write a plain word as the key", self._path())
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._refuse_tag(event.tag, place)
        node = Node({} if is_mapping else [], place)
        path = self._path()
        self._attach(node, event.anchor)
        self._stack.append(_Open(node, path))
        if len(self._stack) > MAX_DEPTH:
            raise self.stop(place, f"nested deeper than {MAX_DEPTH} levels", "a model's YAML is flat", path)

    def _close(self) -> None:
        closed = self._stack.pop().node
        if self._stack:
            self._count(self._stack[-1].node, closed)

    def _scalar(self, event: Any, place: Place) -> None:
        self._refuse_tag(event.tag, place)
        if _UNPRINTABLE.search(event.value):
            self._note(place, self._path(), "holds a control character", "leave it out")
        is_bare = event.implicit[0] and not event.style
        value = resolve(event.value) if is_bare else event.value
        if self._awaits_key():
            self._key(event.value, value, place)
            return
        if isinstance(value, Trap):
            self._note(place, self._path(), value.message, value.hint)
            value = event.value
        self._attach(Node(value, place, size=size_of(event.value)), event.anchor)

    def _key(self, text: str, value: Any, place: Place) -> None:
        frame = self._stack[-1]
        if len(text) > MAX_KEY:
            raise self.stop(place, f"a key of more than {MAX_KEY} characters", "shorten it", frame.path)
        path = (*frame.path, text)
        if text in ("y", "Y", "n", "N"):
            # Widely used names (retraining.n, a label y). As values they are refused; a key is always text.
            value = text
        if isinstance(value, Trap):
            self._note(place, path, f"the key {value.message}", value.hint.rpartition("or ")[2])
        elif not isinstance(value, str):
            self._note(place, path, f"the key {text!r} is not text", "quote it")
        if text in frame.node.keys:
            first = frame.node.keys[text][0]
            self._note(place, path, f"the key is given twice, first in line {first}", "keep one of the two")
        frame.key, frame.key_place = text, place

    def _alias(self, name: str, place: Place) -> None:
        if self._awaits_key():
            raise self.stop(place, "a key must be text, not an alias", "write the key out", self._path())
        if name not in self._anchors:
            raise self.stop(
                place, f"*{name} names no anchor above it", "quote it if text is meant", self._path()
            )
        node = self._anchors[name]
        if any(frame.node is node for frame in self._stack):
            raise self.stop(
                place, f"*{name} stands inside its own anchor", "write the values out", self._path()
            )
        self._attach(node, None)
        if isinstance(node.value, dict | list):
            self._count(self._stack[-1].node, node)

    def _attach(self, node: Node, anchor: str | None) -> None:
        """Put a value under its key, or at the end of its list. Collections are counted when they close."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        if isinstance(parent.value, list):
            parent.children[len(parent.value)] = node
            parent.value.append(node.value)
        elif frame.key is not None:
            if frame.key not in parent.keys:
                parent.keys[frame.key] = frame.key_place
                parent.children[frame.key] = node
                parent.value[frame.key] = node.value
            frame.key = None
        if not isinstance(node.value, dict | list):
            self._count(parent, node)

    def _count(self, parent: Node, child: Node) -> None:
        parent.size += child.size
        parent.depth = max(parent.depth, child.depth + 1)
        # The parent's own ancestors are still open: their sizes grow when it closes.
        if parent.size > MAX_VALUES:
            raise self.stop(
                child.place,
                f"more than {MAX_VALUES} values, aliases counted, long texts for several",
                "write less",
            )
        if len(self._stack) + child.depth > MAX_DEPTH + 1:
            raise self.stop(child.place, f"nested deeper than {MAX_DEPTH} levels", "a model's YAML is flat")

    def _awaits_key(self) -> bool:
        return (
            bool(self._stack) and isinstance(self._stack[-1].node.value, dict) and self._stack[-1].key is None
        )

    def _path(self) -> KeyPath:
        if not self._stack:
            return ()
        frame = self._stack[-1]
        if isinstance(frame.node.value, list):
            return (*frame.path, len(frame.node.value))
        return frame.path if frame.key is None else (*frame.path, frame.key)

    def _refuse_tag(self, tag: str | None, place: Place) -> None:
        if tag is not None and tag != "!":
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self._note(place, self._path(), f"the tag {short} is not read", "leave it out; quote text")

    def _note(self, place: Place, path: KeyPath, message: str, hint: str) -> None:
        self.problems.append(_problem(self.path, self.lines, place, path, message, hint))
        if len(self.problems) > MAX_PROBLEMS:
            raise InvalidConfig(self.problems)


def _problem(
    file: str, lines: tuple[str, ...], place: Place, path: KeyPath, message: str, hint: str
) -> Problem:
    line, column = place
    if line > len(lines) > 0:  # the end of the file, behind its last line's end
        line, column = len(lines), len(lines[-1]) + 1
    snippet = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(
        file,
        line,
        column,
        clipped(dotted(path), MAX_KEY),
        clipped(message, _LONGEST_MESSAGE),
        clipped(hint, _LONGEST_MESSAGE),
        snippet,
    )
