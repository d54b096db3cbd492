"""Where a model is bad, without being told where to look.

The search goes over the groups of every feature (categories, and numbers cut into parts with equally many
rows), then over the pairs of groups of the features with the worst ones: two conditions deep, as most
slices that people can act on. Chung and others (2019), "Slice Finder: automated data slicing for model
validation", and Sagadeeva and Boehm (2021), "SliceLine", search the same lattice by effect size. What is
new here is what a finding is worth: which pairs to look at was learnt from the rows that they are judged
on, so all pairs count that might have been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from airflow_mlops.backends.gates.groups import Grouping, crossed, cut
from airflow_mlops.backends.gates.slice_looks import Look, Looker
from airflow_mlops.backends.material import Material

_MOST_CATEGORIES = 30
_WORST_FEATURES = 6


@dataclass(frozen=True, slots=True)
class Family:
    """Looks of one kind; ``possible`` is how many there could have been, whatever the labels are."""

    kind: str
    looks: tuple[Look, ...]
    possible: int


def named(settings: Mapping[str, Any], material: Material, looker: Looker) -> Iterator[Family]:
    """The slices that the file names."""
    cuts = [_cut(material, columns, settings) for columns in settings["by"]]
    looks = tuple(look for grouping in cuts for look in looker.looks(grouping))
    if cuts:
        yield Family("named", looks, len(looks))


def searched(settings: Mapping[str, Any], material: Material, looker: Looker) -> Iterator[Family]:
    """The groups of each feature, and the pairs of the worst features' groups."""
    singles = [
        _cut(material, [name], settings).largest(_MOST_CATEGORIES)
        for name, kind in material.columns.features.items()
        if kind in ("numeric", "categorical")
    ]
    looks = tuple(look for grouping in singles for look in looker.looks(grouping))
    yield Family("of one feature", looks, len(looks))
    if settings["depth"] == 1:
        return
    worst = _worst_features(looks, looker)
    chosen = [grouping for grouping in singles if grouping.columns[0] in worst]
    pairs = tuple(
        look
        for one, other in combinations(chosen, 2)
        for look in looker.looks(crossed(one, other), smaller_than=(one, other))
    )
    most = len(material.holdout) // settings["minimum_rows"]
    possible = sum(min(len(one.names) * len(other.names), most) for one, other in combinations(singles, 2))
    yield Family("of two features", pairs, max(possible, len(pairs)))


def _worst_features(looks: Sequence[Look], looker: Looker) -> set[str]:
    ranked = sorted(looks, key=looker.bounds.badness)
    return set(list(dict.fromkeys(look.columns[0] for look in ranked))[:_WORST_FEATURES])


def _cut(material: Material, columns: Sequence[str], settings: Mapping[str, Any]) -> Grouping:
    return cut(material.holdout, columns, bins=settings["bins"], edges=settings["edges"])
