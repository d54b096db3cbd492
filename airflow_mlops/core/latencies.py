"""How latencies are counted: logarithmic buckets from 10 microseconds to 100 seconds, 6 % wide each.

They stay small however long a stage lasts, two arms' can be compared, and a quantile is off by 3 % at most. A
reservoir of samples would lose the tail that p99 is about.
"""

from __future__ import annotations

from math import log10

_PER_DECADE = 40
_SMALLEST_SECONDS = 1e-5
BUCKETS = 7 * _PER_DECADE
EDGES: tuple[float, ...] = tuple(
    _SMALLEST_SECONDS * 10 ** (place / _PER_DECADE) for place in range(1, BUCKETS)
)
"""Seconds that part the buckets: the first holds what is below ``EDGES[0]``, the last what is not below
``EDGES[-1]``."""


def bucket(seconds: float) -> int:
    """The place of a latency among the buckets' counts."""
    place = int(_PER_DECADE * log10(max(seconds, _SMALLEST_SECONDS) / _SMALLEST_SECONDS))
    return min(place, BUCKETS - 1)
