"""A metric's value of each single row, for whoever follows it as labels land."""

from __future__ import annotations

from typing import Any

from airflow_mlops.backends.metric_forms import Answers, statistic
from airflow_mlops.backends.metric_inputs import checked, checked_scores
from airflow_mlops.backends.metric_own import from_function, from_outcomes
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.backends.statistic import Statistic
from airflow_mlops.backends.statistic_sums import Means
from airflow_mlops.core.metrics import MetricSpec, Scoring, is_mean_of_rows
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import TaskKind, is_classification
from airflow_mlops.exceptions import DataRefused


def by_row(
    task: TaskKind, scoring: Scoring, spec: MetricSpec, label: Any, prediction: Any, beside: Beside
) -> Any:
    """One finite number a row. Raises ``DataRefused`` where the metric is no mean over rows, or is not
    defined on one of these."""
    import numpy as np

    labels = np.asarray(label)
    scores = checked_scores(prediction, labels)
    if scores.ndim != 1:
        raise DataRefused(f"an answer is one number a row here, these have {scores.shape[1]} columns")
    if is_classification(task):
        labels = _classes(labels)
    else:
        labels, scores = checked(task, [spec], labels, scores, None)
    if spec.metric == "accuracy":
        said = scores if task == "multiclass_classification" else scores >= scoring.decision_threshold
        return (labels == said).astype(np.float64)
    answers = Answers(labels, scores, scoring.decision_threshold)
    found = _statistic(spec, answers, label, prediction, beside)
    if not isinstance(found, Means) or len(found.columns) != 1:
        raise DataRefused(f"{spec.name} gives one number for all rows together, and none for each")
    return np.asarray(found.columns[0], dtype=np.float64)


def _statistic(
    spec: MetricSpec, answers: Answers, label: Any, prediction: Any, beside: Beside
) -> Statistic | None:
    if spec.callable is not None:
        return from_function(spec.callable, spec.params, label, prediction, beside.rows)
    if spec.outcomes is not None:
        return from_outcomes(spec.name, spec.outcomes, answers, beside.rows)
    if spec.known is None or spec.metric is None or not is_mean_of_rows(spec.metric):
        return None
    return statistic(spec.metric, answers, {**spec.known.params, **spec.params})


def _classes(labels: Any) -> Any:
    """Classes as their numbers. Names would need the order in which training saw them."""
    import numpy as np

    try:
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataRefused(
            f"the labels are no class numbers ({raised(error)}); answers in the inference log are, so number "
            "the classes from 0"
        ) from None
    if not np.isfinite(numbers).all() or (numbers % 1 != 0).any() or (numbers < 0).any():
        raise DataRefused("the labels are no class numbers, which are whole and start at 0")
    return numbers
