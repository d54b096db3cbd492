"""Label and field selectors of a list or watch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_mlops.testing.kube.statuses import Object, bad_request

_SET = re.compile(r"(?P<key>\S+)\s+(?P<word>in|notin)\s+\((?P<values>[^)]*)\)")
_BETWEEN = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Selector:
    """``app=x,tier!=y,zone in (a,b),canary,!old`` on labels, and ``metadata.name=x`` on fields."""

    labels: str = ""
    fields: str = ""

    def matches(self, value: Object) -> bool:
        """Whether an object is selected. Raises the 400 of a selector that cannot be read."""
        labels = value["metadata"].get("labels") or {}
        by_label = all(_requirement(one)(labels) for one in _BETWEEN.split(self.labels) if one)
        return by_label and all(_field(one, value) for one in self.fields.split(",") if one)


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    text = text.strip()
    if found := _SET.fullmatch(text):
        values = {one.strip() for one in found["values"].split(",")}
        key, wanted = found["key"], found["word"] == "in"
        return lambda labels: (labels.get(key) in values) is wanted
    if "!=" in text:
        key, value = text.split("!=", 1)
        return lambda labels: labels.get(key) != value
    if "=" in text:
        key, value = text.replace("==", "=").split("=", 1)
        return lambda labels: labels.get(key) == value
    if text.startswith("!"):
        return lambda labels: text[1:] not in labels
    if not text or " " in text:
        raise bad_request(f"unable to parse requirement: {text!r}")
    return lambda labels: text in labels


def _field(text: str, value: Any) -> bool:
    equal = "!=" not in text
    path, wanted = text.replace("==", "=").split("=" if equal else "!=", 1)
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return (str(value) == wanted) is equal
