"""Assets that start a dag-factory DAG, as ``schedule.assets``.

A URI without a name is the asset's name too, as Airflow has it, and so stands as a bare name here. A list
waits for all of its assets there, and here for any of them: it is written as ``all``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from airflow_mlops.cli.convert.draft import shown
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.values import Said
from airflow_mlops.config.levels import OWN_ASSETS
from airflow_mlops.config.parts.schedule import Schedule

# The key, tag or class that joins assets. The bare words are those of dag-factory before 1.0.
_KEYS: Mapping[str, str] = {"__and__": "all", "and": "all", "__or__": "any", "or": "any"}
_CLASSES: Mapping[str, str] = {
    "AssetAll": "all", "DatasetAll": "all", "AssetAny": "any", "DatasetAny": "any", "list": "all",
}  # fmt: skip
_ASSETS = ("Asset", "Dataset")
_NAMES = ("name", "uri", "__type__", "__args__")
_SIGNS = re.compile(r"([()&|])")
_DEEPEST = 8


def describes(node: Node) -> bool:
    """Whether a schedule is made of assets."""
    is_object = node.type_name in (*_ASSETS, *_CLASSES)
    return bool(node.items) or is_object or any(key in node.entries for key in _KEYS)


def assets(node: Node) -> Said:
    """An asset, a list of them, or what joins them. Raises ``ValueError`` where a model cannot say it."""
    return _said(node, is_expression=False)


def expression(node: Node) -> Said:
    """The same, where a text is an expression: ``(a & b) | c``."""
    return _said(node, is_expression=True)


def are_of(model: str, value: Any) -> bool:
    """Whether one of these assets is updated by the model's own DAGs, which would start each other."""
    spoken = Schedule.model_validate({"assets": value}).assets
    own = {f"{model}/{name}" for name in OWN_ASSETS}
    return spoken is not None and not own.isdisjoint(spoken.names())


def _said(node: Node, is_expression: bool) -> Said:
    value = _condition(node, is_expression)
    try:
        Schedule.model_validate({"assets": value})
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error
    if without := sorted(set(_left_out(node))):
        return Said(value, f"without {', '.join(without)}, which the asset's producer says")
    return Said(value)


def _condition(node: Node, is_expression: bool, depth: int = 0) -> Any:
    _refuse_depth(depth)
    if node.type_name in _ASSETS:
        return _asset(node)
    kind = node.type_name or node.tag.removeprefix("!")
    if kind and kind not in (*_CLASSES, *_KEYS):
        raise ValueError(f"{shown(kind)} is no asset")
    if found := _joined(node):
        form, parts = found
        return _join(form, [_condition(part, is_expression, depth + 1) for part in parts])
    if not node.text:
        raise ValueError("not an asset, a list of assets, or __and__ or __or__ of them")
    return _parsed(node.text) if is_expression else node.text


def _joined(node: Node) -> tuple[str, list[Node]] | None:
    if node.items:
        return _KEYS.get(node.tag.removeprefix("!"), "all"), node.items
    if form := _CLASSES.get(node.type_name):
        given = node.at("__args__") or node.at("items")
        return form, given.items if given is not None else []
    return next(((form, node.entries[key].items) for key, form in _KEYS.items() if key in node.entries), None)


def _join(form: str, parts: list[Any]) -> Any:
    if not parts:
        raise ValueError("names no asset")
    return parts[0] if len(parts) == 1 else {form: parts}


def _asset(node: Node) -> Any:
    given = node.arguments(("name", "uri"))
    name, uri = (given[key].text if key in given else "" for key in ("name", "uri"))
    if not (name or uri):
        raise ValueError("an asset without a name")
    return {"name": name, "uri": uri} if name and uri and name != uri else name or uri


def _left_out(node: Node) -> Iterator[str]:
    """What assets say beside their names."""
    if node.type_name in _ASSETS:
        yield from (key for key in node.entries if key not in _NAMES)
        return
    for part in (*node.entries.values(), *node.items):
        yield from _left_out(part)


def _refuse_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST} levels")


def _parsed(text: str) -> Any:
    """``&`` binds closer than ``|``, as in Python."""
    tokens = [part.strip() for part in _SIGNS.split(text) if part.strip()]
    value = _any(tokens, 0)
    if tokens:
        raise ValueError(f"{shown(text)!r} cannot be read after its {shown(tokens[0])!r}")
    return value


def _any(tokens: list[str], depth: int) -> Any:
    """Takes what it reads from the tokens, as those below."""
    _refuse_depth(depth)
    parts = [_all(tokens, depth)]
    while tokens[:1] == ["|"]:
        del tokens[0]
        parts.append(_all(tokens, depth))
    return _join("any", parts)


def _all(tokens: list[str], depth: int) -> Any:
    parts = [_one(tokens, depth)]
    while tokens[:1] == ["&"]:
        del tokens[0]
        parts.append(_one(tokens, depth))
    return _join("all", parts)


def _one(tokens: list[str], depth: int) -> Any:
    first = tokens.pop(0) if tokens else ""
    if first == "(":
        value = _any(tokens, depth + 1)
        if tokens[:1] != [")"]:
            raise ValueError("a bracket that is not closed")
        del tokens[0]
        return value
    if not first or _SIGNS.fullmatch(first):
        raise ValueError("an expression in which an asset is missing")
    return first
