"""A model's keys as Python values, and the document that a YAML saying the same would have been."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from airflow_mlops.config.imports import takes_import_path
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.config.source import MAX_DEPTH, Document, Node, Place, unfit

# What Airflow calls the module of a DAG file; no other process can import it by that name.
DAG_MODULE = "unusual_prefix_"
_CODE = (FunctionType, BuiltinFunctionType, MethodType, type)
# Stands where a value was refused, so that the checks of its neighbours go on.
_REFUSED = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that no YAML could have said."""

    path: KeyPath
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Written:
    """Plain values (mappings, lists, text, numbers, true, false, nothing), copied from what was given."""

    value: dict[str, Any]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value begins in a Python file, and its keys and values as far as they are spelled out there."""

    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)
    children: Mapping[str | int, Spot] = field(default_factory=dict)


def read_values(keys: Mapping[str, Any]) -> Written:
    """Python values as the plain ones that a YAML would give.

    Dates become text, tuples lists, and functions and classes their import paths. Refused is what has no
    counterpart in YAML: it could not be shown, compared or hashed the same way in two processes.
    """
    faults: list[Fault] = []
    value = _mapping(keys, (), faults)
    if (wrong := unfit(value)) is not None:
        faults.append(Fault((), wrong, "no YAML could say it either"))
    return Written(value, tuple(faults))


def document_of(written: Written, path: str, spot: Spot, lines: tuple[str, ...] = ()) -> Document:
    """The values as a layer. What the file does not spell out stands at the nearest part that it does."""
    document = Document(path, lines, _node(written.value, spot), ())
    problems = tuple(
        document.problem(document.value_place(fault.path), fault.path, fault.message, fault.hint)
        for fault in written.faults
    )
    return Document(path, lines, document.root, problems)


def _node(value: Any, spot: Spot) -> Node:
    node = Node(value, spot.place)
    below: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        below = iter(value.items())
        node.keys = {key: spot.keys.get(key, spot.place) for key in value}
    elif isinstance(value, list):
        below = iter(enumerate(value))
    for key, one in below:
        node.children[key] = _node(one, spot.children.get(key) or Spot(node.keys.get(str(key), spot.place)))
    return node


def _mapping(given: Mapping[Any, Any], path: KeyPath, faults: list[Fault]) -> dict[str, Any]:
    result = {}
    for key, one in given.items():
        if isinstance(key, str):
            name = str.__str__(key)
            result[name] = _plain(one, (*path, name), faults)
        else:
            faults.append(Fault(path, f"the key {key!r} is not text", "quote it"))
    return result


def _plain(value: Any, path: KeyPath, faults: list[Fault]) -> Any:
    if len(path) > MAX_DEPTH:
        faults.append(Fault(path, f"nested deeper than {MAX_DEPTH} levels", "a model's keys are flat"))
        return _REFUSED
    match value:
        case None | bool():
            return value
        case str():  # and its subclasses, as plain text
            return str.__str__(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case date():
            return value.isoformat()
        case Mapping():
            return _mapping(value, path, faults)
        case list() | tuple():
            return [_plain(one, (*path, index), faults) for index, one in enumerate(value)]
    try:
        if isinstance(value, _CODE) and takes_import_path(path):
            return _import_path(value)
        raise _no_value(value)
    except _Unusable as error:
        faults.append(Fault(path, str(error), error.hint))
        return _REFUSED


class _Unusable(ValueError):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _import_path(code: Any) -> str:
    """The path under which a step, in another process, finds the same object. Raises ``_Unusable``."""
    name = getattr(code, "__qualname__", "")
    module = getattr(code, "__module__", None) or ""
    move = "move it to a module in Airflow's plugins/ folder, or of an installed package"
    if name.endswith("<lambda>"):
        raise _Unusable("a lambda has no import path, and a step imports its code", f"name it, and {move}")
    if module.startswith(DAG_MODULE) or module == "__main__":
        raise _Unusable(f"{name} stands in the DAG file itself, which a step cannot import", move)
    if "<locals>" in name:
        raise _Unusable(f"{name} stands inside a function, where a step cannot import it", move)
    if not name.isidentifier():
        raise _Unusable(f"{name or code!r} is not at the top level of its module", move)
    if getattr(sys.modules.get(module), name, None) is not code:
        hint = "give the path as text, as in 'package.module:name'"
        raise _Unusable(f"{module}:{name} does not lead to this object (is it wrapped, or renamed?)", hint)
    # Libraries keep their classes in private modules, which they move as they like.
    public = [part.startswith("_") for part in module.split(".")]
    if any(public):
        above = ".".join(module.split(".")[: public.index(True)])
        if getattr(sys.modules.get(above), name, None) is code:
            module = above
    return f"{module}.{name}" if isinstance(code, type) else f"{module}:{name}"


def _no_value(value: Any) -> _Unusable:
    kind = type(value).__name__
    match value:
        case float():
            return _Unusable(f"{value} is not a number that JSON can hold", "give a finite number")
        case set() | frozenset():
            return _Unusable(f"a {kind} has no order", "give a list")
        case _ if isinstance(value, _CODE):
            return _Unusable("is code, and this key takes a plain value", "give text, numbers or mappings")
        case _ if kind in ("timedelta", "Duration"):
            return _Unusable(f"a {kind} is no value of a model's key", "give text, as in '14 days'")
        case _ if callable(value):
            return _Unusable(f"a {kind} has no import path", "give a function, and arguments as params")
    hint = "give text, numbers, true or false, lists and mappings"
    return _Unusable(f"a {kind} is no value of a model's key", hint)
