"""Why the mean score changed: exact sums of what features explain, of what slices explain, and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from airflow_mlops.core.shift.distribution import is_told_apart
from airflow_mlops.core.values import Estimate

SERVED_OTHERWISE = "served otherwise than the champion answers now"
SAMPLING = "rows that were not drawn"


@dataclass(frozen=True, slots=True)
class Part:
    """So much of a change, in the score's unit. ``low`` and ``high`` say how sure that is; what is counted,
    not estimated, has none."""

    name: str
    change: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """The change of the mean score from the reference to the window.

    ``features`` (the largest first) and ``rest`` (what no feature explains, each by its name) add up to
    ``change``. ``score`` says what the mean is of.
    """

    score: str
    reference: float
    window: float
    change: Estimate
    features: tuple[Part, ...]
    rest: tuple[Part, ...]
    rows: int

    def share(self, change: float) -> float | None:
        """Which share of the change that is; None of a change that may be chance, for a share of nothing
        means nothing. Shares may be negative, or above 1, where features pull both ways."""
        return change / self.change.value if is_told_apart(self.change) else None


@dataclass(frozen=True, slots=True)
class SlicePart:
    """One slice: its share of the rows and its mean score on both sides (None where it has no rows), and how
    much of the change comes from its share (``mix``) and from its score (``within``)."""

    value: str
    shares: tuple[float, float]
    means: tuple[float | None, float | None]
    mix: float
    within: float

    @property
    def change(self) -> float:
        return self.mix + self.within


@dataclass(frozen=True, slots=True)
class SliceTable:
    """The change split over the values of one column, the largest part first. The slices and ``rest`` (rows
    that were not drawn) add up to the change of the mean score."""

    column: str
    slices: tuple[SlicePart, ...]
    rest: float = 0.0

    @property
    def mix(self) -> float:
        """What comes from other shares of the slices."""
        return fsum(one.mix for one in self.slices)

    @property
    def within(self) -> float:
        """What comes from other scores within the slices."""
        return fsum(one.within for one in self.slices)

    @property
    def moved(self) -> float:
        """How much its slices moved the mean, whatever the direction: what tables are ranked by."""
        return fsum(abs(one.change) for one in self.slices)


@dataclass(frozen=True, slots=True)
class SliceRows:
    """So many rows of a slice, and the sum of their scores."""

    rows: int
    total: float


def attribute(
    score: str,
    *,
    means: tuple[float, float],
    drawn: tuple[float, float],
    asked: tuple[float, float],
    change: Estimate,
    features: Sequence[Part],
    rows: int,
) -> Attribution:
    """Put the rest beside the features' parts, so that all of it adds up to the change.

    Each pair is of the reference and of the window: ``means`` over all rows, ``drawn`` over the rows that
    were drawn as they were answered then, ``asked`` over these as the champion answers them now. The parts
    of ``features`` add up to the change of ``asked``.
    """
    skew = fsum([drawn[1], -drawn[0], -asked[1], asked[0]])
    sampling = fsum([means[1], -means[0], -drawn[1], drawn[0]])
    unexplained = fsum([asked[1], -asked[0], *(-part.change for part in features)])
    ordered = sorted(features, key=lambda part: (-abs(part.change), part.name))
    return Attribution(
        score,
        *means,
        change,
        tuple(ordered),
        (Part(SERVED_OTHERWISE, skew), Part(SAMPLING, sampling + unexplained)),
        rows,
    )


def by_slice(
    column: str, reference: Mapping[str, SliceRows], window: Mapping[str, SliceRows], change: float
) -> SliceTable:
    """Split the change of a mean over the values of a column (Kitagawa 1955, "Components of a difference
    between two rates", JASA 50:1168).

    Of a slice with the shares p and q and the means a and b, ``mix`` is (q - p) times the middle of a and b,
    measured from the middle of the whole means (that changes no sum, and makes a slice of average score
    explain nothing), and ``within`` is (b - a) times the middle of p and q. A slice that one side does not
    have is all mix. Raises ``ValueError`` where a side has no rows.
    """
    before, after = (sum(one.rows for one in side.values()) for side in (reference, window))
    if not (before and after):
        raise ValueError("a mean of no rows cannot be split")
    whole = [
        fsum(one.total for one in side.values()) / rows
        for side, rows in ((reference, before), (window, after))
    ]
    middle = fsum(whole) / 2
    nothing = SliceRows(0, 0.0)
    slices = []
    for value in dict.fromkeys([*reference, *window]):
        one, other = reference.get(value, nothing), window.get(value, nothing)
        p, q = one.rows / before, other.rows / after
        a, b = (side.total / side.rows if side.rows else None for side in (one, other))
        from_, to = (a if a is not None else b), (b if b is not None else a)
        if from_ is None or to is None:
            continue
        mix, within = (q - p) * ((from_ + to) / 2 - middle), (to - from_) * (p + q) / 2
        slices.append(SlicePart(value, (p, q), (a, b), mix, within))
    slices.sort(key=lambda item: (-abs(item.change), item.value))
    rest = fsum([change, *(-part for item in slices for part in (item.mix, item.within))])
    return SliceTable(column, tuple(slices), rest)
