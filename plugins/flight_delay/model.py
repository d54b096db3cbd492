"""How the flight_delay model is made: gradient-boosted trees over encoded categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

CATEGORIES = ["carrier", "origin", "dest"]


def train(features: pd.DataFrame, label: pd.Series, params: Mapping[str, Any], seed: int) -> Pipeline:
    """A fitted pipeline of scikit-learn's own parts, so that it can be saved without pickle.

    ``params`` go to ``HistGradientBoostingClassifier``. A carrier or destination that training never saw
    (LEX has its one flight in November) counts as missing, which the trees handle.
    """
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    numbers = [name for name in features.columns if name not in CATEGORIES]
    columns = ColumnTransformer(
        [("categories", encoder, CATEGORIES), ("numbers", "passthrough", numbers)],
        verbose_feature_names_out=False,
    )
    trees = HistGradientBoostingClassifier(
        categorical_features=list(range(len(CATEGORIES))), random_state=seed, **params
    )
    return Pipeline([("columns", columns), ("trees", trees)]).fit(features, label)
