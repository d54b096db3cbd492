"""Models that need numbers in the right places, and no names: scikit-learn reads a frame three times as long
as a small model takes to answer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from airflow_mlops.core.values import ColumnKind


def by_place(estimator: Any, columns: Mapping[str, ColumnKind]) -> Any | None:
    """A twin of the estimator that takes an array of ``columns``' numbers and answers the same; None where
    names or types of columns may matter to it: it is not scikit-learn's own, is made of other estimators, or
    was fitted to other columns.
    """
    if type(estimator).__module__.partition(".")[0] != "sklearn":
        return None
    if any(kind != "numeric" for kind in columns.values()):
        return None
    if list(getattr(estimator, "feature_names_in_", ())) != list(columns) or _is_made_of_others(estimator):
        return None
    twin = copy.copy(estimator)
    # With names it warns of every array.
    del twin.feature_names_in_
    return twin


def _is_made_of_others(estimator: Any) -> bool:
    given = estimator.get_params(deep=False).values()
    if any(hasattr(value, "get_params") or isinstance(value, list | tuple) for value in given):
        return True
    return any(hasattr(value, "feature_names_in_") for value in vars(estimator).values())
