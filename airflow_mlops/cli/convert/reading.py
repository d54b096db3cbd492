"""Another tool's YAML to values that know their file and line.

The reader of our own language refuses merge keys, tags and the old spellings of true and false; here they
are what the other tool takes them for. Nothing is ever constructed from a tag: what is no plain value keeps
its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.source import MAX_BYTES, MAX_DEPTH, MAX_VALUES

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a source, from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands: under a key, where the key is.

    ``value`` is text, a number, true, false, nothing, a list of nodes or a mapping of text to nodes. ``tag``
    is what the file wrote as one (``!!python/name:...``), or empty.
    """

    value: Any
    place: Place
    tag: str = ""

    @property
    def entries(self) -> Mapping[str, Node]:
        """Of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str:
        """A scalar as the file spells it, give or take quotes; empty for lists, mappings and nothing."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return "" if self.value is None or isinstance(self.value, list | dict) else str(self.value)

    def at(self, *keys: str) -> Node | None:
        """What stands below these keys, if it is there."""
        node: Node | None = self
        for key in keys:
            node = node.entries.get(key) if node is not None else None
        return node

    @property
    def type_name(self) -> str:
        """The class of an object that is written as a mapping with ``__type__``, without its module."""
        kind = self.at("__type__")
        return kind.text.rpartition(".")[2] if kind is not None else ""

    def arguments(self, names: Sequence[str]) -> dict[str, Node]:
        """Those of such an object by name; ``names`` are for those in ``__args__``, in this order."""
        listed = self.at("__args__")
        given = dict(zip(names, listed.items if listed is not None else [], strict=False))
        return given | {key: one for key, one in self.entries.items() if not key.startswith("__")}

    def plain(self) -> Any:
        """The value without its places: scalars, lists and dicts."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_yaml(path: Path) -> Node:
    """The mapping that a YAML file holds.

    Raises ``InvalidConfig`` with the place if it cannot be read, is not a mapping, or is larger or deeper
    than any file that a person wrote (aliases counted at each use).
    """
    text = _text(path)
    reader = _Reader(str(path), text)
    try:
        reader.check_depth()
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise reader.stop(place, f"not YAML: {error.problem}", "mend it, then convert again") from error
    except yaml.YAMLError as error:
        raise reader.stop((1, 1), f"not YAML: {error}", "check the file's encoding") from error
    if not isinstance(root, yaml.MappingNode):
        raise reader.stop((1, 1), "not a mapping of keys", "give the file that the other tool reads")
    return reader.node(root)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)  # one byte too many is enough to refuse it
        if len(body) > MAX_BYTES:
            raise _whole(path, f"larger than {MAX_BYTES} bytes", "split it")
        return body.decode("utf-8-sig")
    except OSError as error:
        raise _whole(path, f"cannot be read: {error.strerror or error}", "check the path") from error
    except UnicodeDecodeError as error:
        raise _whole(path, "not UTF-8", "save the file as UTF-8") from error


def _whole(path: Path, message: str, hint: str) -> InvalidConfig:
    return InvalidConfig([Problem(str(path), 0, 0, "", message, hint)])


class _Reader:
    """Composed YAML to nodes, each alias read once and counted at each use."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._source = text
        self._lines = text.splitlines()
        self._made: dict[int, tuple[Node, int]] = {}
        self._open: set[int] = set()

    def stop(self, place: tuple[int, int], message: str, hint: str) -> InvalidConfig:
        line, column = place
        snippet = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        return InvalidConfig([Problem(self._path, line, column, "", message, hint, snippet)])

    def check_depth(self) -> None:
        """Before anything is composed: libyaml composes by recursion, which has no floor of its own."""
        depth = 0
        for event in yaml.parse(self._source, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise self.stop(_mark(event), f"nested deeper than {MAX_DEPTH} levels", "write it flatter")

    def node(self, composed: yaml.Node) -> Node:
        return self._sized(composed)[0]

    def _sized(self, composed: yaml.Node) -> tuple[Node, int]:
        known = self._made.get(id(composed))
        if known is None:
            if id(composed) in self._open:
                raise self.stop(_mark(composed), "an alias inside its own anchor", "write the values out")
            self._open.add(id(composed))
            known = self._made[id(composed)] = self._convert(composed)
            self._open.remove(id(composed))
        return known

    def _convert(self, composed: yaml.Node) -> tuple[Node, int]:
        place = Place(self._path, *_mark(composed))
        match composed:
            case yaml.ScalarNode():
                return _scalar(composed, place), 1
            case yaml.SequenceNode():
                parts = [self._sized(item) for item in composed.value]
                items = [part for part, _ in parts]
                return Node(items, place, _foreign(composed.tag)), self._count(composed, parts)
            case _:
                return self._mapping(composed, place)

    def _mapping(self, composed: yaml.Node, place: Place) -> tuple[Node, int]:
        """Keys of its own win over merged ones, and an earlier merge over a later (YAML's merge type)."""
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        parts: list[tuple[Node, int]] = []
        for key, value in composed.value:
            parts.append(self._sized(value))
            if key.tag == _MERGE:
                sources = parts[-1][0].items or [parts[-1][0]]
                for source in sources:
                    merged = {**source.entries, **merged}
            elif isinstance(key, yaml.ScalarNode):
                own[key.value] = replace(parts[-1][0], place=Place(self._path, *_mark(key)))
            else:
                raise self.stop(_mark(key), "a key that is not text", "quote text that holds {{ }}")
        return Node({**merged, **own}, place, _foreign(composed.tag)), self._count(composed, parts)

    def _count(self, composed: yaml.Node, parts: list[tuple[Node, int]]) -> int:
        size = 1 + sum(size for _, size in parts)
        if size > MAX_VALUES:
            raise self.stop(_mark(composed), f"more than {MAX_VALUES} values, aliases counted", "split it")
        return size


def _scalar(node: yaml.ScalarNode, place: Place) -> Node:
    """Dates stay text: what they mean depends on the time zone beside them."""
    if node.tag not in _PLAIN:
        return Node(node.value, place, _foreign(node.tag))
    try:
        # It reads only these four kinds here, by the rules that the other tools' reader has.
        return Node(yaml.constructor.SafeConstructor().construct_object(node), place)
    except ValueError:  # `!!int 1.x`, or a number too long to read
        return Node(node.value, place)


def _foreign(tag: str) -> str:
    short = tag.replace("tag:yaml.org,2002:", "!!")
    return "" if short in ("!!str", "!!map", "!!seq", "!!timestamp", "!!null", "!!merge", "!") else short


def _mark(of: Any) -> tuple[int, int]:
    return of.start_mark.line + 1, of.start_mark.column + 1
