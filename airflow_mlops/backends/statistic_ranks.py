"""Metrics of the order in which a score puts rows of two classes, and their mean over several classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_mlops.backends.statistic import Part, Proportion, Resampler, Statistic


# No slots: ``cached_property`` keeps its value in the instance.
@dataclass(frozen=True)
class Ranking:
    """Rows by rising score. ``positive`` is boolean; rows with equal scores are ties."""

    positive: Any
    score: Any

    @cached_property
    def order(self) -> Any:
        import numpy as np

        return np.argsort(self.score)

    @cached_property
    def hits(self) -> Any:
        """The classes in that order."""
        return self.positive[self.order]

    @cached_property
    def starts(self) -> Any:
        """Where each run of equal scores begins, in that order."""
        import numpy as np

        ordered = self.score[self.order]
        return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))

    @property
    def has_ties(self) -> bool:
        return len(self.starts) < len(self.score)

    @cached_property
    def sizes(self) -> Any:
        """How many rows each run of equal scores has."""
        import numpy as np

        return np.diff(np.append(self.starts, len(self.score)))

    def by_score(self, ordered: Any) -> Any:
        """Sums over each run of equal scores; the last axis is rows in order."""
        import numpy as np

        return np.add.reduceat(ordered, self.starts, axis=-1) if self.has_ties else ordered

    def part(self, part: Part) -> Ranking:
        return self if part.rows is None else Ranking(self.positive[part.rows], self.score[part.rows])


@dataclass(frozen=True)
class RocAuc:
    """The share of pairs in which the positive row has the higher score, ties counted half.

    Its influence are the placement values of DeLong, DeLong and Clarke-Pearson (1988), found by one sort as
    in Sun and Xu (2014), each class with the n - 1 of its own variance.
    """

    ranking: Ranking
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = True

    @cached_property
    def _placements(self) -> Any:
        """In order of the score: of a positive row the share of negatives below it, of a negative row the
        share of positives above it."""
        import numpy as np

        ranking = self.ranking
        positives = ranking.by_score(ranking.hits.astype(float))
        negatives = ranking.sizes - positives
        few, many = positives.sum(), negatives.sum()
        below = (np.cumsum(negatives) - negatives / 2) / many
        above = 1 - (np.cumsum(positives) - positives / 2) / few
        if ranking.has_ties:
            below, above = np.repeat(below, ranking.sizes), np.repeat(above, ranking.sizes)
        return np.where(ranking.hits, below, above)

    @cached_property
    def value(self) -> float:
        return float(self._placements[self.ranking.hits].mean())

    def influence(self) -> Any:
        import numpy as np

        ranking, rows = self.ranking, len(self.ranking.score)
        few = int(ranking.hits.sum())
        scale = np.where(ranking.hits, _per_row(rows, few), _per_row(rows, rows - few))
        influence = np.empty(rows)
        influence[ranking.order] = (self._placements - self.value) * scale
        return influence

    def resampler(self, part: Part) -> Resampler:
        import numpy as np

        ranking = self.ranking.part(part)
        hits = ranking.hits.astype(float)

        def values(weights: Any) -> Any:
            weights = part.spread(weights, ranking.order)
            positives = ranking.by_score(weights * hits)
            negatives = ranking.by_score(weights) - positives
            below = np.cumsum(negatives, axis=1)
            pairs = positives.sum(axis=1) * below[:, -1]
            below -= negatives / 2
            return _defined(np.einsum("ru,ru->r", positives, below), pairs)

        return values


@dataclass(frozen=True)
class AveragePrecision:
    """``E[label * precision(score)] / E[label]``, where precision(s) is over the rows that score s or more.

    The influence is by the jackknife: the average precision without the row, exactly, from running sums. It
    errs to the wide side (Efron and Stein 1981), where the derivative errs to the narrow one with few rows:
    the first rows of the order weigh much.
    """

    ranking: Ranking
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = True

    @cached_property
    def _falling(self) -> tuple[Any, Any, Any]:
        """By falling score: the positives of each run of equal scores; positives and rows that score as much
        or more."""
        import numpy as np

        positives = self.ranking.by_score(self.ranking.hits.astype(float))[::-1]
        return positives, np.cumsum(positives), np.cumsum(self.ranking.sizes[::-1])

    @cached_property
    def value(self) -> float:
        positives, found, rows = self._falling
        return float((positives * found / rows).sum() / found[-1])

    def influence(self) -> Any:
        import numpy as np

        ranking, n = self.ranking, len(self.ranking.score)
        positives, found, rows = self._falling
        others = np.maximum(rows - 1, 1)  # without a row that is alone at the top there is nothing to sum
        above = np.cumsum(positives * found / rows) - positives * found / rows
        without_negative = (above + _from_here(positives * found / others)) / found[-1]
        own = (found - 1) / others
        without_positive = (above + _from_here(positives * own) - own) / (found[-1] - 1)
        runs = (without_positive[::-1], without_negative[::-1])
        if ranking.has_ties:
            runs = (np.repeat(runs[0], ranking.sizes), np.repeat(runs[1], ranking.sizes))
        without = np.where(ranking.hits, runs[0], runs[1])
        influence = np.empty(n)
        influence[ranking.order] = (n - 1) * (without.mean() - without)
        return influence

    def resampler(self, part: Part) -> Resampler:
        import numpy as np

        ranking = self.ranking.part(part)
        hits = ranking.hits.astype(float)

        def values(weights: Any) -> Any:
            weights = part.spread(weights, ranking.order)
            positives = ranking.by_score(weights * hits)[:, ::-1]
            found = np.cumsum(positives, axis=1)
            rows = np.cumsum(ranking.by_score(weights)[:, ::-1], axis=1)
            whole = found[:, -1].copy()
            found *= positives
            found /= np.maximum(rows, 1)
            return _defined(found.sum(axis=1), whole)

        return values


@dataclass(frozen=True)
class MeanOf:
    """The plain mean of several statistics."""

    parts: Sequence[Statistic]
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = True

    @cached_property
    def value(self) -> float:
        return sum(part.value for part in self.parts) / len(self.parts)

    def influence(self) -> Any:
        return sum(part.influence() for part in self.parts) / len(self.parts)

    def resampler(self, part: Part) -> Resampler:
        resamplers = [one.resampler(part) for one in self.parts]

        def values(weights: Any) -> Any:
            return sum(one(weights) for one in resamplers if one is not None) / len(resamplers)

        return values


def _per_row(rows: int, group: int) -> float:
    """Turns a deviation within a group into an influence on all rows, with the group's n - 1."""
    return float(rows / (max(group - 1, 1) * group) ** 0.5)


def _from_here(values: Any) -> Any:
    import numpy as np

    return np.cumsum(values[::-1])[::-1]


def _defined(part: Any, whole: Any) -> Any:
    """Their ratio; no number where a resample has no positive, or no negative row."""
    import numpy as np

    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
