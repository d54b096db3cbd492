"""What the API server looks at before a write is kept, and which part of the write it keeps."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from airflow_mlops.testing.kube.resources import Resource
from airflow_mlops.testing.kube.statuses import Object, invalid, modified

_LABEL_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character, at most 63 of them"
)


def check_version(resource: Resource, old: Object, new: Object) -> None:
    asked = new["metadata"].get("resourceVersion")
    if asked and asked != old["metadata"]["resourceVersion"]:
        raise modified(resource.full_name, old["metadata"]["name"])


def only(resource: Resource, old: Object, new: Object, subresource: str) -> Object:
    """The part of a write that its path lets through: the status on its own path, else all but it."""
    if subresource == "status":
        metadata = {**old["metadata"], "managedFields": new["metadata"].get("managedFields", [])}
        return {**old, "status": new.get("status", {}), "metadata": metadata}
    if resource.status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new


def encode_secret(resource: Resource, new: Object) -> None:
    """``stringData`` is for writing only: it is kept, and read again, as base64 ``data``."""
    if resource.kind == "Secret" and (texts := new.pop("stringData", None)):
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
        new["data"] = {**(new.get("data") or {}), **encoded}


def check_labels(resource: Resource, new: Object) -> None:
    faults = [
        (f"metadata.{field}", "FieldValueInvalid", f"Invalid value: {value!r}: must be a string")
        for field in ("labels", "annotations")
        for value in (new["metadata"].get(field) or {}).values()
        if not isinstance(value, str)
    ]
    labels = (new["metadata"].get("labels") or {}).values()
    faults += [
        (
            "metadata.labels",
            "FieldValueInvalid",
            f"Invalid value: {value!r}: {_LABEL_RULE}",
        )
        for value in labels
        if isinstance(value, str)
        and not re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?", value)
    ]
    if faults:
        raise invalid(resource.full_kind, new["metadata"].get("name", ""), faults)


def check_immutable(resource: Resource, old: Object, new: Object) -> None:
    for path in resource.immutable:
        before, after = _at(old, path), _at(new, path)
        if before != after:
            fault = (
                ".".join(path),
                "FieldValueInvalid",
                f"Invalid value: {json.dumps(after)}: field is immutable",
            )
            raise invalid(resource.full_kind, old["metadata"]["name"], [fault])


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name, {})
    return value


def content(value: Object) -> Object:
    """What makes two versions differ: all but the version itself and when each manager last wrote."""
    metadata = {k: v for k, v in value["metadata"].items() if k != "resourceVersion"}
    managers = [{**one, "time": None} for one in metadata.get("managedFields", ())]
    return {**value, "metadata": {**metadata, "managedFields": managers}}


def desired(value: Object) -> Object:
    return {k: v for k, v in value.items() if k not in ("metadata", "status")}
