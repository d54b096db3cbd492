"""Where each key and value of a YAML text begins and ends: what an edit of the text must know.

``source.py`` says what a file means and where a reader should look; this says which characters a part is made
of. It reads only text that ``source.py`` has read before, so size, depth and syntax are no question here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from airflow_mlops.config.problems import KeyPath

# What libyaml takes for a line's end.
_LINE = re.compile("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029]|$)")
BREAKS = "\r\n\x85\u2028\u2029"
_COMMENT = re.compile(rf"(?:^|(?<=[ \t{BREAKS}]))#[^{BREAKS}]*")


@dataclass(slots=True)
class Extent:
    """The characters of a value, from its anchor, quote or bracket to its last; block collections end with
    their last value. ``style`` is a scalar's quote or block sign; ``{``, ``[`` or nothing for collections.
    """

    kind: Literal["scalar", "alias", "mapping", "list"]
    start: int
    end: int
    style: str = ""
    anchor: str | None = None
    alias: str | None = None
    inner: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Extent] = field(default_factory=list)

    @property
    def is_flow(self) -> bool:
        return self.style in ("{", "[")

    @property
    def is_empty_scalar(self) -> bool:
        return self.kind == "scalar" and self.start == self.end

    def parts(self) -> Iterator[Extent]:
        """This value and all that are in it."""
        yield self
        for part in (*self.items, *(entry.value for entry in self.entries.values())):
            yield from part.parts()


@dataclass(slots=True)
class Entry:
    """A key of a mapping and its value. ``is_bare`` tells that no anchor or tag stands before the key."""

    key: str
    start: int
    key_end: int
    is_bare: bool
    value: Extent
    parent: Extent
    owner: Entry | None


class Layout:
    """One text, its root mapping and its lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [found[0] for found in _LINE.finditer(text) if found[0]]
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))
        self.newline = next((line[len(line.rstrip(BREAKS)) :] for line in self.lines[:1]), "") or "\n"
        self.root = _Builder(text).build()

    def line_at(self, offset: int) -> int:
        """The number (from 0) of the line that holds a character."""
        return min(bisect_right(self._starts, offset), len(self.lines)) - 1

    def start_of(self, line: int) -> int:
        """Where a line begins; the text's end for the line after the last."""
        return self._starts[line]

    def column(self, offset: int) -> int:
        return offset - self._starts[self.line_at(offset)]

    def begins_its_line(self, offset: int) -> bool:
        return not self.text[self._starts[self.line_at(offset)] : offset].strip()

    def entry(self, path: KeyPath) -> Entry | None:
        """The entry at a path of keys; nothing where a part is missing or is no mapping."""
        at, found = self.root, None
        for part in path:
            found = at.entries.get(str(part))
            if found is None:
                return None
            at = found.value
        return found

    def comments(self) -> Iterator[str]:
        """Every comment, in order; of a block scalar the one beside its sign belongs to the scalar."""
        parts = list(self.root.parts())
        spans = [(part.start, part.end) for part in parts if part.kind in ("scalar", "alias")]
        spans += [(entry.start, entry.key_end) for part in parts for entry in part.entries.values()]
        at = 0
        for start, end in [*sorted(spans), (len(self.text), len(self.text))]:
            yield from comments_in(self.text[at:start])
            at = end

    def indent(self) -> int:
        """By how much this file indents a mapping below its key; 2 where it has none."""
        for part in self.root.parts():
            for entry in part.entries.values():
                inner = next(iter(entry.value.entries.values()), None)
                if not part.is_flow and not entry.value.is_flow and inner is not None:
                    return self.column(inner.start) - self.column(entry.start)
        return 2


def comments_in(text: str) -> list[str]:
    """The comments of a text that holds no values."""
    return [found[0].strip() for found in _COMMENT.finditer(text)]


class _Builder:
    """Turns libyaml's events into extents."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._stack: list[tuple[Extent, Entry | None]] = []
        self._key: Any = None
        self._root: Extent | None = None

    def build(self) -> Extent:
        events: Any = yaml.parse(self.text, Loader=yaml.CSafeLoader)
        for event in events:
            start, end = event.start_mark.index, event.end_mark.index
            match event:
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event, start, end)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close(end)
                case yaml.ScalarEvent() if self._awaits_key():
                    self._key = event
                case yaml.ScalarEvent():
                    end = self._end_of_block_scalar(start, end) if event.style in ("|", ">") else end
                    self._attach(Extent("scalar", start, end, event.style or "", event.anchor))
                case yaml.AliasEvent():
                    self._attach(Extent("alias", start, end, alias=str(event.anchor)))
        if self._root is None:
            raise ValueError("an empty document has no layout")
        return self._root

    def _awaits_key(self) -> bool:
        return bool(self._stack) and self._stack[-1][0].kind == "mapping" and self._key is None

    def _open(self, event: Any, start: int, end: int) -> None:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        style = ("{" if is_mapping else "[") if event.flow_style else ""
        extent = Extent("mapping" if is_mapping else "list", start, end, style, event.anchor, inner=end)
        self._stack.append((extent, self._attach(extent)))

    def _close(self, end: int) -> None:
        extent, _ = self._stack.pop()
        last = [*extent.items, *(entry.value for entry in extent.entries.values())][-1:]
        extent.end = end if extent.is_flow or not last else last[0].end

    def _attach(self, value: Extent) -> Entry | None:
        if not self._stack:
            self._root = value
            return None
        parent, owner = self._stack[-1]
        if parent.kind == "list":
            parent.items.append(value)
            return None
        key, self._key = self._key, None
        start, end = key.start_mark.index, key.end_mark.index
        is_bare = key.anchor is None and key.tag is None
        entry = Entry(key.value, start, end, is_bare, value, parent, owner)
        return parent.entries.setdefault(key.value, entry)

    def _end_of_block_scalar(self, start: int, end: int) -> int:
        """Without the blank lines after it, which libyaml counts in; with ``+`` they are content."""
        lines = _LINE.findall(self.text[start:end])
        header, body = lines[0], [line for line in lines[1:] if line]
        first = next((line for line in body if line.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        if "+" in header.partition("#")[0]:
            return start + len((header + "".join(body)).removesuffix("\n").removesuffix("\r"))
        while body and len(body[-1].rstrip(BREAKS)) <= indent and not body[-1].strip():
            body.pop()
        return start + len((header + "".join(body)).rstrip(BREAKS))
