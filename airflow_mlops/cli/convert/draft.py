"""A model that is being begun: what was carried over, what was not, and what is left to fill in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlops.cli.convert.reading import Node, Place

# What every model says, with what to write where the source does not know it. A placeholder is an empty
# value, which lint names at its line (a key left out would be named at the part above it).
REQUIRED: Mapping[str, str] = {
    "task": "binary_classification, multiclass_classification, regression, ranking or forecasting",
    "data.source.callable": "package.module:function, called as load(start, end, **params) -> DataFrame",
    "data.time_column": "the column that says when a row happened",
    "data.key": "the column that names a row",
    "data.label": "the column that is predicted",
    "data.features": "columns known at prediction time, as in {amount: numeric, country: categorical}",
    "data.window": "what a run trains on, as in {length: 6 months}, or all rows since {start: 2024-01-01}",
    "data.holdout.length": "the newest slice, which judges the model, as in 28 days",
    "training": "callable: package.module:function, called as train(features, label, params, seed)",
    "evaluation.metrics": "as in [roc_auc, log_loss]; for a number [mean_absolute_error, r2]",
    "gates.rules": "as in [{type: threshold, metric: roc_auc, minimum: 0.7}]",
}
# Keys for which nothing is a valid value: an empty text is refused at its line.
_EMPTY_TEXT = frozenset({"schedule.cron", "schedule.start", "monitor.cron"})
# A connection is never guessed, so these are named and not written.
TELL_FAILURE = (
    "tell of failures by alerts.on_failure, as in [{type: smtp, conn_id: ..., to: [...]}], with an Airflow "
    "connection of yours"
)
TELL_LATE = (
    "alerts.deadline.train tells of a late training run, but stops none, and needs alerts.on_failure; "
    "execution.timeout stops a task"
)
_VARIABLE = re.compile(r"\$\{[^}]*\}?|\$[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Carried:
    """``what`` of the source became our ``key``; ``note`` says what is different about it now."""

    place: Place
    what: str
    key: str
    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """``what`` of the source was not carried over, and why or where it belongs instead."""

    place: Place
    what: str
    why: str


@dataclass(slots=True)
class Draft:
    """Filled by the reader of one format; ``values`` and ``blanks`` are by dotted key of our language."""

    name: str
    origin: str
    carried: list[Carried] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    blanks: dict[str, str] = field(default_factory=dict)
    _hints: dict[str, str] = field(default_factory=dict)

    def carry(self, node: Node, what: str, key: str, value: Any, note: str = "") -> None:
        """The first value of a key stands; what comes later is not carried over."""
        if key in self.values:
            same = self.values[key] == value
            self.leave(node, what, f"{key} says {'the same' if same else shown(self.values[key])} already")
            return
        self.values[key] = value
        self.carried.append(Carried(node.place, what, key, value, note))

    def derive(self, key: str, value: Any, origin: str) -> None:
        """What follows from what was carried to another key."""
        self.values[key] = value
        first = next(one for one in self.carried if one.key == origin)
        self.carried.append(Carried(first.place, first.what, key, value))

    def leave(self, node: Node, what: str, why: str) -> None:
        self.left.append(Left(node.place, what, why))

    def take_back(self, key: str, why: str) -> None:
        """What was carried to a key turns out not to fit the rest."""
        del self.values[key]
        for one in [one for one in self.carried if one.key == key]:
            self.carried.remove(one)
            self.left.append(Left(one.place, one.what, why))

    def want(self, key: str, wanted: str) -> None:
        """A value that the source cannot give."""
        self.blanks[key] = wanted

    def hint(self, key: str, text: str) -> None:
        """What the source says about a value that it cannot give; shown where that is to be filled in."""
        self._hints[key] = text

    def fill_up(self) -> None:
        """Ask for all that a model needs and the source did not give."""
        for key, wanted in REQUIRED.items():
            if not self._is_said(key):
                self.want(key, wanted)
        for key, hint in self._hints.items():
            if key in self.blanks:
                self.blanks[key] += f" ({hint})"
        if "data.source.callable" in self.blanks:
            self.values["data.source.type"] = "python"
        self.left.sort(key=lambda one: (one.place.file, one.place.line, one.place.column))

    def _is_said(self, key: str) -> bool:
        """Itself, or for training the one thing below it that decides."""
        if key == "training":
            return "training.callable" in self.values
        return self.asks_or_says(key)

    def asks_or_says(self, key: str) -> bool:
        """Whether the file will have the key, filled in or not."""
        return key in self.values or key in self.blanks

    def tree(self) -> dict[str, Any]:
        """Values and blanks, nested by their keys; a blank is what ``placeholder`` gives."""
        tree: dict[str, Any] = {}
        for key, value in self.values.items():
            _put(tree, key, value)
        for key in self.blanks:
            parent, _, name = key.rpartition(".")
            if not isinstance(_below(tree, parent).get(name), dict):
                _put(tree, key, placeholder(key))
        return tree


def placeholder(key: str) -> str | None:
    """What stands where a value is to be filled in: nothing, or where that would be taken, an empty text."""
    return "" if key in _EMPTY_TEXT else None


def variable_in(value: Any) -> str:
    """The environment variable that a plain value names, at any depth, or nothing. None is ever expanded."""
    if isinstance(value, dict):
        return next((found for one in value.values() if (found := variable_in(one))), "")
    if isinstance(value, list):
        return next((found for one in value if (found := variable_in(one))), "")
    named = _VARIABLE.search(value) if isinstance(value, str) else None
    return named[0] if named else ""


def model_name(text: str) -> str:
    """The nearest name that a model can have; ``model`` where nothing of the text can stand in one."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name[:1].isalpha():
        name = f"model_{name}"
    return name[:64].rstrip("_")


def shown(value: Any) -> str:
    """A value in a sentence, one line, not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    parent, _, name = key.rpartition(".")
    _below(tree, parent)[name] = value


def _below(tree: dict[str, Any], key: str) -> dict[str, Any]:
    for part in key.split(".") if key else ():
        tree = tree.setdefault(part, {})
    return tree
