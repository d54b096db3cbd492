"""Maximum mean discrepancy: how far two samples of rows lie apart, in all their columns at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.shift.encoding import numbered, spaced, two_samples
from airflow_mlops.core.shift.multivariate import Together
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

PERMUTATIONS = 300
_BLOCK = 1_000
_MEDIAN_ROWS = 2_000


def measure(
    name: str,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Mapping[str, ColumnKind],
    *,
    rows: int,
    seed: int,
) -> Together:
    """The unbiased square of the discrepancy with a Gaussian kernel whose width is the median distance, and
    a permutation test (Gretton, Borgwardt, Rasch, Scholkopf and Smola 2012, "A kernel two-sample test", JMLR
    13:723, equation 3 and section 8).

    The square has no unit that could be compared from model to model. ``effect`` has: with the distance
    d = 1 - k the square is 2 E d(x, y) - E d(x, x') - E d(y, y') (Sejdinovic and others 2013, "Equivalence of
    distance-based and RKHS-based statistics", Annals of Statistics 41:2263), and ``effect`` is its share of
    2 E d(x, y), which is 0 where both are drawn alike and 1 where each has one value of its own.

    The p-value counts the sample itself among the permutations, so that it is never 0 (Phipson and Smyth
    2010). Rows are taken as independent.
    """
    import numpy as np

    ours, theirs = two_samples(reference, current, columns, rows, seed)
    _, before, after, categorical = numbered(ours, theirs, columns)
    points = np.vstack(spaced(before, after, categorical))
    random = np.random.default_rng(seed)
    sides = _sides(len(before), len(points), random)
    within, across = _kernel_sums(points, _width(points, random), sides)
    squares = _squares(within, across, len(before), len(after))
    if not np.isfinite(squares[0]):
        raise DataRefused("numbers as large as these have no distances; leave such columns out")
    apart = 1 - across[0] / (len(before) * len(after))
    return Together(
        name,
        "mmd",
        effect=max(0.0, float(squares[0] / (2 * apart))) if apart > 0 else 0.0,
        p_value=float((squares >= squares[0] - 1e-12).mean()),
        rows=(len(before), len(after)),
        columns=tuple(columns),
        statistic=float(squares[0]),
    )


def _sides(count: int, total: int, random: Any) -> Any:
    """Columns of ones and zeros: which points are the reference's, as it is and in each permutation."""
    import numpy as np

    sides = np.zeros((total, PERMUTATIONS + 1))
    sides[:count, 0] = 1
    for column in range(1, PERMUTATIONS + 1):
        sides[random.permutation(total)[:count], column] = 1
    return sides


def _width(points: Any, random: Any) -> float:
    """The median distance of two different points, of some of them drawn at random."""
    import numpy as np

    few = points[random.permutation(len(points))[:_MEDIAN_ROWS]]
    squares = _square_distances(few, few)[np.triu_indices(len(few), 1)]
    found = squares[squares > 1e-12]
    return float(np.sqrt(np.median(found))) if len(found) else 1.0


def _square_distances(ours: Any, theirs: Any) -> Any:
    import numpy as np

    squares = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1)[None, :] - 2 * ours @ theirs.T
    return np.maximum(squares, 0.0)


def _kernel_sums(points: Any, width: float, sides: Any) -> tuple[Any, Any]:
    """Of each permutation the sum of the kernel over all pairs of one side (both sides stacked), and over
    pairs across. The kernel is made block by block: it is never held whole."""
    import numpy as np

    ours = np.zeros(sides.shape[1])
    across, everything = ours.copy(), 0.0
    for start in range(0, len(points), _BLOCK):
        block = np.exp(_square_distances(points[start : start + _BLOCK], points) / (-2 * width**2))
        to_ours = block @ sides
        mine = sides[start : start + _BLOCK]
        ours += (mine * to_ours).sum(axis=0)
        across += ((1 - mine) * to_ours).sum(axis=0)
        everything += float(block.sum())
    return np.stack([ours, everything - ours - 2 * across]), across


def _squares(within: Any, across: Any, count: int, others: int) -> Any:
    """Without the pairs of a row with itself, of which each has the kernel 1."""
    ours = (within[0] - count) / (count * (count - 1))
    theirs = (within[1] - others) / (others * (others - 1))
    return ours + theirs - 2 * across / (count * others)
