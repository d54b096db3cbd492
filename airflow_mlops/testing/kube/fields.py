"""Which fields an object holds, as paths, and who manages them: ``metadata.managedFields``.

A path is a tuple of the API's own words: ``f:spec`` for a field, ``k:{"name":"main"}`` for an item of a
list that is merged by key, ``v:"x"`` for one of a set. A list or map that is replaced as a whole ends a path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_mlops.testing.kube.resources import Schema
from airflow_mlops.testing.kube.statuses import Object

Path = tuple[str, ...]
_UNTRACKED = ("apiVersion", "kind")
_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
_METADATA_SCHEMA: Schema = {
    "properties": {
        "labels": {"additionalProperties": {}},
        "annotations": {"additionalProperties": {}},
        "finalizers": {"x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "items": {"x-kubernetes-map-type": "atomic"},
        },
    }
}  # fmt: skip


def tracked(value: Object, subresource: str) -> Object:
    """The part of an object that managers own: all but its identity, and its status on a path of its own."""
    if subresource == "status":
        return {"status": value["status"]} if "status" in value else {}
    kept = {k: v for k, v in value.items() if k not in (*_UNTRACKED, "metadata")}
    metadata = {k: v for k, v in value.get("metadata", {}).items() if k in _METADATA}
    return {**kept, "metadata": metadata} if metadata else kept


def whole_schema(schema: Schema) -> Schema:
    """A kind's schema with that of the metadata, which all kinds share."""
    return {**schema, "properties": {**schema.get("properties", {}), "metadata": _METADATA_SCHEMA}}


def below(schema: Schema, step: str) -> Schema:
    """The schema one step down a path."""
    if not step.startswith("f:"):
        found: Schema = schema.get("items", {})
        return found
    name = step[2:]
    properties = schema.get("properties", {})
    if name in properties:
        return properties[name]  # type: ignore[no-any-return]
    others = schema.get("additionalProperties")
    return others if isinstance(others, dict) else {}


def steps(value: Any, schema: Schema) -> Iterator[tuple[str, Any]] | None:
    """One step down: each part of a value that is merged part by part; None for one replaced whole."""
    if isinstance(value, dict) and value and schema.get("x-kubernetes-map-type") != "atomic":
        return ((f"f:{name}", one) for name, one in value.items())
    if isinstance(value, list) and value:
        kind = schema.get("x-kubernetes-list-type", "atomic")
        if kind == "map":
            return ((key_of(item, schema), item) for item in value)
        if kind == "set":
            return ((f"v:{json.dumps(item)}", item) for item in value)
    return None


def key_of(item: Object, schema: Schema) -> str:
    """An item's key in a list that is merged by key; a key field that is not said has its default."""
    properties = schema.get("items", {}).get("properties", {})
    key = {
        name: item.get(name, properties.get(name, {}).get("default"))
        for name in schema["x-kubernetes-list-map-keys"]
    }
    return f"k:{json.dumps(key, sort_keys=True, separators=(',', ':'))}"


def leaves(value: Any, schema: Schema, path: Path = ()) -> dict[Path, Any]:
    """Every path that can be owned, with its value. Items of keyed lists are paths of their own."""
    found: dict[Path, Any] = {}
    parts = steps(value, schema)
    if parts is None:
        return {path: value} if path else {}
    for step, part in parts:
        place = (*path, step)
        if step.startswith("k:"):
            found[place] = None
        elif step.startswith("v:"):
            found[place] = part
            continue
        found |= leaves(part, below(schema, step), place)
    return found


@dataclass(frozen=True, slots=True)
class Owner:
    """Who manages fields, and how: by server-side apply, or by any other write."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource


Owners = dict[tuple[str, str, str], tuple[Owner, frozenset[Path]]]


def read_owners(metadata: Mapping[str, Any]) -> Owners:
    found: Owners = {}
    for entry in metadata.get("managedFields") or ():
        owner = Owner(
            entry["manager"],
            entry["operation"],
            entry["apiVersion"],
            entry.get("subresource", ""),
            entry.get("time"),
        )
        found[owner.key] = owner, frozenset(_paths(entry["fieldsV1"]))
    return found


def written_owners(owners: Owners) -> list[Object]:
    return [
        {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": owner.api_version,
            "time": owner.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(paths),
            **({"subresource": owner.subresource} if owner.subresource else {}),
        }
        for owner, paths in owners.values()
        if paths
    ]


def shown(path: Path) -> str:
    """A path as the messages have it: ``.spec.containers[name="main"].image``."""
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("k:"):
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(step[2:]).items()) + "]"
        else:
            text += f"[={step[2:]}]"
    return text


def _tree(paths: frozenset[Path]) -> Object:
    tree: Object = {}
    for path in sorted(paths):
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        if path[-1].startswith("k:"):
            place["."] = {}
    return tree


def _paths(tree: Object, path: Path = ()) -> Iterator[Path]:
    if not tree and path:
        yield path
    for step, part in tree.items():
        if step == ".":
            yield path
        else:
            yield from _paths(part, (*path, step))
