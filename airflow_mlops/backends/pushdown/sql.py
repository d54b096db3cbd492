"""Values as SQL text. All that comes from a YAML goes through here; columns go by their places."""

from __future__ import annotations

import math
from collections.abc import Iterable

from airflow_mlops.backends.pushdown.asking import NotPushedDown

_EXACT = 2**53
"""Up to here a double holds every whole number."""


def text(value: str) -> str:
    """A quoted string."""
    return "'" + _plain(value).replace("'", "''") + "'"


def number(value: float) -> str:
    """A number that is compared as a double; whole ones stay short. A decimal literal would be a DECIMAL,
    which is not always the same number."""
    if not math.isfinite(value):
        raise NotPushedDown("a bound that is not finite")
    if value == int(value) and abs(value) < _EXACT:
        return str(int(value))
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def is_in(subject: str, values: Iterable[str]) -> str:
    """Membership in a list of literals, which may be empty."""
    listed = ", ".join(values)
    return f"{subject} IN ({listed})" if listed else "false"


def both(*conditions: str | None) -> str | None:
    """Conditions that must all hold; None where there are none."""
    given = [f"({condition})" for condition in conditions if condition is not None]
    return " AND ".join(given) or None


def _plain(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotPushedDown("text that is not Unicode") from error
    if "\0" in value:
        raise NotPushedDown("text with a NUL character")
    return value
