"""A plan as JSON values and back, for whoever keeps it.

The form follows the named tuples of ``graph.py`` by their fields' types, so a new field needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from airflow_mlops.plan.graph import Plan

Decoder = Callable[[Any], Any]
_AS_IT_IS = frozenset({str, int, float, bool, NoneType, object})


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """JSON values from which ``plan_from_json`` makes an equal plan. Fields at their default are left out."""
    encoded: dict[str, Any] = _encoded(plan)
    return encoded


def plan_from_json(stored: Mapping[str, Any]) -> Plan:
    """Raises ``TypeError``, ``ValueError`` or ``KeyError`` where this is no plan of this release."""
    plan: Plan = _record_decoder(Plan)(stored)
    return plan


def _encoded(value: Any) -> Any:
    if type(value) in _AS_IT_IS:
        return value
    if _is_record(type(value)):
        defaults = value._field_defaults
        return {
            name: _encoded(given)
            for name, given in zip(value._fields, value, strict=True)
            if name not in defaults or given != defaults[name]
        }
    if isinstance(value, Mapping):
        return {str(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(item) for item in value]
    if isinstance(value, datetime):
        zone = f" {value.tzinfo.key}" if isinstance(value.tzinfo, ZoneInfo) else ""
        return f"{value.isoformat()}{zone}"
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"a plan holds no {type(value).__name__}")


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


@cache
def _decoder(kind: Any) -> Decoder | None:
    """How a JSON value becomes one of a type; None where it is one already."""
    if _is_record(kind):
        return _record_decoder(kind)
    if kind is datetime:
        return _moment
    if kind is timedelta:
        return lambda seconds: timedelta(seconds=seconds)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _tuple_decoder(_decoder(inner[0]))
    if origin in (Union, UnionType):
        return _optional_decoder(kind, [one for one in inner if one is not NoneType])
    if origin in (Mapping, dict):
        return _mapping_decoder(_decoder(inner[1]))
    if origin is Literal or kind is Any or kind in _AS_IT_IS:
        return None
    raise TypeError(f"a plan's field of type {kind} has no JSON form; give it one in {__name__}")


def _moment(text: str) -> datetime:
    """A moment keeps the name of its zone, which a schedule is read in."""
    moment, _, zone = text.partition(" ")
    at = datetime.fromisoformat(moment)
    return at.astimezone(ZoneInfo(zone)) if zone else at


@cache
def _record_decoder(kind: type) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {name: found for name in hints if (found := _decoder(hints[name])) is not None}

    def decode(stored: Any) -> Any:
        given = dict(stored)
        for name, decode_field in decoders.items():
            if name in given:
                given[name] = decode_field(given[name])
        return kind(**given)

    return decode


def _tuple_decoder(item: Decoder | None) -> Decoder:
    return tuple if item is None else lambda stored: tuple(map(item, stored))


def _mapping_decoder(item: Decoder | None) -> Decoder | None:
    if item is None:
        return None
    return lambda stored: {key: item(value) for key, value in stored.items()}


def _optional_decoder(kind: Any, inner: list[Any]) -> Decoder | None:
    decoders = [_decoder(one) for one in inner]
    if all(decode is None for decode in decoders):
        return None
    if len(decoders) > 1:
        raise TypeError(f"a plan's field of type {kind} could be read in two ways; give it one in {__name__}")
    decode = decoders[0]
    return lambda stored: None if stored is None or decode is None else decode(stored)
