"""Training by a scikit-learn estimator named in the YAML, with encoders for categories and text before it."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.import_path import load_object
from airflow_mlops.backends.learnable import refuse_one_class, refuse_unusable_label
from airflow_mlops.core.raised import raised
from airflow_mlops.exceptions import DataRefused, TrainingFailed

if TYPE_CHECKING:
    import pandas as pd

_HISTOGRAM_BINS = 255
_WORD = r"(?u)\b\w\w+\b"
_SPARSE_WORDS, _DENSE_WORDS = 20_000, 300


class EstimatorTrainer:
    """Makes ``Pipeline(encoders, estimator)``, so that raw rows can be served and saved as one model.

    Columns of strings or pandas categories are encoded, all others pass as numbers:

    * histogram gradient boosting splits on categories itself: they are numbered (the rarest share one number
      beyond ``max_bins``), and what training has not seen counts as missing;
    * any other estimator gets one column for each of the 1,000 most frequent categories (what training has
      not seen is none of them), and missing numbers are the median, since most estimators refuse them;
    * a column of prose is its words and pairs of neighbouring words, weighed by how rare they are (tf-idf,
      with the logarithm of the count, rows scaled to length one): the 20,000 most frequent in training where
      the estimator takes sparse matrices, the 300 most frequent where it does not, since each of them is
      then a full column of numbers. Case is ignored; words have two letters or more, of any alphabet.

    ``random_state`` is the seed unless ``params`` says otherwise.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def fit(
        self,
        features: pd.DataFrame,
        label: pd.Series,
        params: Mapping[str, Any],
        seed: int,
        *,
        texts: Sequence[str] = (),
    ) -> Any:
        """The fitted pipeline. Raises ``DataRefused`` for labels or columns it cannot learn from, and
        ``TrainingFailed`` that names the parameter at fault."""
        from sklearn.base import is_classifier

        estimator = self._estimator(params, seed)
        refuse_unusable_label(label)
        if is_classifier(estimator):
            refuse_one_class(label)
            if not hasattr(estimator, "predict_proba"):
                raise TrainingFailed(
                    f"{self._path} gives no probabilities with these params; use a classifier that has "
                    "predict_proba"
                )
        _refuse_wordless(features, texts)
        categorical, numeric = _split(features.drop(columns=list(texts)))
        pipeline = _pipeline(estimator, categorical, numeric, texts)
        try:
            pipeline.fit(_one_kind_of_missing(features, categorical), label)
        except Exception as error:  # scikit-learn raises ValueError, TypeError and its own; the cause is kept
            raise TrainingFailed(
                f"{self._path} could not be fitted on {len(features)} rows of {features.shape[1]} columns: "
                f"{raised(error)}"
            ) from error
        return pipeline

    def code_version(self) -> str:
        """The estimator's library and its version."""
        library = import_module(self._path.partition(".")[0])
        return f"{library.__name__}=={getattr(library, '__version__', 'unknown')}"

    def _estimator(self, params: Mapping[str, Any], seed: int) -> Any:
        kind = load_object(self._path)
        if not (isinstance(kind, type) and hasattr(kind, "fit") and hasattr(kind, "get_params")):
            raise TrainingFailed(
                f"{self._path} is no scikit-learn estimator class: it has no fit and get_params"
            )
        self._refuse_unknown(params, kind)
        try:
            estimator = kind(**params)
        except Exception as error:  # a third-party constructor may raise anything; the cause is kept
            raise TrainingFailed(f"{self._path} could not be made: {error}") from error
        if "random_state" in estimator.get_params() and "random_state" not in params:
            estimator.set_params(random_state=seed)
        return estimator

    def _refuse_unknown(self, params: Mapping[str, Any], kind: type) -> None:
        parameters = inspect.signature(kind).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return  # xgboost and lightgbm take any keyword and speak for themselves
        unknown = [name for name in params if name not in parameters]
        if unknown:
            near = difflib.get_close_matches(unknown[0], list(parameters), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TrainingFailed(
                f"{self._path} has no parameter {', '.join(map(repr, unknown))}.{hint} "
                f"It has: {', '.join(sorted(parameters))}"
            )


def _split(features: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Categorical and numeric columns, in the frame's order. Raises ``DataRefused`` for other kinds."""
    import pandas as pd

    categorical, numeric, wrong = [], [], []
    for name, dtype in features.dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(dtype) or dtype.kind == "O":
            categorical.append(str(name))
        elif pd.api.types.is_numeric_dtype(dtype):
            numeric.append(str(name))
        else:
            wrong.append(f"{name} ({dtype})")
    if wrong:
        raise DataRefused(
            f"these features are neither numbers nor text: {', '.join(wrong)}; turn them into numbers where "
            "the data is made, or leave them out of data.features"
        )
    return categorical, numeric


def _refuse_wordless(features: pd.DataFrame, texts: Sequence[str]) -> None:
    for name in texts:
        if not any(re.search(_WORD, text) for text in features[name]):
            raise DataRefused(
                f"no row has a word of two letters or more in the text column {name!r}, so nothing can be "
                "learnt from it; look at where its text comes from, or leave it out of data.features"
            )


def _pipeline(
    estimator: Any, categorical: Sequence[str], numeric: Sequence[str], texts: Sequence[str]
) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.utils import get_tags

    if type(estimator).__name__.startswith("HistGradientBoosting"):
        categories, numbers = _numbered(estimator), "passthrough"
        if categorical and estimator.get_params()["categorical_features"] in (None, "from_dtype"):
            # A mask by position: behind the encoder the columns have no names, categories come first.
            estimator.set_params(categorical_features=list(range(len(categorical))))
    else:
        categories, numbers = _one_column_each(), _filled()
    takes_sparse = get_tags(estimator).input_tags.sparse
    parts: list[tuple[str, Any, Any]] = [
        ("categories", categories, list(categorical)),
        ("numbers", numbers, list(numeric)),
        # A name alone, not a list of one: a vectorizer takes one column, not a frame.
        *((f"words of {name}", _words(takes_sparse), name) for name in texts),
    ]
    encoders = ColumnTransformer(
        [part for part in parts if part[2]], sparse_threshold=0.3 if takes_sparse else 0.0
    )
    return Pipeline([("encoders", encoders), ("estimator", estimator)])


def _numbered(estimator: Any) -> Any:
    import numpy as np
    from sklearn.preprocessing import OrdinalEncoder

    bins = min(int(estimator.get_params().get("max_bins", _HISTOGRAM_BINS)), _HISTOGRAM_BINS)
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=bins,
    )


def _one_column_each() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(handle_unknown="ignore", max_categories=1_000)


def _words(takes_sparse: bool) -> Any:
    """Single precision: half the memory, and weights need no more."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        token_pattern=_WORD,
        ngram_range=(1, 2),
        max_features=_SPARSE_WORDS if takes_sparse else _DENSE_WORDS,
        sublinear_tf=True,
        dtype=np.float32,
    )


def _filled() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)


def _one_kind_of_missing(features: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    """None, NaN and NA as NaN: scikit-learn's encoders take None for a category of its own."""
    import numpy as np

    texts = {
        name: features[name].astype(object).where(features[name].notna(), np.nan) for name in categorical
    }
    return features.assign(**texts)
