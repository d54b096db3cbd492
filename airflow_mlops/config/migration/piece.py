"""What belongs to a key in a YAML text, cut out so that it can stand elsewhere; and the splicing of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_mlops.config.migration.layout import BREAKS, Entry, Layout

_REST_OF_LINE = re.compile(rf"[ \t]*,?[ \t]*(#[^{BREAKS}]*)?(\r\n|[{BREAKS}]|$)")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
# These speak of the file, not of the key below them.
_OF_THE_FILE = re.compile(r"#\s*(yaml-language-server\s*:|-\*-|vim?:)")


@dataclass(frozen=True, slots=True)
class Splice:
    """New text in place of the characters from ``start`` to ``end``. ``is_lines``: both are whole lines.
    ``is_text``: the end of the last line is part of a value.
    """

    start: int
    end: int
    new: str
    is_lines: bool = False
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A key with its value and comments: ``start`` to ``end`` is what goes when it goes.

    ``comments`` are the lines above it; ``body`` its lines from the key on, of which the first ``said``
    characters are key and value.
    """

    entry: Entry
    start: int
    end: int
    column: int
    comments: tuple[str, ...]
    body: tuple[str, ...]
    said: int
    is_lines: bool
    newline: str

    def text(self, key: str, column: int) -> str:
        """Its lines in block style, at a column."""
        lead = " " * column
        first = lead + key + self.body[0][self.entry.key_end - self.entry.start :]
        rest = [self._shifted(line, column - self.column) for line in self.body[1:]]
        above = [f"{lead}{comment}{self.newline}" for comment in self.comments]
        text = "".join([*above, first, *rest])
        return text if text[-1] in BREAKS else text + self.newline

    @staticmethod
    def _shifted(line: str, by: int) -> str:
        if not line.rstrip(BREAKS):
            return line
        return " " * by + line if by >= 0 else line[min(-by, len(line) - len(line.lstrip(" "))) :]

    def end_with_comments(self, layout: Layout, column: int) -> int:
        """The end with the comment lines right below it that are as deep as the key."""
        line = layout.line_at(max(self.end - 1, self.start)) + 1
        while line < len(layout.lines) and _comment_column(layout.lines[line]) >= max(column, 0):
            line += 1
        return layout.start_of(line)


def take(layout: Layout, entry: Entry) -> Piece:
    """What belongs to an entry: whole lines, except where it shares them with others in flow style."""
    column = layout.column(entry.start)
    said = entry.value.end - entry.start
    tail = _REST_OF_LINE.match(layout.text, entry.value.end)
    if not entry.parent.is_flow:
        comments, start = _above(layout, entry, column)
        end = layout.start_of(_last_line(layout, entry, column) + 1)
        body = layout.text[entry.start : end]
        return _piece(layout, entry, (start, end), comments, body, said, is_lines=True)
    value = layout.text[entry.start : entry.value.end]
    if tail is not None and layout.begins_its_line(entry.start):
        comments, start = _above(layout, entry, column)
        body = value + (f"  {tail[1].rstrip()}" if tail[1] else "") + layout.newline
        return _piece(layout, entry, (start, tail.end()), comments, body, said, is_lines=True)
    return _piece(layout, entry, _in_line(layout, entry), (), value + layout.newline, said, is_lines=False)


def _piece(
    layout: Layout,
    entry: Entry,
    place: tuple[int, int],
    comments: tuple[str, ...],
    body: str,
    said: int,
    *,
    is_lines: bool,
) -> Piece:
    lines = re.findall(rf"[^{BREAKS}]*(?:\r\n|[{BREAKS}]|$)", body)
    kept = tuple(line for line in lines if line)
    return Piece(entry, *place, layout.column(entry.start), comments, kept, said, is_lines, layout.newline)


def _above(layout: Layout, entry: Entry, column: int) -> tuple[tuple[str, ...], int]:
    """The comment lines right above a key, in its column, and where they begin."""
    siblings = list(entry.parent.entries.values())
    index = next(number for number, one in enumerate(siblings) if one is entry)
    floor = siblings[index - 1].value.end if index else entry.owner.key_end if entry.owner else -1
    first = line = layout.line_at(entry.start)
    while first > 0 and layout.start_of(first - 1) > floor and _is_above(layout.lines[first - 1], column):
        first -= 1
    return tuple(text.strip() for text in layout.lines[first:line]), layout.start_of(first)


def _is_above(line: str, column: int) -> bool:
    return _comment_column(line) == column and not _OF_THE_FILE.match(line.strip())


def _last_line(layout: Layout, entry: Entry, column: int) -> int:
    """The last line of a key in block style, comments that are indented below it included."""
    last = layout.line_at(entry.value.end)
    for line in range(last + 1, len(layout.lines)):
        if _comment_column(layout.lines[line]) > column:
            last = line
        elif layout.lines[line].strip():
            break
    return last


def _comment_column(line: str) -> int:
    """The column of a line that is a comment, else -1."""
    bare = line.lstrip(" \t")
    return len(line) - len(bare) if bare.startswith("#") else -1


def _in_line(layout: Layout, entry: Entry) -> tuple[int, int]:
    """An entry of ``{a: 1, b: 2}`` and the comma that goes with it."""
    if comma := _COMMA.match(layout.text, entry.value.end):
        return entry.start, comma.end()
    siblings = list(entry.parent.entries.values())
    index = next(number for number, one in enumerate(siblings) if one is entry)
    before = siblings[index - 1].value.end if index else entry.start
    gap = layout.text[before : entry.start]
    return (before if gap.strip() == "," else entry.start), entry.value.end


def spliced(layout: Layout, splices: Iterable[Splice]) -> str:
    """The text with all splices done. A file whose last line has no end keeps it so where lines are added."""
    out, at = "", 0
    last: Splice | None = None
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        if splice.start < at:
            raise ValueError("two edits of the same characters")
        between = layout.text[at : splice.start]
        out += between
        if splice.is_lines and splice.new and out and out[-1] not in BREAKS:
            out += layout.newline
        out += splice.new
        at = splice.end
        last = splice if splice.new else None if between else last
    rest = layout.text[at:]
    if (
        not rest
        and layout.text[-1:] not in BREAKS
        and last is not None
        and last.is_lines
        and not last.is_text
    ):
        out = out.removesuffix(layout.newline)
    return out + rest
