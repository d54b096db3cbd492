"""``${...}`` in values: typed, on values only, never on the text of a file.

``${vars.rows}`` alone becomes what the variable is, a number as a number; inside other text it becomes text.
``$${`` is a plain ``${``. Airflow's ``{{ }}`` is left for Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlops.config.overlay import REFERENCE, VARS, Composition
from airflow_mlops.config.problems import KeyPath, Problem, nearest

_MAX_TEXT = 100_000
_MAX_DEPTH = 10


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


class _Replacing:
    def __init__(self, composition: Composition, known: Mapping[str, Any]) -> None:
        self.used: dict[KeyPath, tuple[str, ...]] = {}
        self.problems: list[Problem] = []
        self._composition = composition
        self._known = known

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
        try:
            return self._resolved(text, path, ())
        except _Unknown as error:
            self.problems.append(self._composition.at_value(path, str(error), error.hint))
            return text

    def _resolved(self, text: str, path: KeyPath, within: tuple[str, ...]) -> Any:
        whole = REFERENCE.fullmatch(text)
        if whole and not text.startswith("$$"):
            return self._variable(whole[1].strip(), path, within)
        replaced = REFERENCE.sub(lambda found: self._inside(found, path, within), text)
        if "${" in REFERENCE.sub("", text):
            raise _Unknown(
                f"{_short(text)} has a ${{ without its }}", "close it, or write $${ for a plain ${"
            )
        if len(replaced) > _MAX_TEXT:
            raise _Unknown(f"becomes a text of more than {_MAX_TEXT} characters", "write less")
        return replaced

    def _inside(self, found: re.Match[str], path: KeyPath, within: tuple[str, ...]) -> str:
        if found[0].startswith("$$"):
            return found[0][1:]
        name = found[1].strip()
        value = self._variable(name, path, within)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (str, int, float)):
            return str(value)
        kind = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "nothing"
        raise _Unknown(f"${{{name}}} is {kind}, which cannot stand inside text", "let it stand alone")

    def _variable(self, name: str, path: KeyPath, within: tuple[str, ...]) -> Any:
        if name not in self._known:
            hint = nearest(name, self._known) or f"known are {', '.join(self._known)}"
            if name == "profile":
                hint = "no profile is in force here; choose one with [mlops] profile, or --profile"
            raise _Unknown(f"${{{name}}} names nothing", hint)
        if name in within:
            raise _Unknown(f"${{{name}}} refers to itself, by {' and '.join(within)}", "write its value out")
        if len(within) > _MAX_DEPTH:
            raise _Unknown(f"${{{within[0]}}} leads through more than {_MAX_DEPTH} others", "write it out")
        self.used[path] = (*self.used.get(path, ()), name)
        value = self._known[name]
        if isinstance(value, str) and "${" in value:
            return self._resolved(value, path, (*within, name))
        if isinstance(value, (dict, list)) and _refers(value):
            raise _Unknown(
                f"${{{name}}} holds references of its own inside a part", "refer to them where it is used"
            )
        return value


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
