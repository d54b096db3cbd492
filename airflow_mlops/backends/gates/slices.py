"""A metric in parts of the holdout, corrected for how many parts were looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_mlops.backends.gates.slice_looks import Looker
from airflow_mlops.backends.gates.slice_search import Family, named, searched
from airflow_mlops.backends.material import Material
from airflow_mlops.core.gates.bounds import worst_first
from airflow_mlops.core.gates.multiple import factors
from airflow_mlops.core.values import Estimate, Figure, Finding, Measurement, Point
from airflow_mlops.exceptions import DataRefused

_DRAWN = 30


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """The number of every slice that is large enough, the worst first: the metric, or how much worse than the
    champion's it is. A p-value is corrected for all looks, and an interval is at the level that its look has
    then: it is beyond the bound exactly where the corrected p-value is below the level."""
    looker = Looker(settings, material)
    families = list(named(settings, material, looker))
    if settings["automatic"]:
        families += searched(settings, material, looker)
    metric, level = settings["metric"], (1 - material.confidence) / 2
    what = f"{metric} in" if settings["margin"] is None else f"loss of {metric} against the champion in"
    found = [
        (look.slice, Measurement(f"{what} {look.slice}", interval, look.rows, p_value))
        for look, interval, p_value in _corrected(families, settings["correction"], level, looker)
    ]
    if not found:
        why = looker.refused[0] if looker.refused else f"{looker.too_small} are too small"
        raise DataRefused(f"there is no slice on which {metric} can be computed: {why}")
    minimum, maximum = looker.bounds.minimum, looker.bounds.maximum
    measurements = worst_first([item for _, item in found], minimum, maximum, settings["decide_by"])
    return Finding(
        "",
        measurements,
        notes=tuple(_notes(families, settings, looker, level)),
        figures=(_figure(measurements, {item.name: name for name, item in found}, looker),),
    )


def _corrected(
    families: Sequence[Family], correction: Any, level: float, looker: Looker
) -> Iterator[tuple[Any, Estimate, float]]:
    """Each look with its interval and its p-value. The families share the chance of error evenly."""
    shared = 1 if correction == "none" else len(families)
    for family in families:
        p_values = [look.p_value for look in family.looks]
        steps = factors(p_values, correction, family.possible)
        for look, step in zip(family.looks, steps, strict=True):
            own_level = level / (step * shared * looker.bounds.sides)
            yield look, look.tails.interval(own_level), min(1.0, look.p_value * step * shared)


def _notes(
    families: Sequence[Family], settings: Mapping[str, Any], looker: Looker, level: float
) -> Iterator[str]:
    kinds = [
        f"{len(family.looks)} {family.kind}"
        + (f" (of {family.possible} that could have been)" if family.possible > len(family.looks) else "")
        for family in families
    ]
    small = f"; {looker.too_small} were too small" if looker.too_small else ""
    refused = (
        f"; {len(looker.refused)} could not be measured, as {looker.refused[0]}" if looker.refused else ""
    )
    yield f"Slices looked at: {', '.join(kinds)}{small}{refused}."
    yield _PROMISES[settings["correction"]].format(level=f"{100 * level:g} %")
    yield f"On the whole holdout: {looker.whole()}."


_PROMISES = {
    "holm": "Each interval is at the level that its slice has among all of them (Holm 1979): where no slice "
    "is bad, the chance that any is accused is at most {level}.",
    "benjamini_hochberg": "Each interval is at the level that its slice has among all of them (Benjamini and "
    "Hochberg 1995): of the slices that are accused, at most {level} are expected to be innocent.",
    "none": "Each interval is that of its slice alone, not corrected for how many were looked at: each slice "
    "that is not bad has a chance of {level} to be accused.",
}


def _figure(measurements: Sequence[Measurement], names: Mapping[str, str], looker: Looker) -> Figure:
    bounds = looker.bounds
    return Figure(
        "forest",
        "The worst slices",
        tuple(Point(names[item.name], item.estimate, item.rows) for item in measurements[:_DRAWN]),
        reference=None if bounds.sides == 2 else bounds.minimum if bounds.maximum is None else bounds.maximum,
        note="Corrected intervals; the dashed line is the bound."
        if bounds.sides == 1
        else "Corrected intervals.",
    )
