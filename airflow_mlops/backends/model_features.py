"""Between a frame of features and an estimator: column kinds, dtypes and what a prediction is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import ColumnKind, TaskKind, is_classification
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def column_kinds(features: pd.DataFrame, texts: Collection[str] = ()) -> dict[str, ColumnKind]:
    """Numbers and flags are numeric, strings are categories, or text where ``texts`` names the column.
    Raises ``DataRefused`` for dates and other types that would not survive the way through JSON to the
    endpoint, and for a text that holds numbers.
    """
    import pandas as pd
    from pandas.api import types

    kinds: dict[str, ColumnKind] = {}
    refused = []
    for name, dtype in features.dtypes.items():
        values = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        if types.is_numeric_dtype(values) and not types.is_complex_dtype(values):
            kinds[str(name)] = "numeric"
        elif types.is_string_dtype(values) or types.is_object_dtype(values):
            kinds[str(name)] = "text" if name in texts else "categorical"
        else:
            refused.append(f"{name} ({dtype})")
    refused += [f"{name} (numbers, not text)" for name in texts if kinds.get(name) == "numeric"]
    if refused:
        raise DataRefused(
            f"features must be numbers, text or categories, but these are not: {', '.join(refused)}. "
            "Turn them into numbers (an hour, a number of days) or leave them out of `features`."
        )
    return kinds


def conformed(features: pd.DataFrame, columns: Mapping[str, ColumnKind]) -> pd.DataFrame:
    """These columns in this order: numeric as float64, categorical as text, all missing values NaN, but a
    missing text is an empty one.

    Raises ``ModelRefused`` that names columns which are missing or of the other kind: rows that an encoder
    would take for unknown, one and all, must not pass for predictions.
    """
    import pandas as pd

    missing = [name for name in columns if name not in features.columns]
    if missing:
        raise ModelRefused(
            f"the model needs columns that are not there: {', '.join(missing)}. "
            f"There are: {', '.join(map(str, features.columns)) or 'none'}."
        )
    if list(features.columns) == list(columns) and all(kind == "numeric" for kind in columns.values()):
        values = features.to_numpy()
        if values.dtype == "float64":
            # One block, as it is: column by column costs more than many a model does.
            return pd.DataFrame(values, columns=features.columns, index=features.index, copy=False)
    return pd.DataFrame(
        {
            name: _numbers(features[name]) if kind == "numeric" else _objects(features[name], kind)
            for name, kind in columns.items()
        },
        index=features.index,
    )


def _numbers(values: pd.Series) -> np.ndarray[Any, Any]:
    import numpy as np

    try:
        return np.asarray(values.to_numpy(dtype="float64", na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise ModelRefused(f"the model needs numbers in column {values.name}: {raised(error)}") from None


def _objects(values: pd.Series, kind: ColumnKind) -> pd.Series:
    """None, NaN and NA are one missing value to scikit-learn's encoders only when all are NaN.

    A series, since a frame made of a bare array is text in pandas 3 and objects in pandas 2.
    """
    import numpy as np
    import pandas as pd
    from pandas.api import types

    missing = values.isna().to_numpy()
    is_number = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
    if is_number and not missing.all():
        raise ModelRefused(f"the model needs text in column {values.name}, but it holds {values.dtype}")
    objects = values.to_numpy(dtype=object, copy=True)
    # A client may send 7 or true where training has seen the text: an encoder would know neither.
    if any(isinstance(value, (bool, int)) for value in objects):
        objects = np.array([str(value) for value in objects], dtype=object)
    objects[missing] = "" if kind == "text" else np.nan
    return pd.Series(objects, dtype=object, index=values.index)


def prediction(
    estimator: Any, task: TaskKind, features: pd.DataFrame | np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Ask an estimator what its task promises. Raises ``TrainingFailed`` where it cannot answer."""
    import numpy as np

    if not is_classification(task):
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
