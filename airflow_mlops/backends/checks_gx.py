"""Expectations by Great Expectations, on a frame in memory: no project folder, no stores, no network."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.values import CheckedExpectation, Expectation
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "airflow_mlops_place"
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


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
            results[place] = _checked(expectations[place], result)
        return [results[place] for place in range(len(expectations))]


def _hush() -> None:
    """Great Expectations writes hundreds of INFO lines into the task's log; set before its import."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)


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
    """Dates as text cannot be held against a column of time stamps: they become midnight in its zone."""
    import pandas as pd

    column = kwargs.get("column")
    if column not in frame or not pd.api.types.is_datetime64_any_dtype(frame[column]):
        return dict(kwargs)
    zone = getattr(frame[column].dtype, "tz", None)
    return {
        name: pd.Timestamp(value, tz=zone).to_pydatetime()
        if isinstance(value, str) and _DATE.match(value)
        else value
        for name, value in kwargs.items()
    }


def _batch(gx: Any, frame: pd.DataFrame) -> Any:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frame").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("frame")
    return whole.get_batch(batch_parameters={"dataframe": frame})


def _checked(expectation: Expectation, result: Any) -> CheckedExpectation:
    error = _error(result.exception_info or {})
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
    """Two shapes: flat, or one entry per metric. The first message, without its traceback."""
    entries = [info] if "raised_exception" in info else [item for item in info.values() if item]
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            message = str(entry.get("exception_message") or "unknown reason")
            return message.strip().splitlines()[0][:300]
    return None


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
