"""The drift page's tables of columns: each by itself, in slices, and all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from airflow_mlops.core.drift import ColumnFacts, Comparison
from airflow_mlops.core.shift.beyond import Beyond
from airflow_mlops.core.shift.multivariate import Together, chance
from airflow_mlops.core.shift.picture import Picture
from airflow_mlops.core.values import ColumnDrift
from airflow_mlops.steps.drift_figures import bars, gauge, histogram

_SHOWN, _MOST, _IN_SLICES, _TELLS = 25, 200, 40, 12


def columns_part(compared: Comparison, pictures: Mapping[str, Picture], beyond: Beyond) -> str:
    """Every column, those that moved most first; the tail is folded away."""
    ranked = sorted(compared.columns, key=lambda column: (not column.drifted, -column.times, column.column))
    facts = {one.column: one for one in compared.facts}
    parts = {part.name: part.change for part in beyond.attribution.features} if beyond.attribution else {}

    def shares(name: str) -> str:
        if beyond.attribution is None or name not in parts:
            return ""
        share = beyond.attribution.share(parts[name])
        return f"{parts[name]:+.3g}" if share is None else f"{share:.0%}"

    rows = [
        _row(column, pictures.get(column.column), facts.get(column.column), shares(column.column))
        for column in ranked[:_MOST]
    ]
    head = (
        "<tr><th>feature</th><th>spread</th><th>how far</th><th class=number>score</th>"
        "<th class=number>p</th><th class=number>explains</th></tr>"
    )
    first = f"<table>{head}{''.join(rows[:_SHOWN])}</table>"
    rest = (
        f"<details><summary>{len(rows) - _SHOWN} more features</summary><table>{head}"
        f"{''.join(rows[_SHOWN:])}</table></details>"
        if len(rows) > _SHOWN
        else ""
    )
    left_out = (
        f"<p class=soft>{len(ranked) - _MOST} features that moved less are not shown.</p>"
        if len(ranked) > _MOST
        else ""
    )
    return (
        "<h2>Features</h2><p class=soft>Those that moved most for their threshold (the dashed line) come "
        "first. A feature has drifted where it moved far and chance does not explain it; the p-values are "
        "corrected for all that was looked at. “Explains” is the feature's part of the change of the mean "
        f"score.</p>{first}{rest}{left_out}"
    )


def in_slices_part(compared: Comparison) -> str:
    """Where in the data columns moved, and the slices' own sizes."""
    moved = sorted((one for one in compared.in_slices if one.drifted), key=lambda one: -one.times)
    if not moved and not compared.slices:
        return ""
    rows = "".join(
        f"<tr><td class=name>{escape(one.column)}</td><td>{escape(one.slice)}</td>"
        f"<td>{gauge(one.score, one.threshold, bad=True)}</td><td class=number>{one.score:.3g}"
        f"<small>{escape(one.method)}</small></td></tr>"
        for one in moved[:_IN_SLICES]
    )
    table = (
        "<table><tr><th>feature</th><th>in</th><th>how far</th><th class=number>score</th></tr>"
        f"{rows}</table>"
        if rows
        else "<p>No feature drifted within a slice.</p>"
    )
    sizes = "".join(
        f"<tr><td class=name>{escape(one.slice)}</td><td class=number>{one.rows:,}</td>"
        f"<td class=number>{one.reference_share:.1%}</td><td class=number>{one.share:.1%}</td></tr>"
        for one in compared.slices
    )
    folded = (
        "<details><summary>How large the slices are</summary><table><tr><th>slice</th><th class=number>rows"
        f"</th><th class=number>reference</th><th class=number>window</th></tr>{sizes}</table></details>"
        if sizes
        else ""
    )
    return f"<h2>Features within slices</h2>{table}{folded}"


def together_part(found: Sequence[Together]) -> str:
    """What a look at several columns at once found."""
    return "".join(_together(one) for one in found)


def _together(one: Together) -> str:
    mark = "alarm" if one.drifted else "calm"
    said = "drifted" if one.drifted else "no drift"
    if one.method == "domain_classifier":
        interval = "" if one.low is None or one.high is None else f" ({one.low:.3f} to {one.high:.3f})"
        what = (
            f"Boosted trees that have not seen these rows tell window from reference with an AUC of "
            f"{one.effect:.3f}{interval}; 0.5 is a coin. Threshold {one.threshold:g}, {chance(one.p_value)}."
        )
    else:
        what = (
            f"{one.effect:.1%} of the kernel distance between window and reference is due to their "
            f"difference (unbiased MMD² {one.statistic or 0.0:.3g}). Threshold {one.threshold:.1%}, "
            f"{chance(one.p_value)}."
        )
    tells = [pair for pair in one.tells if pair[1] > 0][:_TELLS]
    drawn = f"<h3>What tells them apart: the AUC lost without it</h3>{bars(tells)}" if tells else ""
    return (
        f'<h2>{escape(one.name.capitalize())} together <span class="mark {mark}">{said}</span></h2>'
        f"<p>{escape(what)} {one.rows[1]:,} rows of the window and {one.rows[0]:,} of the reference, drawn "
        f"at random.</p>{drawn}"
    )


def _row(column: ColumnDrift, drawn: Picture | None, facts: ColumnFacts | None, explains: str) -> str:
    p_value = "" if column.p_value is None else chance(column.p_value).removeprefix("p ")
    mark = ' <span class="mark alarm">drifted</span>' if column.drifted else ""
    return (
        f"<tr><td class=name>{escape(column.column)}{mark}<small>{escape(_said(facts))}</small></td>"
        f"<td>{histogram(drawn) if drawn else ''}</td>"
        f"<td>{gauge(column.score, column.threshold, bad=column.drifted)}</td>"
        f"<td class=number>{column.score:.3g}<small>{escape(column.method)}</small></td>"
        f"<td class=number>{escape(p_value)}</td><td class=number>{escape(explains)}</td></tr>"
    )


def _said(facts: ColumnFacts | None) -> str:
    if facts is None:
        return ""
    said = []
    if max(facts.missing, facts.reference_missing) > 0:
        said.append(f"missing {facts.reference_missing:.1%}, now {facts.missing:.1%}")
    if facts.new_categories:
        kinds = "category" if facts.new_categories == 1 else "categories"
        said.append(f"{facts.new_categories} new {kinds}, {facts.new_share or 0.0:.1%} of the rows")
    return "; ".join(said)
