"""Between a frame of features and an estimator: column kinds, dtypes and what a prediction is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.values import ColumnKind, TaskKind
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def prediction(estimator: Any, task: TaskKind, features: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Ask an estimator what its task promises. Raises ``TrainingFailed`` where it cannot answer."""
    import numpy as np

    if task == "regression":
        return np.asarray(estimator.predict(features), dtype="float64")
    if not hasattr(estimator, "predict_proba"):
        raise TrainingFailed(
            f"{type(estimator).__name__} has no predict_proba, and {task} needs probabilities. "
            "Return a classifier that has it, for example wrapped in CalibratedClassifierCV."
        )
    probabilities = np.asarray(estimator.predict_proba(features), dtype="float64")
    if task == "multiclass_classification":
        return probabilities
    if probabilities.shape[1] != 2:
        raise TrainingFailed(
            f"binary classification needs two classes, but {type(estimator).__name__} knows "
            f"{probabilities.shape[1]}. Look at the label's values in the training rows."
        )
    return probabilities[:, 1]


def column_kinds(features: pd.DataFrame) -> dict[str, ColumnKind]:
    """Numbers and flags are numeric, text and categories categorical. Raises ``DataRefused`` for dates and
    other types that would not survive the way through JSON to the endpoint.
    """
    import pandas as pd
    from pandas.api import types

    kinds: dict[str, ColumnKind] = {}
    refused = []
    for name, dtype in features.dtypes.items():
        is_text = types.is_string_dtype(dtype) or types.is_object_dtype(dtype)
        if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
            kinds[str(name)] = "numeric"
        elif is_text or isinstance(dtype, pd.CategoricalDtype):
            kinds[str(name)] = "categorical"
        else:
            refused.append(f"{name} ({dtype})")
    if refused:
        raise DataRefused(
            f"features must be numbers, text or categories, but these are not: {', '.join(refused)}. "
            "Turn them into numbers (an hour, a number of days) or leave them out of `features`."
        )
    return kinds


def conformed(features: pd.DataFrame, columns: Mapping[str, ColumnKind]) -> pd.DataFrame:
    """These columns in this order: numeric as float64, categorical as objects, all missing values NaN."""
    import pandas as pd

    missing = [name for name in columns if name not in features.columns]
    if missing:
        raise ModelRefused(
            f"the model needs columns that are not there: {', '.join(missing)}. "
            f"There are: {', '.join(map(str, features.columns)) or 'none'}."
        )
    return pd.DataFrame(
        {
            name: _numbers(features[name]) if kind == "numeric" else _objects(features[name])
            for name, kind in columns.items()
        },
        index=features.index,
    )


def _numbers(values: pd.Series) -> np.ndarray[Any, Any]:
    import numpy as np

    try:
        return np.asarray(values.to_numpy(dtype="float64", na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise DataRefused(f"column {values.name} must hold numbers: {error}") from error


def _objects(values: pd.Series) -> np.ndarray[Any, Any]:
    """None, NaN and NA are one missing value to scikit-learn's encoders only when all are NaN."""
    import numpy as np

    objects = values.to_numpy(dtype=object, copy=True)
    objects[values.isna().to_numpy()] = np.nan
    return np.asarray(objects, dtype=object)
