"""Expectations by Great Expectations, on a frame in memory: no project folder, no stores, no network."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.values import CheckedExpectation, Expectation
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "airflow_mlops_place"
_LOOKED_AT = 10_000
_QUOTED = re.compile(r"""(?<!\w)(['"])(.*?)(?:\1(?!\w)|\Z)""", re.DOTALL)
_TYPES = ("str", "int", "float", "bool", "datetime", "NoneType", "<", "<=", ">", ">=")


class GreatExpectationsChecker:
    """Runs each expectation by its own name and arguments, as Great Expectations documents them.

    Severity plays no part here: which failures stop a run is the caller's rule. ``observed`` holds
    aggregates only (a mean, a count), never values of rows.
    """

    def check(self, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[CheckedExpectation]:
        """One result per expectation, in their order.

        An expectation that cannot be computed (a column that is not there, a wrong type) carries an
        ``error``; one that Great Expectations does not know raises ``DataRefused`` with the nearest name.
        """
        if not expectations:
            return []
        _hush()
        import great_expectations as gx
        from great_expectations.exceptions import GreatExpectationsError

        _refuse_unknown(expectations)
        try:
            suite = gx.ExpectationSuite("model", expectations=_as_configurations(expectations, frame))
        except (GreatExpectationsError, ValueError, TypeError) as error:
            raise DataRefused(f"Great Expectations refuses the suite: {error}") from error
        batch = _batch(gx, frame)
        results: dict[int, CheckedExpectation] = {}
        for result in batch.validate(suite, result_format="SUMMARY").results:
            place = int(result.expectation_config.meta[_PLACE])
            results[place] = _checked(expectations[place], result, frame)
        return [results[place] for place in range(len(expectations))]


def _hush() -> None:
    """Great Expectations writes hundreds of INFO lines into the task's log; set before its import. One of
    its modules gives its logger a level of its own.
    """
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _refuse_unknown(expectations: Sequence[Expectation]) -> None:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = list_registered_expectation_implementations()
    for expectation in expectations:
        if expectation.type not in known:
            near = difflib.get_close_matches(expectation.type, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise DataRefused(f"Great Expectations knows no {expectation.type}{hint}")


def _as_configurations(expectations: Sequence[Expectation], frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "type": expectation.type,
            "kwargs": _comparable(expectation.kwargs, frame),
            "severity": expectation.severity,
            "meta": {_PLACE: place},
        }
        for place, expectation in enumerate(expectations)
    ]


def _comparable(kwargs: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Text cannot be held against a column of time stamps: times as text, alone or in a list, become times,
    in the column's zone where they name none; a bare date is its midnight."""
    import pandas as pd

    column = kwargs.get("column")
    if column not in frame or not pd.api.types.is_datetime64_any_dtype(frame[column]):
        return dict(kwargs)
    zone = getattr(frame[column].dtype, "tz", None)
    return {
        name: [_as_time(item, zone) for item in value] if isinstance(value, list) else _as_time(value, zone)
        for name, value in kwargs.items()
    }


def _as_time(value: Any, zone: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if zone is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    return moment


def _batch(gx: Any, frame: pd.DataFrame) -> Any:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frame").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("frame")
    return whole.get_batch(batch_parameters={"dataframe": frame})


def _checked(expectation: Expectation, result: Any, frame: pd.DataFrame) -> CheckedExpectation:
    message = _error(result.exception_info or {})
    error = None if message is None else _without_values(message, expectation, frame)
    found = result.result or {}
    return CheckedExpectation(
        expectation=expectation,
        success=bool(result.success) and error is None,
        rows=_whole(found.get("element_count")),
        unexpected=_whole(found.get("unexpected_count")),
        observed=_aggregate(found.get("observed_value")),
        error=error,
    )


def _error(info: Mapping[str, Any]) -> str | None:
    """Two shapes: flat, or one entry per metric. The first message."""
    entries = [info] if "raised_exception" in info else [item for item in info.values() if item]
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return str(entry.get("exception_message") or "unknown reason").strip()
    return None


def _without_values(message: str, expectation: Expectation, frame: pd.DataFrame) -> str:
    """The first line of an error without what it quotes from the rows ("could not convert 'a name'").

    Quoted words stay if they are columns, types or the YAML's own; all else might be a row's. A line that
    still has a text of the column in it ("Could not convert a name to numeric") is left out whole.
    """
    known = {*map(str, frame.columns), *map(str, expectation.kwargs.values()), *_TYPES}
    hidden = _QUOTED.sub(lambda match: match[0] if match[2] in known else "(a value)", message)
    first = hidden.splitlines()[0]
    if any(text in first for text in _texts(expectation, frame)):
        return "the values are of a type that it cannot compute with"
    return first[:300]


def _texts(expectation: Expectation, frame: pd.DataFrame) -> set[str]:
    """Of the columns that an expectation names. What is shorter than three letters is in every sentence."""
    import pandas as pd

    given = [name for name in expectation.kwargs.values() if isinstance(name, str) and name in frame]
    named = [frame[name].head(_LOOKED_AT) for name in given]
    texts = [column for column in named if not pd.api.types.is_numeric_dtype(column)]
    return {text for column in texts for text in column if isinstance(text, str) and len(text) > 2}


def _aggregate(value: Any) -> str | None:
    """A number as text; anything else could hold values of rows."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return f"{float(value):.6g}"
    except (TypeError, ValueError):
        return None


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
