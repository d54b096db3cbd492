"""Where each setting of a model came from: file and line, the level's preset, or the default."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_mlops.config.levels import is_preset
from airflow_mlops.config.load import LoadedModel
from airflow_mlops.config.overlay import VARS
from airflow_mlops.config.problems import KeyPath, dotted

_WIDEST = 72


def explanation(loaded: LoadedModel) -> Iterator[str]:
    """A line for each setting: key and value, then its origin, in columns."""
    settings = list(_leaves(loaded.config.model_dump(mode="json"), ()))
    told = [f"{dotted(path)}: {json.dumps(value, ensure_ascii=False)}" for path, value in settings]
    width = min(_WIDEST, max(len(one) for one in told))
    for (path, _), one in zip(settings, told, strict=True):
        yield f"{one:<{width}}  {_origin(path, loaded)}"


def _origin(path: KeyPath, loaded: LoadedModel) -> str:
    written = _in_the_file(path, loaded)
    if written is None:
        return _short(loaded.path.parent / str(loaded.config.validation.suite))
    for depth in range(len(written), 0, -1):
        here = written[:depth]
        document = loaded.layers.origin(here)
        if document is not None and (depth == len(written) or _came_whole(here, loaded)):
            line = document.value_place(here)[0]
            return f"{_short(Path(document.path))}:{line}{_variables(here, loaded)}"
    return f"preset of level {loaded.config.level}" if is_preset(path) else "default"


def _in_the_file(path: KeyPath, loaded: LoadedModel) -> KeyPath | None:
    """The path as the layers have it; None for an expectation of the suite, which go first in the list."""
    validation = loaded.config.validation
    if validation.suite is None or path[:2] != ("validation", "expectations") or len(path) < 3:
        return path
    own = loaded.layers.part(path[:2])
    index = int(path[2]) - len(validation.expectations) + (len(own) if isinstance(own, list) else 0)
    return None if index < 0 else (*path[:2], index, *path[3:])


def _came_whole(path: KeyPath, loaded: LoadedModel) -> bool:
    """Whether one value of the file stands for all below it: a variable did, or a list."""
    return path in loaded.used or not isinstance(loaded.layers.part(path), dict)


def _variables(path: KeyPath, loaded: LoadedModel) -> str:
    told = []
    for name in loaded.used.get(path, ()):
        at = (VARS, name.removeprefix(f"{VARS}."))
        document = loaded.layers.origin(at) if name.startswith(f"{VARS}.") else None
        where = f" of {_short(Path(document.path))}:{document.value_place(at)[0]}" if document else ""
        told.append(f"${{{name}}}{where}")
    return f" ({', '.join(told)})" if told else ""


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, (*path, key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for index, one in enumerate(value):
            yield from _leaves(one, (*path, index))
    else:
        yield path, value


def _short(path: Path) -> str:
    """Relative to the working folder where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)
