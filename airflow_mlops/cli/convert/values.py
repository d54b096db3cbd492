"""What a value of another tool is in our language: each function takes it over or says why it cannot."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from airflow_mlops.cli.convert.draft import Draft, shown, variable_in
from airflow_mlops.cli.convert.quartz import five_fields
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.config.cron import checked_cron

# Presets that only other tools know.
_OTHER_PRESETS = {"@midnight": "@daily", "@annually": "@yearly"}
_AGO = re.compile(r"(\d+)\s+(hour|minute|second|day)s?", re.IGNORECASE)
_HELD_BACK = re.compile(r"\{\{|\{%|\$\{")


@dataclass(frozen=True, slots=True)
class Said:
    """A value in our language, and what is different about it now."""

    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """To which key a value goes, and how it is read. ``read`` raises ``ValueError`` with the reason."""

    key: str
    read: Callable[[Node], Said]


def apply(draft: Draft, node: Node, what: str, rule: Rule) -> bool:
    """Carry a value over by its rule, or leave it with the reason. Environment variables stay unread."""
    if found := variable_in(node.plain()):
        draft.leave(node, what, f"holds {found}, which is not expanded here; write the value as {rule.key}")
        return False
    try:
        said = rule.read(node)
    except ValueError as error:
        draft.leave(node, what, f"{error}; belongs in {rule.key}")
        return False
    draft.carry(node, what, rule.key, said.value, said.note)
    return True


def one_line(node: Node) -> Said:
    """Text, its white space made single spaces."""
    text = " ".join(_text(node).split())
    if not text:
        raise ValueError("no text")
    return Said(text)


def tags(node: Node) -> Said:
    """A list of texts."""
    names = [item.text for item in node.items] or ([node.text] if node.text else [])
    if not names or not all(0 < len(name) <= 100 for name in names):
        raise ValueError("not a list of tags, each 1 to 100 characters")
    return Said(list(dict.fromkeys(names)))


def truth(node: Node) -> Said:
    """True or false."""
    if not isinstance(node.value, bool):
        raise ValueError(f"{shown(node.plain())!r} is neither true nor false")
    return Said(node.value)


def retries(node: Node) -> Said:
    """A whole number that Airflow should retry."""
    if not node.text.isdecimal() or int(node.text) > 20:
        raise ValueError(f"{shown(node.plain())!r} is not a number of retries between 0 and 20")
    return Said(int(node.text))


def count(node: Node, most: int = 1_000_000_000) -> Said:
    """A count, 1 or more, as a number or as text."""
    if not node.text.isdecimal() or not 1 <= int(node.text) <= most:
        raise ValueError(f"{shown(node.plain())!r} is not a count from 1 to {most}")
    return Said(int(node.text))


def zone(node: Node) -> Said:
    """An IANA time zone."""
    try:
        ZoneInfo(node.text)
    except Exception as error:  # zoneinfo raises four unrelated kinds for a bad name
        raise ValueError(f"{shown(node.plain())!r} is not an IANA time zone such as Europe/Paris") from error
    return Said(node.text)


def cron(node: Node) -> Said:
    """A cron line of five fields, or a preset."""
    text = node.text.strip()
    return Said(checked_cron(_OTHER_PRESETS.get(text, text)))


def quartz(node: Node) -> Said:
    """A Quartz line, as Databricks has them, in five fields."""
    said = five_fields(node.text)
    return Said(said.cron, said.note)


def moment(node: Node, name: str, now: datetime) -> Said:
    """A date or time of the clock in a zone; "2 days" counts back from the last midnight there.

    An offset in the text does not count, as in dag-factory, which puts its ``timezone`` in its place.
    """
    local = ZoneInfo(name)
    text = _text(node).strip()
    try:
        return Said(_written(datetime.fromisoformat(text).replace(tzinfo=local)))
    except ValueError:
        found = _AGO.match(text)
    if found is None:
        raise ValueError(f"{shown(text)!r} is no date that can be read")
    try:
        back = timedelta(**{f"{found[2].lower()}s": int(found[1])})
        midnight = now.astimezone(local).replace(hour=0, minute=0, second=0, microsecond=0)
        then = (midnight.replace(tzinfo=None) - back).replace(tzinfo=local)
    except OverflowError as error:
        raise ValueError(f"{shown(text)!r} is too long ago") from error
    return Said(_written(then), f"{text!r} moved with each day; this is that of the conversion")


def _written(at: datetime) -> str:
    is_utc_midnight = at.utcoffset() == timedelta() and at == at.replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return at.date().isoformat() if is_utc_midnight else at.isoformat()


def instant(text: str) -> datetime:
    """What ``moment`` wrote, as a moment that can be compared."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)


def params(draft: Draft, node: Node, what: str, label: str, key: str) -> None:
    """Keyword arguments, one by one: what is a template or an object of the other tool is left."""
    kept: dict[str, Any] = {}
    for name, given in node.entries.items():
        if reason := not_plain(given):
            draft.leave(given, f"{what}.{name} {label}", f"{reason}; write the value in {key}")
        else:
            kept[name] = given.plain()
    if kept:
        draft.carry(node, f"{what} {label}", key, kept)


def not_plain(node: Node) -> str:
    """Why a value cannot stand in our YAML, or nothing."""
    if node.tag or node.at("__type__") is not None:
        return "an object of the other tool"
    for below in [*node.entries.values(), *node.items]:
        if reason := not_plain(below):
            return reason
    if found := variable_in(node.value):
        return f"holds {found}, which is not expanded here"
    if isinstance(node.value, str) and (_HELD_BACK.search(node.value) or node.value.startswith("+")):
        return "filled in when the task runs"
    if isinstance(node.value, float) and not math.isfinite(node.value):
        return "not a finite number"
    if isinstance(node.value, int) and abs(node.value) >= 10**18:
        return "a larger number than every reader takes"
    return ""


def _text(node: Node) -> str:
    if isinstance(node.value, list | dict) or node.value is None or node.tag:
        raise ValueError("not a text")
    return node.text
