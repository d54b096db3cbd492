"""Categories and texts that changed as no world changes: spellings, names, codes, lengths, encodings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_mlops.core.faults.fault import Fault
from airflow_mlops.core.faults.numbers import CHANCE
from airflow_mlops.core.faults.summary import Categories

COMMON = 0.01
"""The share from which on a category is missed, if it is in every stretch of the reference."""
EXPECTED_ROWS = 20
"""So many rows of it must have been expected: with fewer, none is chance."""
LOST = 0.2
NEW = 0.5
BROKEN = 0.01
LONGER = 0.2


def category_faults(name: str, window: Categories, normal: Sequence[Categories]) -> Iterator[Fault]:
    """What is found first is meant; ``normal`` has the whole reference first, then its stretches."""
    yield from _encoding(name, window, normal)
    yield from _truncated(name, window, normal)
    if not normal[0].listed:
        return
    gone = _gone(window, normal)
    yield from _constant(name, window, normal)
    yield from _rewritten(name, window, normal[0], gone)
    yield from _renamed(name, window, normal[0], gone)
    yield from _recoded(name, window, normal)
    yield from _lost(name, normal[0], gone)


def unseen_share(window: Categories, known: Categories) -> float:
    """The share of rows whose category the other one does not have."""
    names = known.counts
    return (
        1 - sum(one.count for one in window.listed if one.name in names) / window.count
        if window.count
        else 0.0
    )


def usually_unseen(normal: Sequence[Categories]) -> float:
    """How much of a stretch of the reference no other stretch has: the most of all."""
    blocks = normal[1:]
    shares = []
    for place, block in enumerate(blocks):
        others = {one.name for other, it in enumerate(blocks) if other != place for one in it.listed}
        if others and block.count:
            shares.append(sum(one.count for one in block.listed if one.name not in others) / block.count)
    return max(shares, default=0.0)


def _encoding(name: str, window: Categories, normal: Sequence[Categories]) -> Iterator[Fault]:
    before = max(one.broken / one.count if one.count else 0.0 for one in normal)
    if window.broken >= 5 and window.broken / window.count > max(BROKEN, 5 * before):
        said = f"{window.broken} of {window.count} texts show the marks of a wrong encoding"
        yield Fault((name,), "encoding", said)


def _truncated(name: str, window: Categories, normal: Sequence[Categories]) -> Iterator[Fault]:
    """No text is longer than a length that many were longer than, and as many have just that length."""
    if not window.lengths or not window.count:
        return
    limit = max(window.lengths)
    longer = min(
        sum(rows for length, rows in one.lengths.items() if length > limit) / one.count if one.count else 0.0
        for one in normal
    )
    if longer >= LONGER and window.lengths[limit] >= 0.5 * longer * window.count:
        said = f"no text has more than {limit} characters, {100 * longer:.3g} % of them had before"
        yield Fault((name,), "truncated", said)


def _constant(name: str, window: Categories, normal: Sequence[Categories]) -> Iterator[Fault]:
    if len(window.listed) != 1 or not window.complete or _most_common(normal[0]) >= 0.9:
        return
    if _most_common(normal[0]) ** window.count > CHANCE:
        return
    if all(len(one.listed) > 1 and _most_common(one) < 0.98 for one in normal):
        said = f"one and the same category in all {window.count} rows, {len(normal[0].listed)} before"
        yield Fault((name,), "constant", said)


def _most_common(one: Categories) -> float:
    return one.listed[0].count / one.count if one.count and one.listed else 0.0


def _gone(window: Categories, normal: Sequence[Categories]) -> dict[str, float]:
    """Categories of which no row is left though rows were expected, with the share that they had. One that
    comes and goes with the season is missing in some stretch of the reference."""
    if not window.complete:
        return {}
    there, gone = window.counts, {}
    counts = [(one.counts, one.count) for one in normal if one.count]
    for category in normal[0].listed:
        if category.name in there:
            continue
        least = min(known.get(category.name, 0) / rows for known, rows in counts)
        if least >= COMMON and least * window.count >= EXPECTED_ROWS:
            gone[category.name] = category.count / normal[0].count
    return gone


def _rewritten(name: str, window: Categories, whole: Categories, gone: dict[str, float]) -> Iterator[Fault]:
    known = whole.counts
    folded = {one.folded: one.name for one in whole.listed}
    again = {
        folded[one.folded]: one.count
        for one in window.listed
        if one.name not in known and one.folded in folded
    }
    rows = sum(again.values())
    if any(one in gone for one in again) or rows >= max(0.05 * window.count, EXPECTED_ROWS):
        said = (
            f"{len(again)} known categories are spelled otherwise (case, spaces, leading zeros) in "
            f"{rows} of {window.count} rows"
        )
        yield Fault((name,), "rewritten", said)


def _renamed(name: str, window: Categories, whole: Categories, gone: dict[str, float]) -> Iterator[Fault]:
    """One is gone, and one that was never seen has its share."""
    known = whole.counts
    new = [one.count / window.count for one in window.listed if one.name not in known]
    for share in gone.values():
        taken = next((one for one in new if 0.6 <= one / share <= 1 / 0.6), None)
        if taken is not None:
            said = (
                f"a category with {100 * share:.3g} % of the rows is gone, and one that was never seen has "
                f"{100 * taken:.3g} %: another name"
            )
            yield Fault((name,), "renamed", said)
            return


def _recoded(name: str, window: Categories, normal: Sequence[Categories]) -> Iterator[Fault]:
    if not (normal[0].complete and window.complete):
        return
    new, usual = unseen_share(window, normal[0]), usually_unseen(normal)
    if new >= NEW and new >= 4 * usual:
        yield Fault((name,), "recoded", f"{100 * new:.3g} % of the rows have a category that was never seen")


def _lost(name: str, whole: Categories, gone: dict[str, float]) -> Iterator[Fault]:
    share = max(gone.values(), default=0.0)
    if share >= LOST:
        said = f"a category is gone that had {100 * share:.3g} % of the rows, one of {len(whole.listed)}"
        yield Fault((name,), "category_lost", said)
