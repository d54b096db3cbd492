"""Which code a YAML may name: the packages that import paths may lead to. Nothing is imported here."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.base import Imported
from airflow_mlops.config.problems import KeyPath

# Code of the machinery itself. A model has no business there, and Python's own modules hold os.system.
_MACHINERY = frozenset({"airflow", "airflow_mlops"})
# What Python brings along without listing it.
_ALSO_PYTHONS = frozenset({"test", "sitecustomize", "usercustomize"})
# Types that hold values and do nothing; models of other libraries are made of them.
_CONTAINERS = frozenset(
    {
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.deque",
        "datetime.date",
        "datetime.datetime",
        "datetime.timedelta",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
    }
)


def refused_imports(config: BaseModel, allowed: Sequence[str]) -> Iterator[tuple[KeyPath, str, str]]:
    """The import paths of a configuration that lead elsewhere: where, what is wrong, what to do.

    With ``allowed``, only to those packages and what is below them. Else anywhere but to Python's standard
    library, Airflow and this package.
    """
    for path, text in import_paths(config):
        module = _module_of(text)
        top = module.partition(".")[0]
        if unicodedata.normalize("NFKC", text) != text:
            hint = "write its letters as Python reads them; these only look like others"
            yield path, f"{text!r} is read by Python as {unicodedata.normalize('NFKC', text)!r}", hint
        elif text in _CONTAINERS:
            continue
        elif allowed:
            if not any(module == one or module.startswith(f"{one}.") for one in allowed):
                hint = f"allowed are {', '.join(allowed)}, by policy.yaml or [mlops] allowed_imports"
                yield path, f"{text!r} leads to a package that is not allowed", hint
        elif top in sys.stdlib_module_names | _MACHINERY | _ALSO_PYTHONS or top.startswith("__"):
            owner = "Airflow" if top in _MACHINERY else "Python"
            hint = "name a function or class of your own package, or of a library that trains models"
            yield path, f"{text!r} leads into {owner}'s own code", hint


def import_paths(config: BaseModel) -> Iterator[tuple[KeyPath, str]]:
    """Every import path of a configuration, and every path of tests, with the key that it stands at."""
    return _import_paths(config, ())


def _module_of(text: str) -> str:
    """The module that an import path leads to, or that a path of tests is."""
    return text.removesuffix(".py").replace("/", ".").partition(":")[0]


def takes_import_path(path: KeyPath) -> bool:
    """Whether the key at a path of a model's file names code."""
    keys = [key for key in path if isinstance(key, str)]
    parts: list[type[BaseModel]] = [ModelConfig]
    for key in keys[:-1]:
        fields = [part.model_fields[key] for part in parts if key in part.model_fields]
        parts = [part for field in fields for part in _parts_of(field.annotation)]
    return any((keys[-1], True) in _fields(part) for part in parts)


def _parts_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is, or holds in a union or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _parts_of(one)


def _import_paths(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, BaseModel):
        for name, holds_path in _fields(type(value)):
            one = getattr(value, name)
            if holds_path and isinstance(one, str):
                yield (*path, name), one
            elif holds_path and isinstance(one, tuple):
                yield from (((*path, name, index), text) for index, text in enumerate(one))
            elif isinstance(one, (BaseModel, tuple)):
                yield from _import_paths(one, (*path, name))
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from _import_paths(one, (*path, index))


@lru_cache(maxsize=256)
def _fields(model: type[BaseModel]) -> tuple[tuple[str, bool], ...]:
    """The fields that name code, and those whose parts may: most parts of a file need not be entered."""
    found = ((name, _names_code(field)) for name, field in model.model_fields.items())
    return tuple(
        (name, names_code)
        for name, names_code in found
        if names_code or _may_hold_code(model.model_fields[name].annotation, frozenset({model}))
    )


def _names_code(field: FieldInfo) -> bool:
    return any(isinstance(one, Imported) for one in [*field.metadata, *_marks(field.annotation)])


def _may_hold_code(annotation: Any, above: frozenset[type[BaseModel]]) -> bool:
    return any(
        _names_code(field) or _may_hold_code(field.annotation, above | {part})
        for part in _parts_of(annotation)
        if part not in above
        for field in part.model_fields.values()
    )


def _marks(annotation: Any) -> Iterator[Any]:
    """Marks of a type and of the members of a union: ``ImportPath | None`` keeps them inside."""
    yield from getattr(annotation, "__metadata__", ())
    for one in get_args(annotation):
        yield from _marks(one)
