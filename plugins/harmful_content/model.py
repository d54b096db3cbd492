"""How the harmful_content model is made: words and pairs of words, weighed by a logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder


def train(features: pd.DataFrame, label: pd.Series, params: Mapping[str, Any], seed: int) -> Pipeline:
    """A fitted pipeline of scikit-learn's own parts, so that it can be saved without pickle. ``params`` go
    to ``LogisticRegression``; ``max_words`` is how many words and pairs of words it may know.
    """
    settings = dict(params)
    words = TfidfVectorizer(
        ngram_range=(1, 2), max_features=settings.pop("max_words", 20_000), sublinear_tf=True
    )
    columns = ColumnTransformer(
        [("words", words, "comment"), ("language", OneHotEncoder(handle_unknown="ignore"), ["language"])]
    )
    weights = LogisticRegression(random_state=seed, **settings)
    return Pipeline([("columns", columns), ("weights", weights)]).fit(features, label)
