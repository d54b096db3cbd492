"""Gates of the user's own: by import path, or from a package's entry point."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.catalog import installed_part
from airflow_mlops.backends.gates.evidence import evidence
from airflow_mlops.backends.import_path import load_object
from airflow_mlops.backends.material import Material
from airflow_mlops.backends.user_code import refuse_away
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import Estimate, Finding, Measurement, Verdict
from airflow_mlops.exceptions import MlopsError

_log = logging.getLogger(__name__)
_BOUNDS = ("minimum", "maximum")


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """What ``function(evidence, **params)`` gave: a verdict, or numbers by name, each a float or an estimate
    with its interval. A function that raises, or gives something else, leaves the gate inconclusive.

    Raises ``ConfigError`` where there is no such function.
    """
    path = settings["callable"]
    function = load_object(path) if path else installed_part(f"gate.{settings['gate']}")
    name = path or f"gate.{settings['gate']}"
    try:
        given = function(evidence(material), **settings["params"])
    except Exception as error:  # a user's gate may raise anything; the finding names it
        if isinstance(error, MlopsError) and error.retry_can_help:
            raise
        refuse_away(name, error)
        # What it says may quote a row, and a finding travels; the log is its author's.
        _log.warning("%s raised", name, exc_info=True)
        told = str(error) if isinstance(error, MlopsError) else raised(error)
        return Finding("", problem=f"{name} raised {told}")
    return _finding(given, name, bounded=any(settings[bound] is not None for bound in _BOUNDS))


def _finding(given: Any, name: str, *, bounded: bool) -> Finding:
    if isinstance(given, Verdict):
        return Finding("", verdict=given)
    if not isinstance(given, Mapping) or not given:
        return Finding(
            "", problem=f"{name} gave {_shown(given)}; return a Verdict, or numbers by name as a dict"
        )
    if not bounded:
        return Finding(
            "", problem=f"{name} gave numbers; give the gate a 'minimum' or a 'maximum' to hold them to"
        )
    found = []
    for key, value in given.items():
        estimate = _estimate(value)
        if estimate is None:
            return Finding(
                "", problem=f"{name} gave {_shown(value)} for {key!r}; a float or an Estimate is due"
            )
        found.append(Measurement(str(key), estimate))
    return Finding("", tuple(found))


def _estimate(value: Any) -> Estimate | None:
    """numpy's numbers count as numbers; true and false do not."""
    if isinstance(value, Estimate):
        return value
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if isinstance(value, str) else Estimate(number, number, number)


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
