"""Numbers that changed as no world changes: another unit, sign or zero, one value that stands for none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log

from airflow_mlops.core.faults.distance import (
    UNCHANGED,
    Change,
    Hull,
    Tolerance,
    is_undone_by,
    noise,
    ratio_of,
)
from airflow_mlops.core.faults.fault import Fault
from airflow_mlops.core.faults.summary import FEWEST_ROWS, LEVELS, ColumnSummary, Numbers
from airflow_mlops.core.faults.units import KNOWN

FAR = 0.5
"""How far outside of the reference a column must be, in spreads, before a change is looked for."""
LOOSE = Tolerance(place=0.35, width=0.3)
STRICT = Tolerance(place=0.15, width=0.12)
STEADY = 0.25
ONE_VALUE = 0.8
LARGE = 8.0
"""Nothing grows so many times from one stretch to the next. With smaller factors the values must have left
the grid that they were on, as rounded values do that are multiplied; or the factor is met to a few percent,
as only many rows can show, by a column that was steady before."""
EXACT = 0.03
NEARLY = 0.1
GAP = 0.5
CHANCE = 1e-6
"""How likely so many rows of a common value may be by themselves, if they are to be a fault."""
SENTINEL_SHARE = 0.01
OUTSIDE = 0.25
"""How far beyond the reference a number must lie that programs write for none, as a part of its range."""
STRAY_SHARE = 0.02


def number_faults(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    """What is found first is meant; ``normal`` has the whole reference first, then its stretches."""
    yield from _constant(name, window, normal)
    yield from _sentinel(name, window, normal)
    yield from _changed(name, window, normal)
    yield from _stray(name, window, normal)
    yield from _rounded(name, window, normal)


def type_fault(column: ColumnSummary, normal: Sequence[ColumnSummary]) -> Fault | None:
    """Numbers that came as text, or as something else, where they did not before."""
    if not column.there or any(one.as_text > 0.01 * one.there for one in normal):
        return None
    if column.commas >= 0.05 * column.there:
        said = f"{column.commas} of {column.there} values are text with a decimal comma"
        return Fault((column.name,), "decimal_comma", said)
    if column.as_text >= 0.05 * column.there:
        said = f"{column.as_text} of {column.there} values came as text, times or lists, not as numbers"
        return Fault((column.name,), "type", said)
    return None


def is_like(window: Numbers, normal: Sequence[Numbers]) -> bool:
    """Whether it might be another stretch of this column."""
    return is_undone_by(UNCHANGED, window, Hull.of(normal), STRICT) is not None


def is_far(window: Numbers, normal: Sequence[Numbers], limit: float = FAR) -> bool:
    """Farther outside of all stretches than chance puts it. Of a column of nearly one value, such as rain,
    which is 0 in most hours, the few others tell of no unit."""
    if max(window.most_common, normal[0].most_common) >= ONE_VALUE:
        return False
    hull = Hull.of(normal)
    return hull.unit > 0 and hull.apart(window.quantiles) > limit + noise(window.count, hull.count)


def _constant(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    """Not where the reference has one common value, or a stretch with no other: a day has one weekday."""
    if window.minimum < window.maximum or normal[0].most_common >= 0.9:
        return
    if normal[0].most_common ** window.count > CHANCE:
        return
    if all(one.minimum < one.maximum and one.most_common < 0.98 for one in normal):
        said = f"one and the same number in all {window.count} rows, {normal[0].distinct} before"
        yield Fault((name,), "constant", said)


def _sentinel(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    """A number far outside all that was seen, or one that programs write for none and that was never seen,
    in many rows; the lowest or the highest of all, and far from the others too: a season has all between."""
    whole = normal[0]
    reach = whole.maximum - whole.minimum
    for value, count, outside in (
        (window.minimum, window.at_minimum, whole.minimum - window.minimum),
        (window.maximum, window.at_maximum, window.maximum - whole.maximum),
    ):
        known = f"{value:g}" in window.sentinels
        enough = max(SENTINEL_SHARE * (2 if known else 1) * window.count, 5)
        far = OUTSIDE * reach if known else reach
        if outside > far and enough <= count < window.count and _apart(value, count, window) > far / 2:
            what = f"the number {value:g}" if known else "one and the same number"
            yield Fault(
                (name,),
                "sentinel",
                f"{what}, beyond all that was seen before, in {count} of {window.count} rows",
            )


def _apart(end: float, count: int, window: Numbers) -> float:
    """How far the lowest or the highest number, which so many rows have, is from the next quantile."""
    share = count / window.count
    if end == window.minimum:
        beyond = [one for level, one in zip(LEVELS, window.quantiles, strict=True) if level > share]
        return min(beyond, default=window.maximum) - end
    beyond = [one for level, one in zip(LEVELS, window.quantiles, strict=True) if level < 1 - share]
    return end - max(beyond, default=window.minimum)


def _changed(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    if not is_far(window, normal):
        return
    yield from _sign(name, window, normal)
    yield from _unit(name, window, normal)
    yield from _offset(name, window, normal)


def _sign(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    one_sided = window.maximum <= 0 <= normal[0].minimum or normal[0].maximum <= 0 <= window.minimum
    within = LOOSE if one_sided else STRICT
    if is_undone_by(Change(-1.0), window, Hull.of(normal), within) is not None:
        yield Fault((name,), "sign", "the values are what they were before with the other sign")


def _unit(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    hull = Hull.of(normal)
    fits = [
        (found, said)
        for change, said in KNOWN
        if _is_plausible(change, window, normal)
        and (found := is_undone_by(change, window, hull, _within(change))) is not None
    ]
    if fits:
        yield Fault((name,), "unit", f"the unit changed ({min(fits)[1]})")
        return
    times = ratio_of(window, normal[0])
    if times is None or 1 / LARGE < times < LARGE:
        return
    if is_undone_by(Change(times), window, hull, LOOSE) is not None:
        said = f"{times:.3g} times as large" if times > 1 else f"{1 / times:.3g} times as small"
        yield Fault((name,), "unit", f"the values are {said} as before, and otherwise alike")


def _is_plausible(change: Change, window: Numbers, normal: Sequence[Numbers]) -> bool:
    """See ``LARGE``. Around 0 a factor is nothing but a variance. Without a factor there must be a gap."""
    if change.times == 1:
        return _gap(window, normal[0]) > 0
    if change.plus or not 1 / LARGE < change.times < LARGE:
        return True
    if normal[0].minimum < 0 < normal[0].maximum:
        return False
    left = _left_its_grid(window, normal[0])
    near = NEARLY if left else EXACT
    return (left or _is_steady(normal)) and any(
        (times := ratio_of(window, one)) is not None
        and (chance := noise(window.count, one.count) / 4) <= near
        and abs(log(times / change.times)) <= near + chance
        for one in normal
    )


def _is_steady(normal: Sequence[Numbers]) -> bool:
    """Whether several stretches are known, and no season shows in them."""
    hull, middle = Hull.of(normal), len(normal[0].quantiles) // 2
    chance = noise(hull.count, hull.count)
    return len(normal) > 3 and hull.high[middle] - hull.low[middle] <= STEADY * hull.unit + chance


def _within(change: Change) -> Tolerance:
    return STRICT if 1 / LARGE < change.times < LARGE else LOOSE


def _left_its_grid(window: Numbers, whole: Numbers) -> bool:
    """Whether the values have more decimals than they had."""
    if whole.decimals is None:
        return False
    return window.decimals is None or window.decimals > whole.decimals


def _offset(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    """The same shape at a place where nothing was ever near: a mean that moved overlaps with what was."""
    whole = normal[0]
    if _gap(window, whole) <= GAP * (whole.maximum - whole.minimum):
        return
    middle = len(whole.quantiles) // 2
    plus = window.quantiles[middle] - whole.quantiles[middle]
    if is_undone_by(Change(1.0, plus), window, Hull.of(normal), LOOSE) is not None:
        moved = f"{abs(plus):.4g} {'higher' if plus > 0 else 'lower'}"
        yield Fault((name,), "offset", f"the values are {moved} than before, and otherwise alike")


def _gap(window: Numbers, whole: Numbers) -> float:
    """Between nearly all of the window and all that was before; below 0 where they overlap."""
    return max(window.quantiles[0] - whole.maximum, whole.minimum - window.quantiles[-1])


def _stray(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    """A part of the rows in another unit: ten times as large as the largest number ever seen."""
    whole = normal[0]
    largest = max(abs(whole.minimum), abs(whole.maximum))
    high, low = window.quantiles[-2], window.quantiles[1]
    if largest > 0 and whole.count >= FEWEST_ROWS and max(abs(high), abs(low)) > 10 * largest:
        said = "at least 2.5 % of the values are more than ten times as large as the largest one before"
        yield Fault((name,), "magnitude", said)


def _rounded(name: str, window: Numbers, normal: Sequence[Numbers]) -> Iterator[Fault]:
    if window.whole < window.count or not all(one.whole <= 0.5 * one.count for one in normal):
        return
    share = 100 * (1 - normal[0].whole / normal[0].count)
    said = f"all {window.count} values are whole numbers, {share:.3g} % had decimals before"
    yield Fault((name,), "rounded", said)
