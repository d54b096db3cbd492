"""How far answers with a label differ from answers without, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.label_selection import Difference
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30
_MOST_CATEGORIES = 50
_APART = 10.0
"""The effect where all of one side are of a category (or have one number) and none of the other: there is no
spread then."""


def differences(
    labelled: pd.DataFrame, unlabelled: pd.DataFrame, columns: Mapping[str, ColumnKind]
) -> list[Difference]:
    """One for each column of numbers or categories; none where either side has fewer than ``FEWEST`` rows.

    Numbers by Welch's test and the standardised mean difference (Austin 2009, Statistics in Medicine 28:3083,
    equations 1 and 2), categories by chi-squared and the largest such difference of a share.
    """
    if min(len(labelled), len(unlabelled)) < FEWEST:
        return []
    found = (
        _of_numbers(name, labelled[name], unlabelled[name])
        if kind == "numeric"
        else _of_categories(name, labelled[name], unlabelled[name])
        for name, kind in columns.items()
        if kind != "text" and name in labelled
    )
    return [one for one in found if one is not None]


def _of_numbers(name: str, one: pd.Series, other: pd.Series) -> Difference | None:
    import numpy as np
    from scipy.stats import ttest_ind

    with_label, without = (column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (one, other))
    with_label, without = with_label[np.isfinite(with_label)], without[np.isfinite(without)]
    if min(len(with_label), len(without)) < FEWEST:
        return None
    spread = ((with_label.var(ddof=1) + without.var(ddof=1)) / 2) ** 0.5
    gap = float(with_label.mean() - without.mean())
    means = float(with_label.mean()), float(without.mean())
    if spread > 0:
        p_value = float(ttest_ind(with_label, without, equal_var=False).pvalue)
        return Difference(name, gap / float(spread), p_value, *means)
    return Difference(name, _APART if gap > 0 else -_APART, 0.0, *means) if gap else None


def _of_categories(name: str, one: pd.Series, other: pd.Series) -> Difference | None:
    import numpy as np
    import pandas as pd
    from scipy.stats import chi2_contingency

    values = pd.concat([one, other], ignore_index=True).astype(object)
    codes, names = pd.factorize(values.where(values.notna(), "missing"))
    codes = np.minimum(codes, _MOST_CATEGORIES)  # the late ones together
    counts = np.stack(
        [np.bincount(part, minlength=codes.max() + 1) for part in (codes[: len(one)], codes[len(one) :])]
    )
    if counts.shape[1] < 2:
        return None
    shares = counts / counts.sum(axis=1, keepdims=True)
    effects = np.array(list(_standardised(shares)))
    worst = int(np.abs(effects).argmax())
    return Difference(
        name,
        float(effects[worst]),
        float(chi2_contingency(counts, correction=False).pvalue),
        float(shares[0, worst]),
        float(shares[1, worst]),
        str(names[worst]) if worst < _MOST_CATEGORIES else "all others",
    )


def _standardised(shares: Any) -> Iterator[float]:
    for with_label, without in shares.T:
        spread = ((with_label * (1 - with_label) + without * (1 - without)) / 2) ** 0.5
        gap = float(with_label - without)
        yield gap / float(spread) if spread > 0 else gap * _APART
