"""What is scored, checked: labels and predictions that a metric is defined on, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from airflow_mlops.core.metrics import MetricSpec
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import TaskKind
from airflow_mlops.exceptions import DataRefused

_SPREAD = ("r2", "explained_variance", "d2_absolute_error_score")
_LOGARITHMS = ("mean_squared_log_error", "root_mean_squared_log_error")


def checked_scores(prediction: Any, labels: Any) -> Any:
    """The predictions as finite numbers, as many as labels."""
    import numpy as np

    try:
        scores = np.asarray(prediction, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"the predictions are no numbers: {raised(error)}") from None
    if len(labels) != len(scores):
        raise DataRefused(f"{len(labels)} labels do not fit {len(scores)} predictions")
    if not len(labels):
        raise DataRefused("there are no rows to score")
    bad = int((~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)).sum())
    if bad:
        raise DataRefused(f"{bad} of {len(scores)} predictions are null or not finite")
    return scores


def checked(
    task: TaskKind, metrics: Sequence[MetricSpec], labels: Any, scores: Any, group: Any
) -> tuple[Any, Any]:
    """Labels and scores as the task has them: float64, classes numbered from 0."""
    match task:
        case "binary_classification":
            classes = _binary(labels)
            _refuse_lonely_row(classes, metrics)
            return classes, _one_column(scores)
        case "multiclass_classification":
            classes = _numbered(labels, scores)
            _refuse_lonely_class(classes, scores, metrics)
            return classes, scores
        case "regression" | "forecasting":
            numbers, column = _numbers(labels, task), _one_column(scores)
            _refuse_undefined(numbers, column, metrics, group)
            return numbers, column
        case "ranking":
            grades = _numbers(labels, task)
            if grades.min() < 0:
                less = int((grades < 0).sum())
                raise DataRefused(
                    f"the labels of a ranking are grades from 0 up; {less} of {len(grades)} are less"
                )
            if group is None:
                raise DataRefused("a ranking is scored by query, and nothing says which row is of which")
            return grades, _one_column(scores)
        case _:
            assert_never(task)


def numbered_groups(groups: Any, rows: int, task: TaskKind) -> Any:
    """A number per row for its group, from 0. A row without a group stands alone, but in a ranking."""
    import numpy as np
    import pandas as pd

    if groups is None:
        return None
    if len(groups) != rows:
        raise DataRefused(f"{len(groups)} groups do not fit {rows} rows")
    codes, names = pd.factorize(np.asarray(groups, dtype=object))
    alone = codes < 0
    if alone.any() and task == "ranking":
        raise DataRefused(f"{int(alone.sum())} of {rows} rows have no query")
    codes[alone] = len(names) + np.arange(int(alone.sum()))
    if codes.max() < 1:
        what = "query" if task == "ranking" else "group"
        raise DataRefused(f"all {rows} rows are of one {what}: an interval needs at least two")
    return codes


def _wanted(metrics: Sequence[MetricSpec], names: Sequence[str]) -> list[str]:
    return [spec.name for spec in metrics if spec.metric in names]


def _binary(labels: Any) -> Any:
    import numpy as np

    classes = _sorted_classes(labels)
    if not set(classes.tolist()) <= {0, 1}:
        others = sum(label not in (0, 1) for label in labels.tolist())
        raise DataRefused(
            "the labels of a binary classification are 0 and 1, or false and true; "
            f"{others} of {len(labels)} are something else"
        )
    _refuse_one_class(classes, len(labels))
    return labels.astype(np.float64)


def _numbered(labels: Any, scores: Any) -> Any:
    import numpy as np

    if scores.ndim != 2:
        raise DataRefused("a multiclass prediction has one column of probabilities per class")
    classes = _sorted_classes(labels)
    _refuse_one_class(classes, len(labels))
    width = scores.shape[1]
    if classes.dtype.kind in "iub" and classes.min() >= 0 and classes.max() < width:
        return labels.astype(np.float64)
    if len(classes) != width:
        raise DataRefused(
            f"the labels have {len(classes)} classes, the predictions {width} columns; "
            "number the classes from 0, or score rows that have every class"
        )
    return np.searchsorted(classes, labels).astype(np.float64)


def _numbers(labels: Any, task: TaskKind) -> Any:
    import numpy as np

    try:
        numbers = _without_null(labels).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"the labels of a {task} are numbers, these are not: {raised(error)}") from None
    return numbers


def _refuse_undefined(labels: Any, scores: Any, metrics: Sequence[MetricSpec], group: Any) -> None:
    rows = len(labels)
    if (wanted := _wanted(metrics, _SPREAD)) and labels.min() == labels.max():
        raise DataRefused(f"{wanted[0]} is undefined: all {rows} labels are equal")
    beyond = int(((labels <= -1) | (scores <= -1)).sum())
    if beyond and (wanted := _wanted(metrics, _LOGARITHMS)):
        raise DataRefused(f"{wanted[0]} is undefined at -1 and below, where {beyond} of {rows} rows are")
    if (wanted := _wanted(metrics, ("weighted_absolute_percentage_error",))) and not labels.any():
        raise DataRefused(f"{wanted[0]} is undefined: all {rows} labels are 0")
    for spec in metrics:
        if spec.metric == "mean_absolute_scaled_error" and not _changes(labels, group, spec):
            raise DataRefused(
                f"{spec.name} is undefined: the naive forecast has no error on these {rows} rows"
            )


def _changes(labels: Any, group: Any, spec: MetricSpec) -> bool:
    """Whether any label differs from that of a season before, in its group."""
    import numpy as np

    step = int(spec.params.get("season", 1))
    order = np.arange(len(labels)) if group is None else np.argsort(group, kind="stable")
    ordered, series = labels[order], np.zeros(len(labels)) if group is None else group[order]
    return bool(((ordered[step:] != ordered[:-step]) & (series[step:] == series[:-step])).any())


def _one_column(scores: Any) -> Any:
    if scores.ndim == 2 and scores.shape[1] == 1:
        return scores[:, 0]
    if scores.ndim != 1:
        raise DataRefused(f"a prediction is one number a row, these have {scores.shape[1]} columns")
    return scores


def _without_null(labels: Any) -> Any:
    import pandas as pd

    nulls = int(pd.isna(labels).sum())
    if nulls:
        raise DataRefused(f"{nulls} of {len(labels)} labels are null; score only rows whose label has landed")
    return labels


def _sorted_classes(labels: Any) -> Any:
    import numpy as np

    try:
        return np.unique(_without_null(labels))
    except TypeError as error:
        raise DataRefused(f"the labels mix types that have no order: {raised(error)}") from None


def _refuse_one_class(classes: Any, rows: int) -> None:
    if len(classes) < 2:
        raise DataRefused(
            f"all {rows} labels are equal: with one class only, no classification metric says anything"
        )


def _refuse_lonely_row(labels: Any, metrics: Sequence[MetricSpec]) -> None:
    """One row of a class has no spread of its own: the interval would show that of the other class alone."""
    positives = int(labels.sum())
    wanted = _wanted(metrics, ("roc_auc", "average_precision"))
    if wanted and min(positives, len(labels) - positives) < 2:
        raise DataRefused(
            f"of {len(labels)} labels {positives} are 1: an interval of {wanted[0]} needs two of each class"
        )


def _refuse_lonely_class(labels: Any, scores: Any, metrics: Sequence[MetricSpec]) -> None:
    import numpy as np

    wanted = _wanted(metrics, ("roc_auc_ovr",))
    rows = np.bincount(labels.astype(int), minlength=scores.shape[1])
    if wanted and rows.min() < 2:
        raise DataRefused(
            f"of {len(labels)} labels {rows.min()} are of one of the classes: an interval of {wanted[0]} "
            "needs two of each class"
        )
