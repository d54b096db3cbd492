"""Lengths of time of another tool, written as periods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_mlops.cli.convert.draft import shown
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.values import Said
from airflow_mlops.core.windows import Period

# In the order in which the class takes them without names.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "timedelta": ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"),
    "relativedelta": ("years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds"),
}


def length(node: Node) -> Said:
    """A number of seconds, or an object timedelta or relativedelta. Months are calendar months, if nothing
    else stands beside them."""
    parts = _parts(node)
    months = parts.pop("months", 0) + 12 * parts.pop("years", 0)
    if months and any(parts.values()):
        raise ValueError("months and days together are no period")
    return Said(_period(f"{months} months") if months else _seconds(parts))


def exact(node: Node) -> Said:
    """A length that is the same in every month."""
    said = length(node)
    if Period.parse(said.value).months:
        raise ValueError(f"{said.value} is not always equally long")
    return said


def milliseconds(node: Node) -> Said:
    """A number of them, as whole seconds."""
    return Said(_seconds({"milliseconds": _number(node, "the value")}))


def _parts(node: Node) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        return {"seconds": _number(node, "the value")}
    kind = node.type_name
    if kind not in _PARTS:
        raise ValueError(f"{kind or 'a mapping'} is no length of time")
    given = node.arguments(_PARTS[kind])
    if unknown := given.keys() - _PARTS[kind]:
        raise ValueError(f"{', '.join(sorted(unknown))} of a {kind} is no length of time")
    return {key: _number(one, key) for key, one in given.items()}


def _number(node: Node, what: str) -> int | float:
    if node.text.isdecimal():
        return int(node.text)
    if not isinstance(node.value, int | float) or isinstance(node.value, bool):
        raise ValueError(f"{what} is {shown(node.plain())!r}, not a number")
    return node.value


def _seconds(parts: Mapping[str, Any]) -> str:
    try:
        whole, rest = divmod(timedelta(**parts), timedelta(seconds=1))
    except (OverflowError, ValueError) as error:
        raise ValueError("no length of time that can be counted") from error
    if rest or whole <= 0:
        raise ValueError("no whole number of seconds above 0")
    return _period(f"{whole} seconds")


def _period(text: str) -> str:
    return str(Period.parse(text))
