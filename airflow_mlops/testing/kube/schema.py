"""What a kind's schema does to an object: fill in defaults, drop or refuse unknown fields, refuse bad values.

A schema is OpenAPI as in a custom resource definition. Rules in CEL (``x-kubernetes-validations``) are
left to a real API server.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema

from airflow_mlops.testing.kube.resources import Resource, Schema
from airflow_mlops.testing.kube.statuses import Object, invalid

_OWN_FIELDS = ("apiVersion", "kind", "metadata")
_REASONS = {
    "required": "FieldValueRequired",
    "enum": "FieldValueNotSupported",
    "type": "FieldValueTypeInvalid",
}


def fill_defaults(value: Any, schema: Schema) -> None:
    """Add what the schema gives where nothing is said, in place; null is nothing."""
    if isinstance(value, dict):
        for name, below in schema.get("properties", {}).items():
            if value.get(name) is None and "default" in below:
                value[name] = copy.deepcopy(below["default"])
            if name in value:
                fill_defaults(value[name], below)
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            for below in value.values():
                fill_defaults(below, others)
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            fill_defaults(item, schema["items"])


def unknown_fields(value: Any, schema: Schema, path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Fields that the schema does not have: their path, and where to take them away."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, below in value.items():
            place = f"{path}.{name}"
            if not path and name in _OWN_FIELDS:
                continue
            if name in properties:
                yield from unknown_fields(below, properties[name], place)
            elif isinstance(others, dict):
                yield from unknown_fields(below, others, place)
            elif not schema.get("x-kubernetes-preserve-unknown-fields") and not others:
                yield place, value, name
    elif isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from unknown_fields(item, schema["items"], f"{path}[{number}]")


def prune(value: Object, schema: Schema) -> list[str]:
    """Drop unknown fields in place, as every write but a server-side apply does; their paths."""
    found = list(unknown_fields(value, schema))
    for _, holder, name in found:
        del holder[name]
    return [place for place, _, _ in found]


def check(value: Object, resource: Resource) -> None:
    """Raises the 422 that names every field at fault."""
    faults = []
    validator = jsonschema.Draft202012Validator(resource.schema)
    for error in validator.iter_errors({k: v for k, v in value.items() if k not in _OWN_FIELDS}):
        path = _path(error.absolute_path)
        if error.validator == "required":
            (missing,) = [n for n in error.validator_value if n not in error.instance][:1]
            faults.append((f"{path}.{missing}".lstrip("."), "FieldValueRequired", "Required value"))
        else:
            reason = _REASONS.get(str(error.validator), "FieldValueInvalid")
            faults.append((path, reason, f"Invalid value: {error.instance!r}: {error.message}"))
    if resource.kind == "Deployment" and not faults:
        faults += _selector_faults(value)
    if faults:
        raise invalid(resource.full_kind, value["metadata"].get("name", ""), faults)


def _selector_faults(deployment: Object) -> list[tuple[str, str, str]]:
    selected = deployment["spec"]["selector"].get("matchLabels") or {}
    labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if selected and selected.items() <= labels.items():
        return []
    message = f"Invalid value: {labels!r}: `selector` does not match template `labels`"
    return [("spec.template.metadata.labels", "FieldValueInvalid", message)]


def _path(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
