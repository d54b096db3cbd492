"""Server-side apply: merge what one manager wants, by field, and refuse to take another's fields away."""

from __future__ import annotations

import copy
import json
from typing import Any

from airflow_mlops.testing.kube.fields import (
    Owner,
    Owners,
    Path,
    below,
    leaves,
    read_owners,
    shown,
    steps,
    tracked,
    whole_schema,
    written_owners,
)
from airflow_mlops.testing.kube.resources import Resource, Schema
from airflow_mlops.testing.kube.statuses import ApiError, Object


def apply(live: Object, wanted: Object, resource: Resource, owner: Owner, *, force: bool) -> Object:
    """``live`` (empty at creation) with ``wanted`` merged in. Fields that this manager applied before and
    does not name any more go, unless somebody else has them too. Raises the 409 that names the owners."""
    schema = whole_schema(resource.schema)
    asked = tracked(wanted, owner.subresource)
    asked_leaves = leaves(asked, schema)
    now = leaves(tracked(live, owner.subresource), schema)
    owners = read_owners(live.get("metadata", {}))
    contested = {path: value for path, value in asked_leaves.items() if path not in now or now[path] != value}
    owners = _settle(owners, frozenset(contested), owner, force=force)
    merged: Object = _merged(copy.deepcopy(live), asked, schema)
    before = owners[owner.key][1] if owner.key in owners else frozenset()
    others = {path for key, (_, paths) in owners.items() if key != owner.key for path in paths}
    gone = {
        path
        for path in before - asked_leaves.keys()
        if not any(other[: len(path)] == path for other in others)
    }
    for path in gone:
        # An item goes as a whole; without its key it could not be found any more.
        if not any(path[:length] in gone for length in range(1, len(path))):
            _remove(merged, path, schema)
    owners[owner.key] = owner, frozenset(asked_leaves)
    merged.setdefault("metadata", {})["managedFields"] = written_owners(owners)
    return merged


def track(old: Object, new: Object, resource: Resource, owner: Owner) -> None:
    """Write into ``new`` who owns its fields after a write that was no apply: who changes a field has it."""
    schema = whole_schema(resource.schema)
    before = leaves(tracked(old, owner.subresource), schema)
    after = leaves(tracked(new, owner.subresource), schema)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    owners: Owners = {
        key: (one, paths - gone - (changed if key != owner.key else frozenset()))
        for key, (one, paths) in read_owners(old.get("metadata", {})).items()
    }
    if changed:
        kept = owners[owner.key][1] if owner.key in owners else frozenset()
        owners[owner.key] = owner, kept | changed
    new["metadata"]["managedFields"] = written_owners(owners)


def _settle(owners: Owners, contested: frozenset[Path], owner: Owner, *, force: bool) -> Owners:
    lost = {
        key: (one, paths & contested)
        for key, (one, paths) in owners.items()
        if key != owner.key and paths & contested
    }
    if lost and not force:
        raise _conflict(list(lost.values()))
    return {key: (one, paths - contested if key in lost else paths) for key, (one, paths) in owners.items()}


def _conflict(lost: list[tuple[Owner, frozenset[Path]]]) -> ApiError:
    found = [(one, path) for one, paths in lost for path in sorted(paths)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_name(one)}", "field": shown(path)}
        for one, path in found
    ]
    if len(found) == 1:
        said = f"{causes[0]['message']}: {causes[0]['field']}"
    else:
        said = "\n".join(
            f"conflicts with {_name(one)}:\n" + "\n".join(f"- {shown(path)}" for path in sorted(paths))
            for one, paths in lost
        )
    plural = "" if len(found) == 1 else "s"
    return ApiError(
        409, "Conflict", f"Apply failed with {len(found)} conflict{plural}: {said}", causes=causes
    )


def _name(owner: Owner) -> str:
    name = json.dumps(owner.manager)
    if owner.subresource:
        name += f" with subresource {json.dumps(owner.subresource)}"
    if owner.operation == "Update":
        name += f" using {owner.api_version}" + (f" at {owner.time}" if owner.time else "")
    return name


def _merged(live: Any, wanted: Any, schema: Schema) -> Any:
    parts = steps(wanted, schema)
    if parts is None or not isinstance(live, type(wanted)):
        return copy.deepcopy(wanted)
    if isinstance(wanted, dict):
        for step, part in parts:
            name = step[2:]
            live[name] = _merged(live.get(name), part, below(schema, step))
        return live
    places = {step: number for number, (step, _) in enumerate(steps(live, schema) or ())}
    for step, part in parts:
        if step in places:
            if step.startswith("k:"):
                live[places[step]] = _merged(live[places[step]], part, below(schema, step))
        else:
            live.append(copy.deepcopy(part))
    return live


def _remove(value: Any, path: Path, schema: Schema) -> None:
    """Take a path away, and what is left empty by that."""
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        name = step[2:]
        if name not in value:
            return
        if rest:
            _remove(value[name], rest, below(schema, step))
        if not rest or value[name] in ({}, []):
            del value[name]
    elif isinstance(value, list):
        for number, (found, part) in enumerate(list(steps(value, schema) or ())):
            if found == step:
                if rest:
                    _remove(part, rest, below(schema, step))
                else:
                    del value[number]
                return
