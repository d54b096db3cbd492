"""Resampling rows, or whole groups of rows, to see how far a metric moves by chance.

Few units are drawn with replacement, as many as there are (Efron 1979). Of many, the bag of little bootstraps
(Kleiner, Talwalkar, Sarkar and Jordan 2014, JRSS-B 76:795) looks at several disjoint random parts of
``units**0.7``, each blown up to the full size by weights, which are Poisson with the mean that a draw of all
units would give. That costs a fixed multiple of one evaluation of all rows. A function of the user's takes no
weights: it sees random parts as they are, and its deviations shrink by the square root of the part's share
(subsampling: Politis and Romano 1994, Annals of Statistics 22:2031; the finite part is corrected for).

All metrics of a call, and both models of a comparison, see the same draws. Equal seeds draw equally.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlops.backends.statistic import Part, Statistic, Units
from airflow_mlops.backends.statistic_other import Computed

_WHOLE = 20_000
"""So many units are resampled whole."""
_LEAST_OF_A_PART = 10_000
_LEAST_OF_A_CLASS = 200
"""A part has at least as many rows of the rarest class, on average, or it would not be like the whole."""
_PARTS = 20
_NORMAL = 30
"""From this mean on a Poisson is as good as normal, which is drawn ten times as fast."""
_CELLS = 250_000
"""Weights in memory at a time."""


def deviations(
    statistics: Sequence[Statistic], units: Units, *, resamples: int, seed: int, rarest: int
) -> Any:
    """``(resamples, statistics)`` of a resample's value less the value of what it was drawn from. ``rarest``
    is how many rows the rarest class has."""
    import numpy as np

    size = _size_of_part(units.count, rarest)
    random = np.random.default_rng(seed)
    if size is None:
        return _drawn(statistics, units.all(), units.count, resamples, random)
    found = np.empty((resamples, len(statistics)))
    computed = {index: one for index, one in enumerate(statistics) if isinstance(one, Computed)}
    weighted = [index for index in range(len(statistics)) if index not in computed]
    if weighted:
        parts = max(2, min(_PARTS, units.count // size))
        order, done = random.permutation(units.count), 0
        for number in range(parts):
            part = units.part(np.sort(order[number * size : (number + 1) * size]))
            draws = (resamples - done) // (parts - number)
            some = _drawn([statistics[index] for index in weighted], part, units.count, draws, random)
            found[done : done + draws, weighted] = some
            done += draws
    for index, one in computed.items():
        found[:, index] = _subsampled(one, units, size, resamples, random)
    return found


def _size_of_part(units: int, rarest: int) -> int | None:
    """None where all units are to be drawn from."""
    size = max(_LEAST_OF_A_PART, int(units**0.7), _LEAST_OF_A_CLASS * units // max(rarest, 1))
    return None if units <= _WHOLE or 2 * size > units else size


def _drawn(statistics: Sequence[Statistic], part: Part, units: int, draws: int, random: Any) -> Any:
    """Deviations of ``draws`` resamples of ``units`` units, from a part of them."""
    import numpy as np

    resamplers = [one.resampler(part) for one in statistics]
    once = np.ones((1, part.size))
    center = np.array([0.0 if one is None else float(one(once)[0]) for one in resamplers])
    found, step = np.zeros((draws, len(statistics))), max(1, _CELLS // part.size)
    for start in range(0, draws, step):
        count = min(step, draws - start)
        weights = _weights(count, part.size, units, random)
        for index, one in enumerate(resamplers):
            if one is not None:
                found[start : start + count, index] = one(weights) - center[index]
    return found


def _weights(draws: int, size: int, units: int, random: Any) -> Any:
    import numpy as np

    mean = units / size
    if mean >= _NORMAL:
        weights = random.standard_normal((draws, size))
        weights *= mean**0.5
        weights += mean
        return np.maximum(weights, 0.0, out=weights)
    if mean > 1:
        return random.poisson(mean, (draws, size)).astype(np.float64)
    drawn = random.integers(0, size, (draws, size)) + np.arange(draws)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=draws * size).reshape(draws, size).astype(np.float64)


def _subsampled(statistic: Computed, units: Units, size: int, draws: int, random: Any) -> Any:
    import numpy as np

    shrink = (size / units.count / (1 - size / units.count)) ** 0.5
    parts = (random.choice(units.count, size, replace=False, shuffle=False) for _ in range(draws))
    values = np.array([statistic.on(units.part(np.sort(part))) for part in parts])
    return (values - statistic.value) * shrink
