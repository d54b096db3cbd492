"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on plain JSON."""

from __future__ import annotations

import copy
from typing import Any

from airflow_mlops.testing.kube.statuses import ApiError


def merge_patch(value: Any, patch: Any) -> Any:
    """``value`` with the patch's fields; null removes one, and everything but objects is replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


def json_patch(value: Any, operations: Any) -> Any:
    """``value`` after all operations, or the API's 422 where one of them, a ``test`` say, does not hold."""
    whole = {"": copy.deepcopy(value)}
    for operation in operations:
        try:
            _step(whole, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ApiError(
                422, "Invalid", "the server rejected our request due to an error in our request"
            ) from error
    return whole[""]


def _step(whole: dict[str, Any], operation: dict[str, Any]) -> None:
    kind, path = operation["op"], _parts(operation["path"])
    match kind:
        case "test":
            if _get(whole, path) != operation["value"]:
                raise ValueError(f"{operation['path']} is not {operation['value']!r}")
        case "add":
            _put(whole, path, copy.deepcopy(operation["value"]), new=True)
        case "replace":
            _get(whole, path)
            _put(whole, path, copy.deepcopy(operation["value"]), new=False)
        case "remove":
            _take(whole, path)
        case "move":
            _put(whole, path, _take(whole, _parts(operation["from"])), new=True)
        case "copy":
            _put(whole, path, copy.deepcopy(_get(whole, _parts(operation["from"]))), new=True)
        case _:
            raise ValueError(f"there is no operation {kind!r}")


def _parts(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _get(whole: Any, parts: list[str]) -> Any:
    for part in parts:
        whole = whole[_index(part, whole)] if isinstance(whole, list) else whole[part]
    return whole


def _put(whole: Any, parts: list[str], value: Any, *, new: bool) -> None:
    holder, last = _get(whole, parts[:-1]), parts[-1]
    if isinstance(holder, list):
        if new:
            holder.insert(len(holder) if last == "-" else _index(last, holder, one_more=True), value)
        else:
            holder[_index(last, holder)] = value
    else:
        holder[last] = value


def _take(whole: Any, parts: list[str]) -> Any:
    holder, last = _get(whole, parts[:-1]), parts[-1]
    return holder.pop(_index(last, holder)) if isinstance(holder, list) else holder.pop(last)


def _index(part: str, holder: list[Any], *, one_more: bool = False) -> int:
    number = int(part)
    if not 0 <= number < len(holder) + one_more:
        raise IndexError(part)
    return number
