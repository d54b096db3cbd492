"""How far probabilities are from what then happens: expected calibration error, slope, intercept, mean.

``label`` is 0 or 1 and ``answer`` a probability, both float64 of one length; each function gives an estimate
with its interval at ``confidence``.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.values import Estimate
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_STEPS, _CLOSE = 50, 1e-10
_DRAWS = 20_000


def parts(answer: Numbers, bins: int) -> Any:
    """The number of each row's bin: equally many rows in each, equal answers in one."""
    import numpy as np

    inner = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(answer, inner, method="higher"))
    _, codes = np.unique(np.searchsorted(edges, answer, side="right"), return_inverse=True)
    return codes


def calibration_error(
    label: Numbers, answer: Numbers, confidence: float, *, bins: int, seed: int
) -> Estimate:
    """The mean over bins of how far the mean answer is from the share of labels (Naeini, Cooper and
    Hauskrecht 2015), for bins of equally many rows; a model's error before binning is at least this.

    Chance alone makes the plain sum positive, so the value is less its bias, as in Kumar, Liang and Ma
    (2019), "Verified uncertainty calibration". A bootstrap repeats the bias; the interval comes from two
    inequalities instead. With ``d`` the seen and ``t`` the true gaps of the bins, ``s`` their standard errors
    and ``w`` the bins' shares, ``sum w|d|`` is at most ``sum w|t| + sum w s|Z|``, which gives the lower end,
    and at least ``sum w sign(t) d``, a normal variable around ``sum w|t|``, which gives the upper. Each end
    is wrong no more often than it says, and the lower is exact for a model that is calibrated.
    """
    import numpy as np

    codes = parts(answer, bins)
    counts = np.bincount(codes)
    share = counts / len(label)
    gap = np.bincount(codes, weights=label - answer) / counts
    spread = np.bincount(codes, weights=(label - answer - gap[codes]) ** 2) / np.maximum(counts - 1, 1)
    # A bin in which nothing has happened yet has no spread of its own; its answers say what to expect.
    expected = np.bincount(codes, weights=answer * (1 - answer)) / counts
    error = np.sqrt(np.maximum(spread, expected) / counts)
    plain = float((share * abs(gap)).sum())
    draws = abs(np.random.default_rng(seed).standard_normal((_DRAWS, len(counts)))) @ (share * error)
    z = quantile(confidence)
    low = plain - float(np.quantile(draws, (1 + confidence) / 2))
    high = plain + z * float(np.sqrt(((share * error) ** 2).sum()))
    value = plain - float((share * _folding(gap, error)).sum())
    return Estimate(max(value, low, 0.0), max(low, 0.0), min(high, 1.0))


def mean_error(label: Numbers, answer: Numbers, confidence: float) -> Estimate:
    """The mean answer less the mean label: above zero the model promises too much."""
    error = answer - label
    half = quantile(confidence) * float(error.std(ddof=1)) / len(error) ** 0.5
    value = float(error.mean())
    return Estimate(value, value - half, value + half)


def slope(label: Numbers, answer: Numbers, confidence: float) -> Estimate:
    """Of a logistic regression of the label on the log-odds of the answer (Cox 1958, "Two further
    applications of a model for binary regression"): 1 is right, below 1 the answers are too extreme."""
    import numpy as np

    odds = _log_odds(answer)
    if float(odds.std()) == 0:
        raise DataRefused("the slope is not defined: the model gives every row the same answer")
    columns = np.column_stack([np.ones(len(odds)), odds])
    return _fitted(columns, np.zeros(len(odds)), label, confidence)


def intercept(label: Numbers, answer: Numbers, confidence: float) -> Estimate:
    """Of the same regression with the slope held at 1 (Van Calster and others 2019, "Calibration: the
    Achilles heel of predictive analytics"): 0 is right, below 0 the answers are too high."""
    import numpy as np

    return _fitted(np.ones((len(label), 1)), _log_odds(answer), label, confidence)


def spiegelhalter(label: Numbers, answer: Numbers) -> float | None:
    """The two-sided p-value of the null that the model is calibrated (Spiegelhalter 1986, "Probabilistic
    prediction in patient management"); None where no answer leaves room for doubt."""
    import numpy as np

    tilt = 1 - 2 * answer
    spread = float((tilt**2 * answer * (1 - answer)).sum())
    if spread <= 0:
        return None
    z = float(((label - answer) * tilt).sum()) / float(np.sqrt(spread))
    return 2 * NormalDist().cdf(-abs(z))


def _folding(gap: Numbers, error: Numbers) -> Any:
    """By how much the mean of ``|N(gap, error)|`` is above ``|gap|``."""
    import numpy as np
    from scipy.stats import norm

    far = abs(gap) / np.maximum(error, 1e-300)
    return error * (2 * norm.pdf(far) - 2 * far * norm.sf(far))


def _fitted(columns: Numbers, offset: Numbers, label: Numbers, confidence: float) -> Estimate:
    """The last coefficient of a logistic regression, by Newton's method, with its Wald interval."""
    import numpy as np

    found = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ found + offset, -500, 500)))
        weights = chance * (1 - chance)
        information = columns.T @ (columns * weights[:, None])
        try:
            step = np.linalg.solve(information, columns.T @ (label - chance))
        except np.linalg.LinAlgError:
            break
        found = found + step
        if float(abs(step).max()) < _CLOSE:
            value = float(found[-1])
            half = quantile(confidence) * float(np.linalg.inv(information)[-1, -1]) ** 0.5
            return Estimate(value, value - half, value + half)
    raise DataRefused("no logistic recalibration fits: the answers tell the classes apart without an error")


def _log_odds(answer: Numbers) -> Any:
    """Answers of exactly 0 and 1 are kept an epsilon away from them, as the log loss does."""
    import numpy as np

    epsilon = np.finfo(np.float64).eps
    kept = np.clip(answer, epsilon, 1 - epsilon)
    return np.log(kept) - np.log1p(-kept)
