"""A classifier that tries to tell the window from the reference: the better it does, the more has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.backends.shift.encoding import numbered, two_samples
from airflow_mlops.backends.shift.threads import one_thread
from airflow_mlops.core.shift.distribution import CONFIDENCE
from airflow_mlops.core.shift.multivariate import Together
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd

_FOLDS = 5


def measure(
    name: str,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Mapping[str, ColumnKind],
    *,
    rows: int,
    seed: int,
) -> Together:
    """The AUC of boosted trees on rows that they were not trained on, with its interval, and what each column
    tells (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests", ICLR).

    0.5 is a coin. A date, a counter or a growing id tells any two windows apart: leave such columns out. What
    a column tells is the AUC that is lost where its held-out values are shuffled; of two columns that say the
    same, each looks as if it told little. Rows are taken as independent.
    """
    import numpy as np

    ours, theirs = two_samples(reference, current, columns, rows, seed)
    places, before, after, categorical = numbered(ours, theirs, columns)
    values = np.vstack([before, after])
    is_window = np.repeat([0, 1], [len(before), len(after)])
    with one_thread():
        scores, lost = _out_of_fold(values, is_window, categorical, list(places.values()), seed)
    metrics = InfluenceMetrics("binary_classification")
    auc = metrics.score(["roc_auc"], is_window, scores, CONFIDENCE)["roc_auc"]
    # Scores that rank backwards on held-out rows tell nothing apart either.
    p_value = metrics.test("roc_auc", is_window, scores, 0.5).above
    tells = sorted(zip(places, lost, strict=True), key=lambda item: (-item[1], item[0]))
    return Together(
        name,
        "domain_classifier",
        effect=auc.value,
        p_value=p_value,
        rows=(len(before), len(after)),
        columns=tuple(columns),
        low=auc.low,
        high=auc.high,
        tells=tuple(tells),
    )


def _out_of_fold(
    values: Any, is_window: Any, categorical: Sequence[bool], places: Sequence[Sequence[int]], seed: int
) -> tuple[Any, list[float]]:
    """Of each row the probability that it is of the window, by trees that have not seen it; and of each
    column what the AUC loses without it, the mean over the folds."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    random = np.random.default_rng(seed)
    scores, lost = np.zeros(len(values)), np.zeros(len(places))
    for known, held_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(values, is_window):
        trees = HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=15,
            categorical_features=list(categorical),
            early_stopping=False,
            random_state=seed,
        )
        filled = _with_something_in_each(values, known)
        trees.fit(filled[known], is_window[known])
        rows, truth = filled[held_out], is_window[held_out]
        scores[held_out] = trees.predict_proba(rows)[:, 1]
        whole = roc_auc_score(truth, scores[held_out])
        order = random.permutation(len(rows))
        for number, own in enumerate(places):
            without = rows.copy()
            without[:, own] = rows[order][:, own]
            lost[number] += (whole - roc_auc_score(truth, trees.predict_proba(without)[:, 1])) / _FOLDS
    return scores, lost.tolist()


def _with_something_in_each(values: Any, known: Any) -> Any:
    """Zeros for a column that is empty in all rows that are learnt from: it tells nothing, and scikit-learn
    has no bins for it."""
    import numpy as np

    empty = np.isnan(values[known]).all(axis=0)
    return np.where(empty, 0.0, values)
