"""The values of an ordinary YAML file, without their places.

Places are wanted where something is wrong, and most files have nothing wrong. What is given here is what the
careful reader in ``source.py`` gives; at the first thing that it would look at twice, nothing is given.
"""

from __future__ import annotations

from typing import Any

import yaml

from airflow_mlops.config.scalars import SPECIAL, Trap, resolve

_MOST_EVENTS = 15_000
_DEEPEST = 40
_LONGEST_KEY = 200
_Y_AND_N = frozenset({"y", "Y", "n", "N"})  # fit to be keys, not values


def quick_value(text: str) -> dict[str, Any] | None:
    """The mapping that a text holds, or None where it takes a careful look: tags, anchors, words that two
    readers take for two things, keys that are given twice or are no text, bad syntax, great size or depth.
    """
    loader = yaml.CSafeLoader(text)
    try:
        return _mapping(loader)
    except yaml.YAMLError:
        return None
    finally:
        loader.dispose()


def _mapping(loader: Any) -> dict[str, Any] | None:
    next_event, scalar = loader.get_event, yaml.ScalarEvent
    starts, ends = (
        (yaml.MappingStartEvent, yaml.SequenceStartEvent),
        (yaml.MappingEndEvent, yaml.SequenceEndEvent),
    )
    root: Any = None
    # What is open, and in it the key that waits for its value: None also stands for "no key yet".
    around: list[tuple[Any, str | None]] = []
    inside: Any = None
    key: str | None = None
    for _ in range(_MOST_EVENTS):
        event = next_event()
        kind = type(event)
        if kind is scalar:
            if event.tag is not None or event.anchor is not None:
                return None
            value: Any = event.value
            if event.style == '"' and not value.isprintable():
                return None
            is_bare = event.implicit[0] and not event.style
            if key is None and type(inside) is dict:
                if value in inside or len(value) > _LONGEST_KEY:
                    return None
                if (
                    is_bare
                    and (value in SPECIAL or not value[:1].isalpha())
                    and value not in _Y_AND_N
                    and type(resolve(value)) is not str
                ):
                    return None
                key = value
                continue
            if is_bare and (value in SPECIAL or not value[:1].isalpha()):
                value = resolve(value)
                if type(value) is Trap:
                    return None
        elif kind in starts:
            if event.tag is not None or event.anchor is not None or len(around) > _DEEPEST:
                return None
            if key is None and type(inside) is dict:
                return None
            value = {} if kind is starts[0] else []
        elif kind in ends:
            inside, key = around.pop()
            continue
        elif kind is yaml.StreamEndEvent:
            return root if type(root) is dict else None
        elif kind is yaml.AliasEvent or (kind is yaml.DocumentStartEvent and root is not None):
            return None
        else:
            continue
        if type(inside) is dict:
            inside[key] = value
            key = None
        elif inside is not None:
            inside.append(value)
        else:
            root = value
        if kind is not scalar:
            around.append((inside, key))
            inside = value
    return None
