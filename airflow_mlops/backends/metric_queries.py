"""How well rows are ranked within each query: one number a query, of which a metric is the mean.

Labels are grades of relevance, 0 for none; any grade above 0 counts as relevant where there are two kinds
only. Ties are scikit-learn's: a gain is shared out among equal scores (McSherry and Najork 2008), and a rank
is the worst among them. A query without a relevant row counts 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any


# No slots: ``cached_property`` keeps its value in the instance.
@dataclass(frozen=True)
class Queries:
    """``group`` numbers each row's query from 0."""

    label: Any
    score: Any
    group: Any

    @cached_property
    def sizes(self) -> Any:
        import numpy as np

        return np.bincount(self.group)

    def dcg(self, k: int) -> Any:
        """Discounted cumulative gain with linear gains and the logarithm to base 2."""
        import numpy as np

        order, first, last = self._ranked(self.score)
        reached = np.append(0.0, np.cumsum(self._discounts(k)))
        shared = (reached[last] - reached[first - 1]) / (last - first + 1)
        return self._by_query(order, self.label[order] * shared)

    def ndcg(self, k: int) -> Any:
        """The gain as a share of that of the best order."""
        import numpy as np

        order, _, _ = self._ranked(self.label)
        place = np.arange(len(order)) - np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        best = self._by_query(order, self.label[order] * self._discounts(k)[place])
        return np.where(best > 0, self.dcg(k) / np.where(best > 0, best, 1.0), 0.0)

    def reciprocal_rank(self, k: int) -> Any:
        """One over the rank of the first relevant row, 0 where it is beyond ``k``."""
        import numpy as np

        order, _, last = self._ranked(self.score)
        counts = (self.label[order] > 0) & (last <= (k or len(order)))
        best = np.zeros(len(self.sizes))
        np.maximum.at(best, self.group[order], np.where(counts, 1 / last, 0.0))
        return best

    def average_precision(self, k: int) -> Any:
        """The mean, over a query's relevant rows, of the precision at the row's rank; with ``k``, over the
        most that can stand in the first ``k`` places, and 0 for a row beyond them."""
        import numpy as np

        order, _, last = self._ranked(self.score)
        relevant = self.label[order] > 0
        starts = np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        found = np.append(0, np.cumsum(relevant))
        precision = (found[starts + last] - found[starts]) / last
        counts = relevant & (last <= (k or len(order)))
        gained = self._by_query(order, np.where(counts, precision, 0.0))
        wanted = self._by_query(order, relevant.astype(float))
        wanted = np.minimum(wanted, k) if k else wanted
        return gained / np.maximum(wanted, 1)

    def _ranked(self, by: Any) -> tuple[Any, Any, Any]:
        """Rows by query and falling ``by``; the first and the last rank, from 1, of each one's equals."""
        import numpy as np

        order = np.lexsort((-by, self.group))
        ordered, query = by[order], self.group[order]
        begins = np.append(True, (ordered[1:] != ordered[:-1]) | (query[1:] != query[:-1]))
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(order))
        run = np.cumsum(begins) - 1
        offset = (np.cumsum(self.sizes) - self.sizes)[query]
        return order, starts[run] - offset + 1, ends[run] - offset

    def _discounts(self, k: int) -> Any:
        """By place, from the first on; none beyond ``k``."""
        import numpy as np

        places = np.arange(self.sizes.max())
        return np.where(places < (k or len(places)), 1 / np.log2(places + 2), 0.0)

    def _by_query(self, order: Any, ordered: Any) -> Any:
        import numpy as np

        return np.bincount(self.group[order], ordered, len(self.sizes))
