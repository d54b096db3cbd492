"""``${...}`` in values: typed, on values only, never on the text of a file.

``${vars.rows}`` alone becomes what the variable is, a number as a number; inside other text it becomes text.
``$${`` is a plain ``${``. Airflow's ``{{ }}`` is left for Airflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_mlops.config.overlay import REFERENCE, VARS, Composition
from airflow_mlops.config.problems import MAX_PROBLEMS, KeyPath, Problem, clipped, nearest
from airflow_mlops.config.source import MAX_VALUES, size_of

_MAX_TEXT = 100_000
_MAX_DEPTH = 10
_MOST_NAMES = 50


@dataclass(slots=True)
class Substituted:
    """The values without references; ``used`` tells for a path which variables it came from."""

    value: dict[str, Any]
    used: dict[KeyPath, tuple[str, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def substitute(composition: Composition, profile: str | None) -> Substituted:
    """Replace every reference. Known are ``model``, ``profile`` and the ``vars.`` of all layers, which may
    refer to one another. ``vars`` itself is no part of the result.
    """
    value = composition.value
    variables = value.get(VARS)
    if VARS in value:
        value = {key: one for key, one in value.items() if key != VARS}
    known: dict[str, Any] = {"model": value.get("model")}
    if profile is not None:
        known["profile"] = profile
    if isinstance(variables, dict):
        known |= {f"{VARS}.{name}": one for name, one in variables.items()}
    replacing = _Replacing(composition, known)
    if VARS in composition.value and not isinstance(variables, dict):
        replacing.problems.append(composition.at_value((VARS,), "must be a mapping of keys"))
    if any(_may_refer(line) for document in composition.documents for line in document.lines):
        value = replacing.mapping(value, ())
    return Substituted(value, replacing.used, replacing.problems)


def _may_refer(line: str) -> bool:
    """Most files refer to nothing and need not be gone through. In quotes a $ may be written as an escape."""
    return "${" in line or "\\" in line


@dataclass(frozen=True, slots=True)
class _Variable:
    """What a variable is, which names it came from (its own first), how many values it counts as, and how
    many other variables it leads through."""

    value: Any
    names: tuple[str, ...]
    size: int
    depth: int


class _Replacing:
    """Each variable is resolved once, and what all of them bring into the file is counted: a few lines of
    variables that refer to one another could otherwise stand for more than any machine can hold."""

    def __init__(self, composition: Composition, known: Mapping[str, Any]) -> None:
        self.used: dict[KeyPath, tuple[str, ...]] = {}
        self.problems: list[Problem] = []
        self._composition = composition
        self._known = known
        self._resolved: dict[str, _Variable | _Unknown] = {}
        self._size = 0

    def mapping(self, value: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        """A copy where something was replaced, else the mapping itself: most files refer to nothing."""
        result = value
        for key, one in value.items():
            new = self._replaced(one, (*path, key))
            if new is not one:
                result = dict(value) if result is value else result
                result[key] = new
        return result

    def _replaced(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return self.mapping(value, path)
        if isinstance(value, list):
            new = [self._replaced(one, (*path, index)) for index, one in enumerate(value)]
            return new if any(one is not old for one, old in zip(new, value, strict=True)) else value
        return value

    def _text(self, text: str, path: KeyPath) -> Any:
        if len(self.problems) > MAX_PROBLEMS:
            return text
        try:
            made = self._made_of(text, ())
            was, self._size = self._size, self._size + made.size
            if was > MAX_VALUES:
                return text  # told already
            if self._size > MAX_VALUES:
                raise _Unknown(f"variables bring more than {MAX_VALUES} values into this file", "write less")
        except _Unknown as error:
            self.problems.append(self._composition.at_value(path, str(error), error.hint))
            return text
        if made.names:
            self.used[path] = made.names
        return made.value

    def _made_of(self, text: str, within: tuple[str, ...]) -> _Variable:
        whole = REFERENCE.fullmatch(text)
        if whole and whole[1] is not None:
            return self._variable(whole[1].strip(), within)
        parts: list[str] = []
        names: dict[str, None] = {}
        at = length = depth = 0
        for found in REFERENCE.finditer(text):
            parts.append(text[at : found.start()])
            at = found.end()
            if found[1] is None:
                parts.append("${")
            else:
                one = self._variable(found[1].strip(), within)
                parts.append(_in_text(one.value, found[1].strip()))
                if len(names) < _MOST_NAMES:
                    names |= dict.fromkeys(one.names)
                depth = max(depth, one.depth)
            length += len(parts[-1]) + len(parts[-2])
            if length > _MAX_TEXT:
                raise _Unknown(f"becomes a text of more than {_MAX_TEXT} characters", "write less")
        parts.append(text[at:])
        if any("${" in part for part in parts[::2]):
            raise _Unknown(
                f"{_short(text)} has a ${{ without its }}", "close it, or write $${ for a plain ${"
            )
        made = "".join(parts)
        if len(made) > _MAX_TEXT:
            raise _Unknown(f"becomes a text of more than {_MAX_TEXT} characters", "write less")
        return _Variable(made, tuple(names), size_of(made), depth)

    def _variable(self, name: str, within: tuple[str, ...]) -> _Variable:
        if name in within:
            raise _Unknown(
                f"${{{_name(name)}}} refers to itself, by {' and '.join(map(_name, within))}",
                "write its value out",
            )
        if name not in self._resolved:
            try:
                self._resolved[name] = self._looked_up(name, within)
            except _Unknown as error:
                self._resolved[name] = error
        found = self._resolved[name]
        if isinstance(found, _Unknown):
            raise found
        return found

    def _looked_up(self, name: str, within: tuple[str, ...]) -> _Variable:
        if name not in self._known:
            hint = nearest(name, self._known) or f"known are {', '.join(map(_name, islice(self._known, 20)))}"
            if name == "profile":
                hint = "no profile is in force here; choose one with [mlops] profile, or --profile"
            raise _Unknown(f"${{{_name(name)}}} names nothing", hint)
        value = self._known[name]
        if isinstance(value, str) and "${" in value:
            if len(within) > _MAX_DEPTH:
                first = _name((*within, name)[0])
                raise _Unknown(f"${{{first}}} leads through more than {_MAX_DEPTH} others", "write it out")
            made = self._made_of(value, (*within, name))
            names = tuple(dict.fromkeys((name, *made.names[:_MOST_NAMES])))
            if made.depth >= _MAX_DEPTH:
                raise _Unknown(
                    f"${{{_name(name)}}} leads through more than {_MAX_DEPTH} others", "write it out"
                )
            return _Variable(made.value, names, made.size, made.depth + 1)
        if isinstance(value, (dict, list)) and _refers(value):
            raise _Unknown(
                f"${{{_name(name)}}} holds references of its own inside a part",
                "refer to them where it is used",
            )
        return _Variable(value, (name,), _size_of(value), 0)


def _in_text(value: Any, name: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    kind = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "nothing"
    raise _Unknown(f"${{{_name(name)}}} is {kind}, which cannot stand inside text", "let it stand alone")


def _size_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size_of(one) for one in value.values())
    if isinstance(value, list):
        return 1 + sum(_size_of(one) for one in value)
    return size_of(value) if isinstance(value, str) else 1


def _name(name: str) -> str:
    return clipped(name, 60)


class _Unknown(ValueError):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _refers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_refers(one) for one in value.values())
    if isinstance(value, list):
        return any(_refers(one) for one in value)
    return isinstance(value, str) and "${" in value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
