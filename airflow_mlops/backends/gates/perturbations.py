"""Holdout features as the world may send them: noisy, missing, beyond what training has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Change = Callable[[pd.Series, pd.Series, float, np.random.Generator], pd.Series]

NEVER_SEEN = "airflow-mlops: never seen"


def fitting(perturbation: str, columns: Mapping[str, ColumnKind]) -> list[str]:
    """The features that a perturbation can be done to."""
    kinds = PERTURBATIONS[perturbation][0]
    return [name for name, kind in columns.items() if kind in kinds]


def perturbed(
    perturbation: str,
    features: pd.DataFrame,
    names: list[str],
    training: pd.DataFrame,
    strength: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A copy in which these features are changed. ``training`` says what is usual."""
    change = PERTURBATIONS[perturbation][1]
    return features.assign(**{name: change(features[name], training[name], strength, rng) for name in names})


def _noise(values: pd.Series, training: pd.Series, strength: float, rng: np.random.Generator) -> pd.Series:
    deviation = float(training.astype("float64").std())
    noise = rng.normal(0.0, strength * deviation if deviation > 0 else 0.0, size=len(values))
    return values.astype("float64") + noise


def _missing(values: pd.Series, training: pd.Series, strength: float, rng: np.random.Generator) -> pd.Series:
    chosen = rng.random(len(values)) < strength
    # A number's hole is NaN. So is a category's: encoders know no other where models are trained here.
    wide = values.astype("float64") if _is_number(training) else values.astype(object)
    return wide.where(~chosen, float("nan"))


def _out_of_range(
    values: pd.Series, training: pd.Series, strength: float, rng: np.random.Generator
) -> pd.Series:
    seen = training.astype("float64")
    low, high = float(seen.min()), float(seen.max())
    if not high >= low:  # training has seen no number at all
        low, high = 0.0, 0.0
    width = high - low or 1.0
    beyond = width * (1 - rng.random(len(values)))  # above 0, up to the range
    outside = (high + beyond) * (above := rng.random(len(values)) < 0.5) + (low - beyond) * ~above
    chosen = rng.random(len(values)) < strength
    return values.astype("float64").where(~chosen, outside)


def _unseen_category(
    values: pd.Series,
    training: pd.Series,
    strength: float,
    rng: np.random.Generator,
) -> pd.Series:
    name, known = NEVER_SEEN, set(training.dropna().unique())
    while name in known:
        name += "!"
    return values.astype(object).where(rng.random(len(values)) >= strength, name)


def _typos(values: pd.Series, training: pd.Series, strength: float, rng: np.random.Generator) -> pd.Series:  # noqa: ARG001 (a typo is one in any language)
    """Characters that change places with the next one."""

    def mistyped(text: Any) -> Any:
        if not isinstance(text, str) or len(text) < 2:
            return text
        letters = list(text)
        for place in (rng.random(len(letters) - 1) < strength).nonzero()[0]:
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
        return "".join(letters)

    return values.astype(object).map(mistyped)


def _is_number(values: pd.Series) -> bool:
    from pandas.api import types

    return bool(types.is_numeric_dtype(values.dtype))


_EVERY: frozenset[Any] = frozenset({"numeric", "categorical"})
_NUMBERS: frozenset[Any] = frozenset({"numeric"})
_CATEGORIES: frozenset[Any] = frozenset({"categorical"})
_TEXTS: frozenset[Any] = frozenset({"text"})

PERTURBATIONS: Mapping[str, tuple[frozenset[Any], Change]] = {
    "noise": (_NUMBERS, _noise),
    "missing": (_EVERY, _missing),
    "out_of_range": (_NUMBERS, _out_of_range),
    "unseen_category": (_CATEGORIES, _unseen_category),
    "typos": (_TEXTS, _typos),
}
"""Of each the kinds of columns it is for, and what makes the new values."""
