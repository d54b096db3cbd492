"""Splits: the rows of each fold, and what the folds say together. Groups and equal times stay together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.rows import group_numbers
from airflow_mlops.core.folds import Folds, FoldScore
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import Estimate
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NEWEST_SHARE = 5
"""``time`` without a length takes the newest fifth of the rows."""

MOST_EVENED_GROUPS = 20_000
"""StratifiedGroupKFold looks at one group after the other; among so many, chance evens out the classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Positions (for ``iloc``) of the rows to train on and to judge by, each in the order of the frame."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split_rows(
    rows: pd.DataFrame,
    folds: Folds,
    *,
    time_column: str,
    label: str,
    group: str | None = None,
    classes: bool = True,
    seed: int = 0,
) -> list[Fold]:
    """The folds of a frame, the training part of a snapshot. ``classes`` says that labels are classes, of
    which a fold drawn at random gets its share; ``seed`` is for those folds.

    Raises ``DataRefused`` that names the fold which would have no rows to train on or to judge by.
    """
    if folds.kind == "k_fold":
        found = _drawn(rows, folds, label=label, group=group, classes=classes, seed=seed)
    else:
        found = _by_time(rows, folds, time_column=time_column, group=group)
    made = list(found)
    for fold in made:
        for side, positions in (("to train on", fold.train), ("to judge by", fold.test)):
            if not len(positions):
                raise DataRefused(
                    f"{fold.name} has no rows {side} (of {len(rows)} in all); ask for fewer or shorter "
                    "folds, a shorter gap, or a longer data.window"
                )
    return made


def mean_of_folds(scores: Sequence[FoldScore], confidence: float) -> dict[str, Estimate]:
    """Each metric's mean over the folds that could be scored; of one fold, its own estimate.

    The folds' models share rows, so the folds differ less than independent trainings would: the variance of
    the mean is ``(1/k + test/train) s^2`` with k - 1 degrees of freedom (Nadeau and Bengio, "Inference for
    the generalization error", Machine Learning 52, 2003). It is a rule of thumb, and no exact interval.
    """
    scored = [score for score in scores if score.problem is None]
    if len(scored) == 1:
        return dict(scored[0].metrics)
    if not scored:
        return {}
    share = sum(score.test_rows / score.training_rows for score in scored) / len(scored)
    return {
        name: _mean([score.metrics[name].value for score in scored], share, confidence)
        for name in scored[0].metrics
    }


def _mean(values: list[float], share: float, confidence: float) -> Estimate:
    from scipy.stats import t

    count = len(values)
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    margin = float(t.ppf((1 + confidence) / 2, count - 1)) * math.sqrt((1 / count + share) * variance)
    return Estimate(mean, mean - margin, mean + margin)


def _by_time(rows: pd.DataFrame, folds: Folds, *, time_column: str, group: str | None) -> Iterator[Fold]:
    """scikit-learn's TimeSeriesSplit counts rows: it would cut through rows of one moment, and knows neither
    lengths of time nor groups."""
    import numpy as np

    times = rows[time_column]
    if not len(rows):
        return
    for number, (start, end) in enumerate(_slices(times, folds), 1):
        known = start if folds.gap is None else folds.gap.before(start)
        is_test = (times >= start) & (times < end)
        is_train = times < known
        if group is not None:
            met = rows.loc[is_test, group].dropna().unique()
            is_train &= ~(rows[group].notna() & rows[group].isin(met))
        yield Fold(
            f"fold {number} of {folds.count}, {_short(start)} to {_short(end)}",
            np.flatnonzero(is_train.to_numpy()),
            np.flatnonzero(is_test.to_numpy()),
        )


def _slices(times: pd.Series, folds: Folds) -> list[tuple[Any, Any]]:
    """Beginning and end of each slice; where they are counted in rows, moved to where a new time begins."""
    end = times.max().to_pydatetime() + timedelta(microseconds=1)
    if folds.length is not None:
        try:
            windows = folds.windows(times.min().to_pydatetime(), end)
        except ValueError as error:
            raise DataRefused(f"{error}; ask for fewer or shorter folds, or a longer data.window") from error
        return [(window.start, window.end) for window in windows]
    ordered = times.sort_values().reset_index(drop=True)
    size = len(times) // (NEWEST_SHARE if folds.kind == "time" else folds.count + 1)
    starts = [
        ordered.iloc[min(len(times) - size * left, len(times) - 1)].to_pydatetime()
        for left in range(folds.count, 0, -1)
    ]
    return list(zip(starts, [*starts[1:], end], strict=True))


def _drawn(
    rows: pd.DataFrame, folds: Folds, *, label: str, group: str | None, classes: bool, seed: int
) -> Iterator[Fold]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    groups = None if group is None else group_numbers(rows[group])
    evened = classes and (groups is None or int(groups.max()) < MOST_EVENED_GROUPS)
    splitter = {
        (True, True): StratifiedGroupKFold,
        (True, False): StratifiedKFold,
        (False, True): GroupKFold,
        (False, False): KFold,
    }[evened, group is not None]
    drawn = splitter(folds.folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer rows than folds: its metrics say so where they cannot be computed.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        try:
            found = list(drawn.split(rows[[label]], rows[label], groups))
        except (ValueError, TypeError) as error:  # the latter of labels that cannot be put in order
            raise DataRefused(
                f"{folds.folds} folds cannot be drawn from {len(rows)} rows: {raised(error)}"
            ) from None
    for number, (train, test) in enumerate(found, 1):
        yield Fold(f"fold {number} of {folds.folds}", train, test)


def _short(moment: Any) -> str:
    text: str = moment.isoformat(timespec="minutes")
    return text.removesuffix("+00:00").removesuffix("T00:00")
