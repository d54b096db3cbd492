"""Which features moved the mean score: Shapley values between rows of the window and of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.shift.threads import one_thread
from airflow_mlops.core.shift.attribution import Part
from airflow_mlops.core.shift.distribution import CONFIDENCE
from airflow_mlops.exceptions import ModelRefused

if TYPE_CHECKING:
    import pandas as pd

_BLOCKS = 20


@dataclass(frozen=True, slots=True)
class Explained:
    """``parts`` add up to the difference of ``asked``, the mean score of the drawn rows of reference and
    window. ``drawn`` are the means of ``scores`` over these rows."""

    parts: tuple[Part, ...]
    asked: tuple[float, float]
    drawn: tuple[float, float]
    rows: int


def explain(
    ask: Callable[[pd.DataFrame], Any],
    reference: tuple[pd.DataFrame, Any],
    window: tuple[pd.DataFrame, Any],
    players: Mapping[str, Sequence[str]],
    *,
    rows: int,
    seed: int,
) -> Explained:
    """Each side is features and their scores as they were given; ``ask`` scores rows anew, and ``players``
    are the features, or groups of them that move as one.

    A row of the window is paired with one of the reference, and walks from the one to the other feature by
    feature, in a random order and back in reverse (Castro, Gomez and Tejada 2009, Computers & Operations
    Research 36:1726; reversed orders: Mitchell, Cooper, Frank and Holmes 2022, JMLR 23:43). What the score
    changes at a feature's step is its part; the steps of a pair add up to the pair's difference, so the parts
    add up to that of the means, with nothing left over. The mean over pairs is the Shapley value with the
    reference as background (Merrick and Taly 2020, "The explanation game"): where both sides are drawn alike
    it is 0 for each feature, however much features depend on each other.

    The pairs' rows are drawn evenly over the ranks of the scores, so that their means are close to those of
    all rows. Intervals are of the means of blocks of pairs, each with an order of its own.
    Raises ``ModelRefused`` where a mixed row gets no number.
    """
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    count = min(rows, len(reference[0]), len(window[0]))
    from_, to = (_evenly(side[1], count, random) for side in (reference, window))
    both = pd.concat([reference[0].iloc[from_], window[0].iloc[to]], ignore_index=True)
    blocks = np.array_split(np.arange(count), min(_BLOCKS, count))
    steps = np.zeros((len(players), count))
    ends = np.zeros((2, count))
    for block in blocks:
        order = random.permutation(len(players))
        for walk in (order, order[::-1]):
            scores = _walk(ask, both, block, list(players.values()), walk)
            steps[walk[:, None], block] += np.diff(scores, axis=0) / 2
            ends[:, block] = scores[[0, -1]]
    return Explained(
        tuple(_part(name, steps[place], blocks) for place, name in enumerate(players)),
        asked=(float(ends[0].mean()), float(ends[1].mean())),
        drawn=(float(np.mean(reference[1][from_])), float(np.mean(window[1][to]))),
        rows=count,
    )


def _evenly(scores: Any, count: int, random: Any) -> Any:
    """Places of so many rows, one out of each equal share of the ranks, in random order."""
    import numpy as np

    ranked = np.argsort(scores, kind="stable")
    places = ((np.arange(count) + random.random()) * len(ranked) / count).astype("int64")
    return random.permutation(ranked[np.minimum(places, len(ranked) - 1)])


def _walk(
    ask: Callable[[pd.DataFrame], Any],
    both: pd.DataFrame,
    block: Any,
    players: Sequence[Sequence[str]],
    order: Any,
) -> Any:
    """Scores of a block's pairs at all steps: at step k the first k players of the order have walked.
    ``both`` has the reference's rows, then those of the window."""
    import numpy as np
    import pandas as pd

    step_of = {column: step for step, player in enumerate(order) for column in players[player]}
    steps = np.arange(len(players) + 1)[:, None]
    mixed = pd.DataFrame(
        {
            name: values.array.take((block + len(both) // 2 * (steps > step_of[str(name)])).ravel())
            for name, values in both.items()
        }
    )
    with one_thread():
        scores = np.asarray(ask(mixed), dtype="float64")
    if len(scores) != len(mixed) or not np.isfinite(scores).all():
        raise ModelRefused("the champion gave no finite number for rows mixed of reference and window")
    return scores.reshape(len(steps), len(block))


def _part(name: str, steps: Any, blocks: Sequence[Any]) -> Part:
    import numpy as np
    from scipy import stats

    value = float(steps.mean())
    if len(blocks) < 2:
        return Part(name, value)
    means = np.array([steps[block].mean() for block in blocks])
    half = float(
        stats.t.ppf((1 + CONFIDENCE) / 2, len(blocks) - 1) * means.std(ddof=1) / np.sqrt(len(blocks))
    )
    return Part(name, value, value - half, value + half)
