"""DLE: what an error metric of a number probably is while labels are missing, by a model of the loss.

Direct loss estimation (NannyML's documentation, "Estimating performance for regression"): a second model is
fitted on the champion's holdout and says, from the features and the champion's answer, how large the loss of
a row is on average. Where the mix of rows changes, their mean follows; where the same rows are answered worse
than on the holdout, which is concept drift, it does not. Where the
holdout had no rows, its trees answer as at the edge of those it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.estimate_interval import ROWS, interval
from airflow_mlops.backends.metric_rows import by_row
from airflow_mlops.backends.scoring import NOTHING
from airflow_mlops.backends.shift.encoding import numbered, sampled
from airflow_mlops.core.metrics import AS_IT_IS, METRICS, MetricSpec, is_mean_of_rows
from airflow_mlops.core.values import ColumnKind, Estimate
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ROWS = 200
DRAWS = 20
ANSWER = "prediction"
_SEED = 0
_SQUARED: Mapping[str, str] = {
    "root_mean_squared_error": "mean_squared_error",
    "root_mean_squared_log_error": "mean_squared_log_error",
}
"""Roots of a mean over rows: the mean is estimated, and its interval drawn to the root with it."""


def estimate_of_losses(
    spec: MetricSpec,
    answers: pd.DataFrame,
    holdout: pd.DataFrame,
    columns: Mapping[str, ColumnKind],
    *,
    confidence: float,
    answered: int,
) -> Estimate:
    """The metric's expected value on so many answers without labels, ``answered``, of which ``answers`` may
    be a sample. The interval is of the holdout, resampled and fitted anew each time, and of chance.

    Both frames have ``columns`` and ``prediction``, the holdout also ``label``; at most ``ROWS`` of either
    are read. Texts are left out. Raises ``DataRefused`` for a metric that is no mean of losses of rows, or
    where there are too few rows.
    """
    import numpy as np

    mean = MetricSpec(spec.name, _SQUARED.get(spec.metric or "", spec.metric), spec.params)
    if spec.metric is None or mean.metric is None or not is_mean_of_rows(mean.metric):
        raise DataRefused(f"{spec.name} is no mean over rows, so it cannot be estimated without labels")
    holdout = sampled(holdout[np.isfinite(holdout[ANSWER]) & holdout["label"].notna()], ROWS, _SEED)
    window = sampled(answers[np.isfinite(answers[ANSWER])], ROWS, _SEED)
    if len(holdout) < FEWEST_ROWS or not len(window):
        raise DataRefused(
            f"{len(holdout)} rows of the holdout, {FEWEST_ROWS} are needed; {len(window)} answers"
        )
    losses = by_row("regression", AS_IT_IS, mean, holdout["label"], holdout[ANSWER], NOTHING)
    kinds = {name: kind for name, kind in columns.items() if kind != "text"}
    _, before, now, categorical = numbered(holdout, window, {**kinds, ANSWER: "numeric"})
    expected, deviation = _expected(before, losses, now, categorical, answered)
    known = METRICS[mean.metric]
    found = interval(expected, deviation, confidence, known)
    if mean.metric == spec.metric:
        return found
    return Estimate(*(max(one, 0.0) ** 0.5 for one in (found.value, found.low, found.high)))


def _expected(before: Any, losses: Any, now: Any, categorical: Any, answers: int) -> tuple[float, float]:
    """The mean loss, and its standard deviation: between models of resampled holdouts, and by chance.

    Chance is read from rows that a resample left out. An error whose size depends on the row has a loss
    whose deviation is in proportion to its mean; by that factor the window's rows have theirs.
    """
    import numpy as np

    generator = np.random.default_rng(_SEED)
    means, squares, missed, said = [], [], 0.0, 0.0
    for _ in range(DRAWS):
        again = generator.integers(0, len(losses), len(losses))
        model = _fitted(before[again], losses[again], categorical)
        left_out = np.setdiff1d(np.arange(len(losses)), again)
        own, found = model.predict(before[left_out]), np.maximum(model.predict(now), 0.0)
        missed += float(((losses[left_out] - own) ** 2).sum())
        said += float((own**2).sum())
        means.append(float(found.mean()))
        squares.append(float((found**2).mean()))
    chance = missed / said * float(np.mean(squares)) / answers if said else 0.0
    return float(np.mean(means)), float((np.var(means) + chance) ** 0.5)


def _fitted(rows: Any, losses: Any, categorical: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=40,
        max_leaf_nodes=8,
        early_stopping=False,
        categorical_features=categorical,
        random_state=_SEED,
    ).fit(rows, losses)
