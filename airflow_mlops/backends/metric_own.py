"""Metrics of a user's own: a function by import path, and what the outcomes of decisions cost or are
worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.import_path import load_object
from airflow_mlops.backends.metric_forms import Answers
from airflow_mlops.backends.statistic import Statistic
from airflow_mlops.backends.statistic_other import Computed
from airflow_mlops.backends.statistic_sums import Means
from airflow_mlops.backends.user_code import user_code
from airflow_mlops.core.metrics import Outcomes
from airflow_mlops.core.raised import raised
from airflow_mlops.exceptions import DataRefused, TrainingFailed

if TYPE_CHECKING:
    import pandas as pd


def from_outcomes(name: str, outcomes: Outcomes, answers: Answers, rows: pd.DataFrame | None) -> Statistic:
    """The mean over rows of what the decision at the threshold turned out to cost, or to be worth."""
    import numpy as np

    columns = {column: _column(name, column, rows) for column in outcomes.columns}

    def worth(of: float | str) -> Any:
        return columns[of] if isinstance(of, str) else of

    there, said = answers.classes == 1, answers.said == 1
    each = np.select(
        [there & said, ~there & said, there & ~said],
        [worth(outcomes.true_positive), worth(outcomes.false_positive), worth(outcomes.false_negative)],
        worth(outcomes.true_negative),
    )
    if outcomes.times is not None:
        each = each * columns[outcomes.times]
    return Means((np.broadcast_to(each, answers.label.shape).astype(np.float64),), lambda mean: mean)


def from_function(
    path: str, params: Mapping[str, Any], label: Any, prediction: Any, rows: pd.DataFrame | None
) -> Statistic:
    """What ``function(label, prediction, rows, **params)`` says: the mean of one value a row, or one number,
    whose interval is then found by calling it on resampled rows."""
    import numpy as np
    import pandas as pd

    function, labels = load_object(path), pd.Series(label).reset_index(drop=True)
    predictions, count = np.asarray(prediction), len(labels)

    def call(some: Any | None) -> Any:
        given = (
            labels if some is None else labels.iloc[some].reset_index(drop=True),
            predictions if some is None else predictions[some],
            rows if some is None or rows is None else rows.iloc[some],
        )
        with user_code(path, lambda said: TrainingFailed(f"{said} on {len(given[0])} rows")):
            return np.asarray(function(*given, **params), dtype=np.float64)

    answer = call(None)
    if answer.shape == (count,):
        bad = int((~np.isfinite(answer)).sum())
        if bad:
            raise DataRefused(f"{path} gave {bad} of {count} rows no finite number")
        return Means((answer,), lambda mean: mean)
    if answer.shape != ():
        raise TrainingFailed(
            f"{path} returned an array of the shape {answer.shape} for {count} rows; return one number, or "
            "one for each row"
        )
    if not np.isfinite(answer):
        raise DataRefused(f"{path} gave {float(answer)}, which is no finite number")
    return Computed(count, lambda some: float(call(some)))


def _column(name: str, column: str, rows: pd.DataFrame | None) -> Any:
    import numpy as np

    if rows is None or column not in rows:
        there = "no columns" if rows is None else ", ".join(map(str, rows.columns))
        raise DataRefused(f"{name} needs the column {column}, which these rows do not have; there: {there}")
    try:
        values = rows[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"{name} needs numbers in the column {column}: {raised(error)}") from None
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DataRefused(f"{name} needs a number in every row of {column}; {bad} of {len(values)} have none")
    return values
