"""From counts to looks: of every column in every slice, how far it moved and whether chance explains it."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.backends.drift.categories import CategoryProfile
from airflow_mlops.backends.drift.methods import Binned, effect_of_bins, effect_of_numbers, two_shares_p
from airflow_mlops.backends.drift.numbers import NumberCounts, NumberProfile
from airflow_mlops.backends.drift.profile import ALL_ROWS, Profile
from airflow_mlops.backends.drift.scan import Scan, parts_of
from airflow_mlops.backends.drift.texts import MEASURES
from airflow_mlops.core.drift import ColumnFacts, ColumnPlan, DriftPlan
from airflow_mlops.core.values import ColumnDrift


def looks(profile: Profile, scan: Scan, plan: DriftPlan, slice_: str = ALL_ROWS) -> Iterator[ColumnDrift]:
    """One look by each column's method, then those at missing values and new categories where there are any.
    P-values are of each look alone."""
    for one in plan.columns:
        if one.kind == "categorical":
            known = profile.categories(one.column, slice_)
            yield from _of_categories(one, plan, known, scan, slice_)
            continue
        for name, of in zip(parts_of(one), _endings(one), strict=True):
            reference, current = profile.numbers(name, slice_), scan.numbers(name, slice_)
            yield _of_numbers(one, plan, of, reference, current, slice_)
            both, missing = reference.rows and current.rows, reference.missing or current.missing
            if one.kind == "numeric" and both and missing:
                now = current.missing, current.rows
                yield _missing(one, plan, "missing values", reference, *now, slice_)


def facts(profile: Profile, scan: Scan, plan: DriftPlan) -> Iterator[ColumnFacts]:
    """What is known of each column beside how far it moved."""
    for one in plan.columns:
        if one.kind != "categorical":
            name = parts_of(one)[-1]
            missing, before = scan.numbers(name).missing_share, profile.numbers(name).missing_share
            yield ColumnFacts(one.column, missing, before)
            continue
        known = profile.categories(one.column)
        counts, unknown, absent = scan.categories(one.column)
        there = int(counts.sum()) + unknown
        missing = absent / (there + absent) if there + absent else 0.0
        if known.rest:
            yield ColumnFacts(one.column, missing, known.missing_share)
        else:
            share = unknown / there if there else 0.0
            yield ColumnFacts(one.column, missing, known.missing_share, share, scan.new_names(one.column))


def _endings(one: ColumnPlan) -> list[str]:
    return [""] if one.kind != "text" else [f" of {measure}" for measure in MEASURES]


def _of_numbers(
    one: ColumnPlan, plan: DriftPlan, of: str, profile: NumberProfile, counts: NumberCounts, slice_: str
) -> ColumnDrift:
    if not (profile.rows and counts.rows):
        return _without_values(one, plan, of, profile, counts.missing, counts.rows, slice_)
    effect = effect_of_numbers(one.method, profile, counts)
    size = effect.size
    if one.method == "wasserstein" and not profile.deviation and size:
        # No distance can be told in standard deviations of none: as far as it can be.
        size = max(size, one.threshold)
    return ColumnDrift(one.column, f"{one.method}{of}", size, one.threshold, effect.p_value, slice=slice_)


def _of_categories(
    one: ColumnPlan, plan: DriftPlan, profile: CategoryProfile, scan: Scan, slice_: str
) -> Iterator[ColumnDrift]:
    import numpy as np

    counts, unknown, missing = scan.categories(one.column, slice_)
    rows = int(counts.sum()) + unknown
    if not (profile.rows and rows):
        yield _without_values(one, plan, "", profile, missing, rows, slice_)
        return
    # By name: the profile has the most frequent of its own side first.
    order = sorted(range(len(profile.names)), key=profile.names.__getitem__)
    before, now = np.append(profile.counts[order], profile.rest), np.append(counts[order], unknown)
    binned = Binned(before, now).without_empty
    effect = effect_of_bins(one.method, binned)
    yield ColumnDrift(one.column, one.method, effect.size, one.threshold, effect.p_value, slice=slice_)
    if unknown and not profile.rest:
        yield ColumnDrift(
            one.column,
            "new categories",
            unknown / rows,
            plan.new_categories,
            two_shares_p(0, profile.rows, unknown, rows),
            slice=slice_,
        )
    if profile.missing or missing:
        yield _missing(one, plan, "missing values", profile, missing, rows, slice_)


def _without_values(
    one: ColumnPlan,
    plan: DriftPlan,
    of: str,
    profile: NumberProfile | CategoryProfile,
    missing: int,
    rows: int,
    slice_: str,
) -> ColumnDrift:
    """Where a side has no value there is no distribution to compare, but how many rows have lost theirs."""
    if profile.rows or rows:
        where = "current" if profile.rows else "reference"
        return _missing(one, plan, f"no values{of} in {where}", profile, missing, rows, slice_)
    return ColumnDrift(one.column, f"no values{of}", 0.0, plan.missing, slice=slice_)


def _missing(
    one: ColumnPlan,
    plan: DriftPlan,
    method: str,
    profile: NumberProfile | CategoryProfile,
    missing: int,
    rows: int,
    slice_: str,
) -> ColumnDrift:
    """By how much the share of rows without a value has changed."""
    before, now = profile.rows + profile.missing, rows + missing
    if not before or not now:
        return ColumnDrift(one.column, method, 0.0, plan.missing, slice=slice_)
    change = abs(missing / now - profile.missing_share)
    p_value = two_shares_p(profile.missing, before, missing, now)
    return ColumnDrift(one.column, method, change, plan.missing, p_value, slice=slice_)
