"""Scores as chances: how often the holdout was of a class where a model gave it such a score.

Isotonic regression (Zadrozny and Elkan 2002) or, of few rows, Platt's logistic curve; of several classes each
against the rest, the chances of a row brought to a sum of 1 (the same paper, section 4.2). Guo et al. 2017
(arXiv 1706.04599) show why a score is not one by itself.
"""

from __future__ import annotations

from typing import Any

ISOTONIC_ROWS = 1_000
"""With fewer rows a logistic curve is fitted: scikit-learn's guide to calibration has isotonic regression
overfit below about a thousand."""


def calibrated(labels: Any, theirs: Any, scores: Any) -> Any:
    """Of two classes: ``scores`` as the share of ones that the holdout (``labels``, ``theirs``) had at them.
    A holdout without ones, or of ones alone, has that share everywhere."""
    import numpy as np
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    if labels.min() == labels.max():
        return np.full(len(scores), labels[0])
    if len(labels) >= ISOTONIC_ROWS:
        curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(theirs, labels)
        return curve.predict(scores)
    fitted = LogisticRegression().fit(_log_odds(theirs), labels)
    return fitted.predict_proba(_log_odds(scores))[:, 1]


def calibrated_classes(labels: Any, theirs: Any, scores: Any) -> Any:
    """Of several classes, numbered from 0: one column each. A row that no class would have keeps its own
    scores."""
    import numpy as np

    columns = range(scores.shape[1])
    chances = np.column_stack(
        [calibrated((labels == one).astype(np.float64), theirs[:, one], scores[:, one]) for one in columns]
    )
    sums = chances.sum(axis=1, keepdims=True)
    return np.where(sums > 0, chances / np.where(sums > 0, sums, 1.0), scores)


def _log_odds(scores: Any) -> Any:
    import numpy as np

    held = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(held / (1 - held)).reshape(-1, 1)
