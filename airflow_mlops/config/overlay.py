"""Layers of one model: defaults, then the profile, then its own file; each value knows where it came from.

Layers are merged as JSON Merge Patch does it (RFC 7396): mappings key by key, ``null`` removes what a layer
below gave, and all else is replaced whole. One rule is added: a mapping with another ``type`` replaces the
one below it, whose keys it could not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_mlops.config.problems import KeyPath, Problem
from airflow_mlops.config.source import Document

LOCKED = "locked"
VARS = "vars"
# What a value says to stand for another: ${vars.rows}. A doubled $ before it takes the meaning away.
REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Composition:
    """What all layers say together. ``documents`` begins with the lowest layer and ends with the model's own
    file; ``cuts`` tells for a path from which layer on what stands below it counts.
    """

    documents: tuple[Document, ...]
    value: dict[str, Any]
    cuts: Mapping[KeyPath, int] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> Document | None:
        """The layer that gave the value at a path; None if no layer did."""
        first = max((self.cuts.get(path[:depth], 0) for depth in range(len(path) + 1)), default=0)
        return next((one for one in reversed(self.documents[first:]) if one.has(path)), None)

    def at_value(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """A problem at the value of a path, in the file that gave it; of the deepest part that is given."""
        document = self._nearest(path)
        return document.problem(document.value_place(path), path, message, hint)

    def at_key(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """The same, at the key."""
        document = self._nearest(path)
        return document.problem(document.key_place(path), path, message, hint)

    def part(self, path: KeyPath) -> Any:
        """What stands at a path, None where nothing does."""
        return part_of(self.value, path)

    def problems(self) -> Iterator[Problem]:
        """What the reader found in the layers' texts."""
        for document in self.documents:
            yield from document.problems

    def _nearest(self, path: KeyPath) -> Document:
        found = (self.origin(path[:depth]) for depth in range(len(path), 0, -1))
        return next((one for one in found if one is not None), self.documents[-1])


def compose(documents: Sequence[Document]) -> tuple[Composition, list[Problem]]:
    """The layers merged, the lowest first, and what is wrong with their locks.

    A layer names in ``locked`` the keys that no later layer may say otherwise; it must itself, or a layer
    below it, give them. ``locked`` and ``vars`` are no part of the result: see ``variables``.
    """
    if len(documents) == 1:
        return Composition(tuple(documents), documents[0].root.value), []
    cuts: dict[KeyPath, int] = {}
    merged: dict[str, Any] = {}
    seen: list[dict[str, Any]] = []
    for number, document in enumerate(documents):
        is_model = document is documents[-1]
        said = document.root.value
        if not is_model:
            said = {key: value for key, value in said.items() if key != LOCKED}
        merged = _merged(merged, said, (), number, cuts)
        seen.append(merged)
    composition = Composition(tuple(documents), merged, cuts)
    return composition, [*_broken_locks(composition, seen)]


def part_of(value: Any, path: KeyPath) -> Any:
    """What stands at a path of plain values; None where nothing does."""
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _merged(
    below: dict[str, Any], above: dict[str, Any], path: KeyPath, number: int, cuts: dict[KeyPath, int]
) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        here = (*path, key)
        old = result.get(key)
        if value is None and key in result:
            del result[key]
            cuts[here] = number + 1
        elif isinstance(value, dict) and isinstance(old, dict) and not _is_another(old, value):
            result[key] = _merged(old, value, here, number, cuts)
        else:
            result[key] = value
            cuts[here] = number
    return result


def _is_another(below: dict[str, Any], above: dict[str, Any]) -> bool:
    return "type" in below and "type" in above and below["type"] != above["type"]


def _broken_locks(composition: Composition, seen: Sequence[dict[str, Any]]) -> Iterator[Problem]:
    for number, document in enumerate(composition.documents[:-1]):
        for index, written in enumerate(_locks(document)):
            at = (LOCKED, index)
            path = tuple(written.split(".")) if isinstance(written, str) else ()
            given = part_of(seen[number], path)
            if not path or given is None:
                place = document.value_place(at)
                hint = f"give {written} in this layer, or in one below it"
                yield document.problem(place, at, f"{written!r} is locked but not given", hint)
                continue
            for locked in (path, *_variables_in(given, seen[number])):
                kept = part_of(seen[number], locked)
                later = (one for one in range(number + 1, len(seen)) if part_of(seen[one], locked) != kept)
                if (first := next(later, None)) is not None:
                    yield _overruled(composition.documents[first], locked, document, at)


def _variables_in(value: Any, settings: dict[str, Any]) -> Iterator[KeyPath]:
    """The variables that decide what a locked value is, those that they refer to included."""
    names = dict.fromkeys(REFERENCE.findall(str(value)))
    for name in (waiting := list(names)):
        path = (VARS, name.strip().removeprefix(f"{VARS}."))
        if (variable := part_of(settings, path)) is not None:
            yield path
            new = [one for one in REFERENCE.findall(str(variable)) if one not in names]
            names |= dict.fromkeys(new)
            waiting += new


def _overruled(later: Document, path: KeyPath, lock: Document, at: KeyPath) -> Problem:
    """At the deepest key of the locked path that the later layer gives: it may have replaced a parent."""
    message = f"locked by {lock.path}:{lock.value_place(at)[0]}"
    return later.problem(later.key_place(path), path, message, "leave it out, or ask who owns that file")


def _locks(document: Document) -> list[Any]:
    locked = document.root.value.get(LOCKED)
    return locked if isinstance(locked, list) else []
