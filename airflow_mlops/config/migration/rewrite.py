"""One edit, carried out in a YAML text: only the characters that it is about change.

What stands around a key in block style is whole lines, in flow style it is a part of a line; both are cut out
and put in by ``Splice``. Whoever calls reads the outcome again and compares it with what the edit means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from airflow_mlops.config.migration.edits import Edit, Move, Rename, Replace
from airflow_mlops.config.migration.layout import BREAKS, Entry, Extent, Layout, comments_in
from airflow_mlops.config.migration.piece import Piece, Splice, spliced, take
from airflow_mlops.config.problems import KeyPath, dotted
from airflow_mlops.config.scalars import Scalar, resolve

_PLAIN = re.compile(r"[A-Za-z0-9_./+-][A-Za-z0-9_./+ -]*(?<! )")


class ByHand(Exception):
    """An edit that this text does not allow. ``path`` is the key at fault, ``other`` one to look at too."""

    def __init__(self, path: KeyPath, message: str, hint: str, other: KeyPath | None = None) -> None:
        self.path, self.message, self.hint, self.other = path, message, hint, other
        super().__init__(message)


def rewritten(text: str, edit: Edit, values: dict[str, Any]) -> str:
    """The text after an edit. ``values`` is what it says before. Raises ``ByHand``."""
    layout = Layout(text)
    match edit:
        case Rename():
            return _moved(layout, edit.move, values)
        case Move():
            return _moved(layout, edit, values)
        case Replace():
            return _replaced(layout, edit) if edit.is_meant(values) else text


def _replaced(layout: Layout, edit: Replace) -> str:
    _refuse_shared(layout, edit.path)
    entry = layout.entry(edit.path)
    assert entry is not None  # noqa: S101 (the value was found there)
    value = entry.value
    names = value.anchor is not None or layout.text[value.start : value.start + 1] == "!"
    if value.kind == "alias" or names or _is_block(value):
        message = f"cannot be replaced by {_scalar(edit.new, '')}: it is more than a plain or quoted value"
        raise ByHand(edit.path, message, "write the new value by hand")
    new = _scalar(edit.new, value.style)
    lead = " " if value.is_empty_scalar else ""
    return spliced(layout, [Splice(value.start, value.end, lead + new)])


def _scalar(value: Scalar, quote: str) -> str:
    """A value as YAML: in the quotes that stood there, where it is text that can stand in them."""
    if not isinstance(value, str):
        return json.dumps(value)
    if quote == "'" and not set(value) & set(BREAKS):
        return "'" + value.replace("'", "''") + "'"
    if not quote and _PLAIN.fullmatch(value) and resolve(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _moved(layout: Layout, move: Move, values: dict[str, Any]) -> str:
    if not move.is_meant(values):
        return layout.text
    _refuse_shared(layout, move.path)
    _refuse_shared(layout, move.to)
    entry = layout.entry(move.path)
    assert entry is not None  # noqa: S101 (it is among the values, and no alias is on the way)
    _refuse_tied(layout, entry, move)
    _refuse_unusual(layout, entry, move.path)
    if (there := layout.entry(move.to)) is not None and there is not entry:
        return _merged(layout, entry, move, values)
    owner, depth = _owner(layout, entry, move)
    names = move.to[depth:]
    if depth == len(move.path) - 1 and move.to[:depth] == move.path[:depth]:
        return spliced(layout, _in_place(layout, entry, names))
    puts = list(_put(layout, owner, entry, move, names))
    _refuse_open_text(layout, entry, puts, move)
    return spliced(layout, [*puts, *_cut(layout, entry, owner, move.path)])


def _refuse_shared(layout: Layout, path: KeyPath) -> None:
    """An edit inside an anchor's value would reach all that use it; one inside an alias has no text."""
    used = {part.alias for part in layout.root.parts()} - {None}
    for depth in range(1, len(path) + 1):
        entry = layout.entry(path[:depth])
        if entry is None:
            return
        name = entry.value.alias or entry.value.anchor
        is_inside = depth < len(path)
        if is_inside and (entry.value.alias or name in used):
            message = f"cannot be changed, because *{name} uses the same values"
            raise ByHand(
                path[:depth], message, "write the values out where they are used, then migrate again"
            )


def _refuse_tied(layout: Layout, entry: Entry, move: Move) -> None:
    """An anchor must stand above its aliases, and a move may turn that around."""
    inside = list(entry.value.parts())
    anchors = {part.anchor for part in inside} - {None}
    aliases = {part.alias for part in inside} - {None}
    within = {id(part) for part in inside}
    tied = aliases - anchors
    tied |= {part.alias for part in layout.root.parts() if id(part) not in within and part.alias in anchors}
    if tied:
        name = min(str(name) for name in tied)
        message = f"cannot be moved to {dotted(move.to)}, because its value is tied to another by &{name}"
        raise ByHand(move.path, message, "write the value out in place of the alias, then migrate again")


def _refuse_unusual(layout: Layout, entry: Entry, path: KeyPath) -> None:
    at: Entry | None = entry
    while at is not None:
        before = layout.text[layout.start_of(layout.line_at(at.start)) : at.start]
        in_the_way = before.strip() if not at.parent.is_flow else before.rstrip().endswith("?")
        if not at.is_bare or in_the_way:
            hint = "write it as a plain key: value, then migrate again"
            raise ByHand(path, "cannot be moved from where it stands", hint)
        at = at.owner


def _refuse_open_text(layout: Layout, entry: Entry, puts: list[Splice], move: Move) -> None:
    """A block of text at the very end of a file without a last line's end says something else elsewhere."""
    last = _last(layout.root)
    if layout.text[-1:] in BREAKS or not _is_block(last):
        return
    if any(part is last for part in entry.value.parts()) or any(
        put.start == len(layout.text) for put in puts
    ):
        message = f"cannot be moved to {dotted(move.to)}, because the file's last line has no end"
        raise ByHand(move.path, message, "end the file with a line break, then migrate again")


def _last(value: Extent) -> Extent:
    inside = [*value.items, *(entry.value for entry in value.entries.values())]
    return _last(inside[-1]) if inside else value


def _is_block(value: Extent) -> bool:
    return value.style in ("|", ">")


def _merged(layout: Layout, entry: Entry, move: Move, values: dict[str, Any]) -> str:
    """The target is given already: fine if it says the same, and then the old key goes."""
    values_of = [_value_at(values, path) for path in (move.path, move.to)]
    one_line = not set(layout.text[entry.start : entry.value.end]) & set(BREAKS)
    if one_line and json.dumps(values_of[0], sort_keys=True) == json.dumps(values_of[1], sort_keys=True):
        return spliced(layout, _cut(layout, entry, layout.root, move.path, keep_comments=True))
    message = f"is now {dotted(move.to)}, which is given as well, in line {{line}}"
    raise ByHand(move.path, message, "keep one of the two", move.to)


def _value_at(values: Any, path: KeyPath) -> Any:
    for part in path:
        values = values[part]
    return values


def _owner(layout: Layout, entry: Entry, move: Move) -> tuple[Extent, int]:
    """The deepest value on the way to the target that stays, and how many keys lead to it."""
    owner = layout.root
    for depth, part in enumerate(move.to[:-1]):
        found = owner.entries.get(part)
        if found is None or found is entry:
            return owner, depth
        is_null = found.value.kind == "scalar" and found.value.style == ""
        text = layout.text[found.value.start : found.value.end]
        if found.value.kind != "mapping" and not (is_null and resolve(text) is None):
            path = move.to[: depth + 1]
            message = f"is now {dotted(move.to)}, and {dotted(path)} in line {{line}} is no mapping"
            raise ByHand(move.path, message, f"make {dotted(path)} a mapping", path)
        owner = found.value
    return owner, len(move.to) - 1


def _in_place(layout: Layout, entry: Entry, names: tuple[str, ...]) -> list[Splice]:
    """The key stays where it is, below new parents if there are any."""
    if len(names) == 1:
        return [Splice(entry.start, entry.key_end, _key(names[0], layout, entry))]
    if entry.parent.is_flow:
        opening = "".join(f"{_key(name)}: {{" for name in names[:-1])
        return [
            Splice(entry.start, entry.key_end, opening + _key(names[-1], layout, entry)),
            Splice(entry.value.end, entry.value.end, "}" * (len(names) - 1)),
        ]
    piece = take(layout, entry)
    column = layout.column(entry.start)
    return [Splice(piece.start, piece.end, _block(layout, piece, names, column), is_lines=True)]


def _put(layout: Layout, owner: Extent, entry: Entry, move: Move, names: tuple[str, ...]) -> Iterator[Splice]:
    """The key is added at the end of a mapping that is there."""
    piece, is_text = take(layout, entry), _is_block(_last(entry.value))
    holder = next(
        (one for part in layout.root.parts() for one in part.entries.values() if one.value is owner), None
    )
    if not owner.is_flow and owner.entries:
        last = list(owner.entries.values())[-1]
        column = layout.column(last.start)
        at = take(layout, last).end_with_comments(layout, column)
        yield Splice(at, at, _block(layout, piece, names, column), is_lines=True, is_text=is_text)
    elif not owner.is_flow and holder is not None and not holder.parent.is_flow:
        column = layout.column(holder.start) + layout.indent()
        yield Splice(owner.start - (owner.start < owner.end), owner.end, "")
        at = take(layout, holder).end
        yield Splice(at, at, _block(layout, piece, names, column), is_lines=True, is_text=is_text)
    else:
        yield from _put_in_flow(layout, owner, entry, move, names, piece)


def _put_in_flow(
    layout: Layout, owner: Extent, entry: Entry, move: Move, names: tuple[str, ...], piece: Piece
) -> Iterator[Splice]:
    """``{a: 1}`` takes ``, b: 2`` at its end; comments, for which it has no room, go above its line."""
    value = layout.text[entry.value.start : entry.value.end]
    if set(layout.text[entry.start : entry.value.end]) & set(BREAKS) or _is_block(entry.value):
        message = f"is now {dotted(move.to)}, and does not fit between the braces of line {{line}}"
        raise ByHand(move.path, message, "move it by hand", move.to[: -len(names)])
    if entry.value.kind == "scalar" and not entry.value.style and set(value) & set(",[]{}"):
        value = json.dumps(value, ensure_ascii=False)
    opening = "".join(f"{_key(name)}: {{" for name in names[:-1])
    said = f"{opening}{_key(names[-1], layout, entry)}: {value or 'null'}" + "}" * (len(names) - 1)
    if not owner.is_flow:
        lead = " " if owner.is_empty_scalar else ""
        yield Splice(owner.start, owner.end, f"{lead}{{{said}}}")
    elif owner.entries:
        end = list(owner.entries.values())[-1].value.end
        yield Splice(end, end, f", {said}")
    else:
        yield Splice(owner.inner, owner.inner, said)
    line = layout.line_at(owner.start)
    lead = layout.lines[line][: len(layout.lines[line]) - len(layout.lines[line].lstrip(" "))]
    comments = [*piece.comments, *comments_in("".join(piece.body)[piece.said :])]
    above = "".join(f"{lead}{comment}{layout.newline}" for comment in comments)
    yield Splice(layout.start_of(line), layout.start_of(line), above, is_lines=True)


def _cut(
    layout: Layout, entry: Entry, owner: Extent, path: KeyPath, *, keep_comments: bool = False
) -> Iterator[Splice]:
    """The key goes, and so do the mappings around it that held nothing else. What comments stood at those
    stay as lines of their own.
    """
    piece = take(layout, entry)
    start, end = piece.start, piece.end
    if keep_comments:
        start, end = (entry.start, entry.value.end)
    top = entry
    while len(top.parent.entries) == 1 and top.parent is not owner and top.owner is not None:
        top = top.owner
    whole = take(layout, top)
    if top is not entry or (keep_comments and not top.parent.is_flow):
        left = [
            *comments_in(layout.text[top.key_end : max(start, top.key_end)]),
            *comments_in(layout.text[end : whole.end]),
        ]
        if not top.parent.is_flow:
            lead = " " * layout.column(top.start)
            first = layout.start_of(layout.line_at(top.start))
            lines = "".join(f"{lead}{comment}{layout.newline}" for comment in left)
            yield Splice(first, whole.end, lines, is_lines=True)
            return
        if left:
            raise ByHand(path, "leaves a mapping with nothing but comments", "move it by hand")
    if keep_comments and whole.is_lines:
        raise ByHand(path, "is given at its new place as well", "remove it by hand")
    yield Splice(whole.start, whole.end, "", is_lines=whole.is_lines)


def _block(layout: Layout, piece: Piece, names: tuple[str, ...], column: int) -> str:
    """The lines of a key in block style, below parents of these names."""
    step = layout.indent()
    lines = [
        " " * (column + depth * step) + f"{_key(name)}:{layout.newline}"
        for depth, name in enumerate(names[:-1])
    ]
    return "".join(lines) + piece.text(_key(names[-1], layout, piece.entry), column + (len(names) - 1) * step)


def _key(name: str, layout: Layout | None = None, entry: Entry | None = None) -> str:
    """A key as YAML; as it was written, where it keeps its name."""
    if layout is not None and entry is not None and entry.key == name:
        return layout.text[entry.start : entry.key_end]
    return name if name in ("y", "Y", "n", "N") else _scalar(name, "")  # of a key, source.py makes text
