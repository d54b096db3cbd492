"""A draft as the text of a model's YAML: parts in the language's order, placeholders marked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml
from pydantic import BaseModel

from airflow_mlops.cli.convert.draft import Draft
from airflow_mlops.config.models import API_VERSION, ModelConfig
from airflow_mlops.config.scalars import resolve

MARK = "TO FILL IN"
_WIDTH = 108
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./:+()'?,")


@dataclass(frozen=True, slots=True)
class Written:
    """The file's text, and the line of each placeholder by its key."""

    text: str
    blanks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Remarks:
    """What stands behind a line, by dotted key: what is wanted there, or what is different about it now."""

    blanks: Mapping[str, str]
    notes: Mapping[str, str]

    @classmethod
    def of(cls, draft: Draft) -> _Remarks:
        keys = [one.key for one in draft.carried]
        alone = [one for one in draft.carried if one.note and keys.count(one.key) == 1]
        return cls(draft.blanks, {one.key: one.note for one in alone})

    def behind(self, path: str) -> str:
        if path in self.blanks:
            return f"  # {MARK}: {printable(self.blanks[path])}"
        return f"  # {printable(self.notes[path])}" if path in self.notes else ""

    def below(self, path: str) -> bool:
        return any(key.startswith(f"{path}.") for key in (*self.blanks, *self.notes))


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    blank: str = ""


def written(draft: Draft) -> Written:
    """A model's YAML but for the placeholders, each empty with a comment that says what is wanted."""
    tree = _ordered({"apiVersion": API_VERSION, "model": draft.name, **draft.tree()}, ModelConfig)
    lines = [_Line(comment) for comment in _header(draft)]
    for key, value in tree.items():
        if isinstance(value, dict) or key in ("training", "execution"):
            lines.append(_Line(""))  # each part stands for itself
        lines += _entry(key, key, value, _Remarks.of(draft))
    text = "".join(f"{line.text}\n" for line in lines)
    return Written(text, {line.blank: number for number, line in enumerate(lines, 1) if line.blank})


def _ordered(tree: dict[str, Any], model: Any) -> dict[str, Any]:
    """Keys in the order in which the types name them."""
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    names = [*fields, *(key for key in tree if key not in fields)]
    return {
        name: _ordered(tree[name], _model_of(fields.get(name)))
        if isinstance(tree[name], dict)
        else tree[name]
        for name in names
        if name in tree
    }


def _model_of(field: Any) -> Any:
    """What a field holds, where it is one model (or none of it)."""
    if field is None:
        return None
    parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
    models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return models[0] if len(models) == 1 else None


def _header(draft: Draft) -> Iterator[str]:
    yield from _comment(f"Begun by airflow-mlops convert from {draft.origin}.")
    if draft.blanks:
        yield from _comment(
            f"{MARK} marks what the source cannot know. airflow-mlops lint names each of these lines."
        )
    if draft.left:
        yield "# Not carried over (airflow-mlops convert says why, and where it belongs):"
        for file, group in groupby(draft.left, key=lambda left: left.place.file):
            listed = ", ".join(f"{left.place.line} {left.what}" for left in group)
            yield from _comment(f"{file}: {listed}", indent="  ")


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(text),
        _WIDTH,
        initial_indent=f"# {indent}",
        subsequent_indent=f"# {indent}{indent}",
        break_on_hyphens=False,
    )


def printable(text: str) -> str:
    """On one line, and nothing in it that would end a comment or that a terminal would act upon."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in " ".join(text.split()))


def _entry(key: str, path: str, value: Any, remarks: _Remarks, indent: str = "") -> Iterator[_Line]:
    head = f"{indent}{_key(key)}:"
    mark = remarks.behind(path)
    blank = path if path in remarks.blanks else ""
    if isinstance(value, dict) and (not indent or remarks.below(path)):
        yield _Line(f"{head}{mark}", blank)
        for name, below in value.items():
            yield from _entry(name, f"{path}.{name}", below, remarks, f"{indent}  ")
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        yield _Line(f"{head}{mark}", blank)
        yield from (_Line(f"{indent}  - {_flow(one)}") for one in value)
    elif value is None:
        yield _Line(f"{head}{mark}", blank)
    else:
        yield _Line(f"{head} {_flow(value)}{mark}", blank)


def _flow(value: Any, inside: bool = False) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(one, True)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(one, True) for one in value) + "]"
    return _scalar(value, inside)


def _key(text: str) -> str:
    """Bare as our own files have it: ``n`` and ``y`` are text where they are keys."""
    return text if text in ("n", "y") else _scalar(text, inside=True)


def _scalar(value: Any, inside: bool = False) -> str:
    """As our reader takes it back. Text is bare where it can be nothing else, inside brackets or not."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
    is_bare = value[:1].isalnum() and not set(value) - _BARE and value == value.strip()
    is_taken = ": " in value or value.endswith(":") or (inside and "," in value)
    return value if is_bare and not is_taken and resolve(value) == value else _quoted(value)


def _quoted(value: str) -> str:
    text: str = yaml.dump(
        value, Dumper=yaml.SafeDumper, default_style='"', width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("\n")
