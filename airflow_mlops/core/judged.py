"""What a window of several versions can be judged by: rows that have all of the champion's features, or,
where these are few, features that all rows have.

A version's rows have no value in a feature that it does not take. Held against what the champion was trained
on, the hours before its promotion would look like a feed that broke.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """``features`` that are judged, in the rows of all versions but ``left_out``; of each of those how many
    rows it answered. ``said`` tells what is not judged, and why."""

    features: tuple[str, ...]
    left_out: Mapping[str, int]
    said: tuple[str, ...] = ()


def judged_part(
    features: Sequence[str],
    champion: Collection[str],
    taken: Mapping[str, Collection[str]],
    rows: Mapping[str, int],
    *,
    least: int,
) -> Part:
    """``features`` are the YAML's, ``champion`` and ``taken`` what the champion and each version that
    answered take of them, ``rows`` how many rows each answered. Fewer than ``least`` rows tell nothing: so
    few of a champion that has just come are judged with all others, by what they have in common."""
    judged = tuple(name for name in features if name in champion)
    said = []
    if len(judged) < len(features):
        said.append(f"not compared, for the champion takes no such feature: {_names(features, judged)}")
    lacking = {version: _without(judged, known) for version, known in taken.items()}
    out = {version: count for version, count in rows.items() if lacking.get(version)}
    if not out:
        return Part(judged, {}, tuple(said))
    if sum(rows.values()) - sum(out.values()) >= least:
        told = (f"{count} of version {one}, without {', '.join(lacking[one])}" for one, count in out.items())
        return Part(judged, out, (*said, f"rows that are not compared: {'; '.join(told)}"))
    common = tuple(name for name in judged if not any(name in lacking[one] for one in out))
    few = f"fewer than {least} rows are of versions that take it"
    return Part(common, {}, (*said, f"not compared, for {few}: {_names(judged, common)}"))


def _without(judged: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in judged if name not in known)


def _names(features: Sequence[str], judged: Collection[str]) -> str:
    return ", ".join(_without(features, judged))
