"""Prose as numbers that can be compared: no two comments are equal, so a text drifts by what it is like.

Of each text: how many words it has, and which share of them the reference does not know (missing where there
is no word). Every word of the reference is known to it, so half of its rows (every other one) are the
dictionary and the other half are measured by it, as other rows are. Words that change their meaning, or their
mix, go unnoticed: that is for labels to tell. Words have two letters or more; case is ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASURES = ("words", "unseen words")
MOST_WORDS = 200_000
BATCH_TEXTS = 16_384
# Unicode's letters and digits: RE2's own \w knows ASCII only.
_BETWEEN_WORDS = r"[^\p{L}\p{N}_]+"


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of texts: one after the other, and which text each is from."""

    words: Any
    texts: NDArray[np.int64]
    rows: int

    @property
    def counts(self) -> NDArray[np.float64]:
        """How many words each text has."""
        import numpy as np

        return np.bincount(self.texts, minlength=self.rows).astype(np.float64)

    def unseen(self, known: Any) -> NDArray[np.float64]:
        """The share of each text's words that are not among the known ones; NaN without a word."""
        import numpy as np
        import pyarrow.compute as pc

        fresh = np.asarray(pc.invert(pc.is_in(self.words, value_set=known)).to_numpy(zero_copy_only=False))
        counts = self.counts
        strange = np.bincount(self.texts, weights=fresh, minlength=self.rows)
        shares: NDArray[np.float64] = np.full(self.rows, np.nan)
        np.divide(strange, counts, out=shares, where=counts > 0)
        return shares


def words_of(column: Any) -> Words:
    """The words of an array of texts; what is no text has none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return Words(pa.array([], pa.string()), np.empty(0, dtype=np.int64), len(column))
    split = pc.split_pattern_regex(pc.utf8_lower(column.fill_null("")), pattern=_BETWEEN_WORDS)
    words, texts = pc.list_flatten(split), pc.list_parent_indices(split)
    long = pc.greater_equal(pc.utf8_length(words), 2)
    kept = texts.filter(long).to_numpy(zero_copy_only=False).astype(np.int64)
    return Words(words.filter(long), kept, len(column))


class Dictionary:
    """Gathers the words of every other text, the most frequent of which are kept."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._row = 0

    def add(self, column: Any) -> None:
        """Take up the texts of even number, counted through all batches."""
        import pyarrow as pa
        import pyarrow.compute as pc

        even = [(self._row + index) % 2 == 0 for index in range(len(column))]
        self._row += len(column)
        found = pc.value_counts(words_of(column.filter(pa.array(even))).words)
        self._counts.update(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for word, _ in self._counts.most_common(MOST_WORDS))


def measured(column: Any, known: Sequence[str] | Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two measures of each text of an array of any length, some thousand texts at a time."""
    import numpy as np
    import pyarrow as pa

    known = known if isinstance(known, pa.Array) else pa.array(known, pa.string())
    counts, unseen = [np.empty(0)], [np.empty(0)]
    for start in range(0, len(column), BATCH_TEXTS):
        found = words_of(column.slice(start, BATCH_TEXTS))
        counts.append(found.counts)
        unseen.append(found.unseen(known))
    return np.concatenate(counts), np.concatenate(unseen)


def measure_name(column: str, measure: str) -> str:
    """``comment: unseen words``, as pages call it."""
    return f"{column}: {measure}"
