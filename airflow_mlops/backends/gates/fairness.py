"""How far decisions or errors lie apart between groups of people, by fairlearn's definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from typing import Any

from airflow_mlops.backends.gates.decisions import decisions, labels
from airflow_mlops.backends.gates.groups import Grouping, cut
from airflow_mlops.backends.gates.rates import RATES, Rate
from airflow_mlops.backends.material import Material
from airflow_mlops.core.gates.disparity import smallest_ratio, widest_difference
from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.values import Estimate, Figure, Finding, Measurement, Point
from airflow_mlops.exceptions import DataRefused

_RATES_OF = {
    "demographic_parity": ("selection",),
    "equalized_odds": ("true_positive", "false_positive"),
    "equal_opportunity": ("true_positive",),
    "false_positive_rate": ("false_positive",),
    "accuracy_score": ("accuracy",),
    "mean_prediction": ("mean_prediction",),
    "mean_absolute_error": ("absolute_error",),
}


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """One number for each cut of ``sensitive``: fairlearn's own value, of the groups that are large enough,
    with an interval that holds for all pairs of groups and all cuts together (see ``core.gates.disparity``;
    equalized odds takes its two rates together, too)."""
    name, cuts = settings["measure"], settings["sensitive"]
    rates = [RATES[rate](material) for rate in _RATES_OF[name.rpartition("_")[0]]]
    confidence = 1 - (1 - material.confidence) / (len(cuts) * len(rates))
    measurements, figures = [], []
    notes = [_how_sure(material.confidence, len(cuts))]
    for columns in cuts:
        whole = cut(material.holdout, columns, bins=settings["bins"], edges=settings["edges"])
        said = " x ".join(columns)
        groups, left_out = _large_enough(whole, rates, settings)
        if len(groups.names) < 2:
            raise DataRefused(
                f"{said} has {len(groups.names)} group that is large enough, and it takes two; "
                f"left out: {left_out}"
            )
        if left_out:
            notes.append(f"By {said}, left out as too small: {left_out}.")
        measurements.append(_measured(name, said, groups, rates, material, confidence))
        figures += [_figure(rate, said, groups, material.confidence) for rate in rates]
    return Finding("", tuple(measurements), notes=tuple(notes), figures=tuple(figures))


def _measured(
    name: str, said: str, groups: Grouping, rates: Sequence[Rate], material: Material, confidence: float
) -> Measurement:
    of_pairs, worst = (smallest_ratio, min) if name.endswith("_ratio") else (widest_difference, max)
    critical = _critical(confidence, len(groups.names))
    try:
        of_groups = [rate.of_groups(groups, critical) for rate in rates]
        found = [of_pairs(estimates) for estimates in of_groups]
    except ValueError as error:
        raise DataRefused(f"{name} by {said}: {error}") from error
    estimate = Estimate(
        _by_fairlearn(name, groups, material),
        worst(one.low for one in found),
        worst(one.high for one in found),
    )
    rows = int((groups.codes >= 0).sum())
    ends = "; ".join(_ends(rate, groups, each) for rate, each in zip(rates, of_groups, strict=True))
    return Measurement(f"{name.replace('_', ' ')} by {said}", estimate, rows=rows, note=ends)


def _ends(rate: Rate, groups: Grouping, estimates: Sequence[Estimate]) -> str:
    """Who is treated worst and who best: a reader wants a name before a number."""
    by_value = sorted(zip(estimates, groups.names, strict=True), key=lambda pair: pair[0].value)
    (low, lowest), (high, highest) = by_value[0], by_value[-1]
    return f"{rate.name} {low.value:.3g} for {lowest}, {high.value:.3g} for {highest}"


def _by_fairlearn(name: str, groups: Grouping, material: Material) -> float:
    """The point value, by the library whose names these are."""
    from fairlearn import metrics as fairlearn
    from sklearn.metrics import accuracy_score, mean_absolute_error

    label, answers, sensitive, weight = _alike_rows_once(groups, material)
    if (function := getattr(fairlearn, name, None)) is not None:
        return float(function(label, answers, sensitive_features=sensitive, sample_weight=weight))
    metric, _, form = name.rpartition("_")
    metrics = {
        "false_positive_rate": fairlearn.false_positive_rate,
        "accuracy_score": accuracy_score,
        "mean_prediction": fairlearn.mean_prediction,
        "mean_absolute_error": mean_absolute_error,
    }
    frame = fairlearn.MetricFrame(
        metrics=metrics[metric],
        y_true=label,
        y_pred=answers,
        sensitive_features=sensitive,
        sample_params={"sample_weight": weight},
    )
    return float(frame.ratio() if form == "ratio" else frame.difference())


def _alike_rows_once(groups: Grouping, material: Material) -> tuple[Any, Any, Any, Any]:
    """Label, answer, group and weight. Decisions repeat: a million rows are a handful that differ, of which
    each counts as often as it is there; fairlearn takes half a minute for the million."""
    import numpy as np

    rows = groups.codes >= 0
    columns = labels(material)[rows], decisions(material)[rows], groups.codes[rows]
    if material.task not in ("binary_classification", "multiclass_classification"):
        return *columns, np.ones(int(rows.sum()))
    different, weight = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return *different.T, weight


def _large_enough(
    groups: Grouping, rates: Sequence[Rate], settings: Mapping[str, Any]
) -> tuple[Grouping, str]:
    """The groups to compare, and in words those that are left out."""
    rows, counts = groups.sizes.tolist(), [rate.counts(groups) for rate in rates]
    kept, left_out = [], []
    for group, name in enumerate(groups.names):
        few = [
            f"{count[group]} {rate.of_class}"
            for rate, count in zip(rates, counts, strict=True)
            if rate.of_class and count[group] < settings["minimum_of_each_class"]
        ]
        if rows[group] < settings["minimum_rows"]:
            few = [f"{rows[group]} rows"]
        if few:
            left_out.append(f"{name} ({', '.join(few)})")
        else:
            kept.append(group)
    return groups.only(kept), _listed(left_out)


def _figure(rate: Rate, said: str, groups: Grouping, confidence: float) -> Figure:
    z = quantile(confidence)
    estimates, counts = rate.of_groups(groups, z), rate.counts(groups)
    return Figure(
        "forest",
        f"{rate.name} by {said}".capitalize(),
        tuple(Point(*point) for point in zip(groups.names, estimates, counts, strict=True)),
        reference=float(rate.per_row[rate.counted].mean()),
        note=f"Each group's own interval, at {confidence:.0%}; the dashed line is the rate of all rows.",
    )


def _critical(confidence: float, groups: int) -> float:
    """How many standard errors cover all differences of so many groups together."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(confidence, groups, inf)) / sqrt(2)


def _how_sure(confidence: float, cuts: int) -> str:
    several = " and all comparisons" if cuts > 1 else ""
    return (
        f"The intervals hold for all pairs of groups{several} together, at {confidence:.0%}: score intervals "
        "at a critical value of the studentised range (Agresti and others 2008)."
    )


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
