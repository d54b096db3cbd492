"""Pydantic's errors as problems of the file: position, path without union tags, words, nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.overlay import Composition
from airflow_mlops.config.parts.base import Mistakes, shown_pattern
from airflow_mlops.config.problems import MAX_PROBLEMS, KeyPath, Problem, dotted, nearest

_KINDS: dict[str, str] = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "datetime_type": "must be a moment such as 2013-01-01 or 2013-01-01T06:00Z",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
}
_SHAPES: dict[str, str] = {
    "model": "lower-case letters, digits and _, a letter first, at most 64, as in flight_delay",
    "callable": "package.module:function, as in flight_delay.training:train",
    "estimator": "the full path of a class, as in sklearn.ensemble.HistGradientBoostingClassifier",
    "trusted_types": "the full path of a class, as in lightgbm.sklearn.LGBMClassifier",
    "type": "Great Expectations' own name, as in expect_column_values_to_not_be_null",
}


def problems_of(
    error: ValidationError, layers: Composition, language: type[BaseModel] = ModelConfig
) -> Iterator[Problem]:
    """Every error of a validation, at the key or value it is about. ``language`` is the type of the whole."""
    for found in islice(error.errors(include_url=False), MAX_PROBLEMS + 1):
        path, owner, here = _locate(found["loc"], language)
        yield from _translate(dict(found), path, owner, here, layers)


def _translate(
    found: dict[str, Any], path: KeyPath, owner: type[BaseModel] | None, here: Any, layers: Composition
) -> Iterator[Problem]:
    context, given = found.get("ctx", {}), found["input"]
    match found["type"]:
        case "missing":
            yield layers.at_key(path, "missing", _purpose(owner, path))
        case "union_tag_not_found":
            path = (*path, context["discriminator"].strip("'"))
            hint = f"give one of {', '.join(_tags(here))}"
            yield layers.at_key(path, "missing", hint)
        case "extra_forbidden":
            hint = _where_instead(str(path[-1]), owner)
            yield layers.at_key(path, "unknown key", hint)
        case "literal_error":
            message = f"{_said(given)} is not one of {context['expected']}"
            yield layers.at_value(path, message, _nearest_literal(given, context["expected"]))
        case "union_tag_invalid":
            path = (*path, context["discriminator"].strip("'"))
            message = f"{context['tag']!r} is not one of {context['expected_tags']}"
            hint = _nearest_literal(context["tag"], context["expected_tags"])
            yield layers.at_value(path, message, hint)
        case "value_error":
            yield from _own(context["error"], path, layers)
        case "string_pattern_mismatch":
            asked = _SHAPES.get(str(path[-1]), f"text that matches {shown_pattern(context['pattern'])}")
            hint = f"write {asked}"
            yield layers.at_value(path, f"{_said(given)} has the wrong form", hint)
        case "too_short" if given:
            return  # each entry has a problem of its own; none is left to count
        case "too_short":
            yield layers.at_value(path, f"needs at least {context['min_length']} entry, has none")
        case kind if kind in _KINDS:
            hint = "quote it" if kind == "string_type" and isinstance(given, int | float) else ""
            yield layers.at_value(path, f"{_KINDS[kind]}, not {_said(given)}", hint)
        case _:
            said = found["msg"].replace("Input should be", "must be")
            yield layers.at_value(path, f"{said}, not {_said(given)}")


def _own(error: ValueError, path: KeyPath, layers: Composition) -> Iterator[Problem]:
    """A validator of ours: at the values it names, else where the checked value or part is."""
    if isinstance(error, Mistakes):
        for below, message in error.found:
            full = (*path, *below)
            yield layers.at_value(full, message)
        return
    is_part = isinstance(layers.part(path), dict | list)
    yield layers.at_key(path, str(error)) if is_part else layers.at_value(path, str(error))


def _locate(
    loc: Sequence[str | int], language: type[BaseModel]
) -> tuple[KeyPath, type[BaseModel] | None, Any]:
    """The keys of the file in a pydantic location, the model that owns the last, what may stand there."""
    path: list[str | int] = []
    annotation: Any = language
    owner: type[BaseModel] | None = None
    for part in loc:
        if part == "[key]":  # pydantic's mark for an error in a mapping's key
            break
        parts = _parts(annotation)
        if len(parts) > 1:  # a tagged union: this part of the location is the tag, no key
            annotation = next((one for one in parts if part in _tag_values(one)), Any)
            continue
        path.append(part)
        owner, annotation = _below(parts[0] if parts else Any, part)
    return tuple(path), owner, annotation


def _below(annotation: Any, part: str | int) -> tuple[type[BaseModel] | None, Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return annotation, field.annotation if field else Any
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return None, arguments[0]
    return None, arguments[1] if get_origin(annotation) is dict else Any


def _parts(annotation: Any) -> list[Any]:
    """The models that may stand here: none, one, or the members of a tagged union."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for one in get_args(annotation) if one is not NoneType for part in _parts(one)]
    return [annotation]


def _tag_values(model: Any) -> tuple[Any, ...]:
    return get_args(model.model_fields["type"].annotation)


def _tags(annotation: Any) -> list[str]:
    return [tag for model in _parts(annotation) for tag in _tag_values(model)]


def _purpose(owner: type[BaseModel] | None, path: KeyPath) -> str:
    field = owner.model_fields.get(str(path[-1])) if owner else None
    return f"it says: {field.description}" if field and field.description else ""


def _where_instead(key: str, owner: type[BaseModel] | None) -> str:
    """The nearest key of this part; else the part of the file in which such a key exists."""
    known = list(owner.model_fields) if owner else []
    hint = nearest(key, known)
    if hint:
        return hint
    homes = sorted({dotted(path) for path in all_keys(ModelConfig) if path[-1] == key})
    if homes:
        return f"it belongs in {' or '.join(homes[:3])}"
    return f"known here: {', '.join(known)}" if len(known) <= 12 else ""


def all_keys(model: type[BaseModel], above: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of a language by its path; what stands in lists and free mappings is not entered."""
    for name, field in model.model_fields.items():
        yield (*above, name)
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from all_keys(part, (*above, name))


def _nearest_literal(given: Any, expected: str) -> str:
    return nearest(given, re.findall(r"'([^']*)'", expected)) if isinstance(given, str) else ""


def _said(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case bool():
            return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
