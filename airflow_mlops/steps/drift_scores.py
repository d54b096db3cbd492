"""The drift page's parts about scores: why their mean changed, over which slices, how they are spread."""

from __future__ import annotations

from html import escape

from airflow_mlops.core.quality import Spread
from airflow_mlops.core.shift.attribution import Attribution, SliceTable
from airflow_mlops.core.shift.beyond import Beyond, TargetShift
from airflow_mlops.core.shift.distribution import LEVELS, PredictionShift, Shift
from airflow_mlops.core.shift.picture import Picture
from airflow_mlops.steps.drift_figures import balance, histogram, waterfall

_OPEN_TABLES = 2


def explained_part(told: Attribution | None) -> str:
    """The change of the mean score, feature by feature."""
    if told is None:
        return ""
    sure = told.share(told.change.value) is not None
    said = (
        f"The {told.score} went from {told.reference:.4g} to {told.window:.4g}."
        if sure
        else f"The {told.score} is {told.window:.4g}, and was {told.reference:.4g}: no more than chance "
        "gives, so no share of the change is given."
    )
    return (
        f"<h2>Why the scores moved</h2><p>{escape(said)}</p>{waterfall(told)}"
        '<p class=soft><span class="key up"></span>up<span class="key down"></span>down'
        '<span class="key before"></span>explained by no feature</p>'
        f"<p class=soft><small>Shapley values: {told.rows:,} rows of the holdout, each paired with one of "
        "the window, whose values it takes over feature by feature in random orders while the champion is "
        "asked at each step. The parts and the rest add up to the change. Whiskers are 95&nbsp;% intervals. "
        "Of features that depend on each other, each gets a part of what they do together; it is what the "
        "model did with them, not what caused them to move.</small></p>"
    )


def slices_part(beyond: Beyond) -> str:
    """The same change, slice by slice: as many tables as there are columns, the first ones open."""
    tables = "".join(_table(one, place < _OPEN_TABLES) for place, one in enumerate(beyond.slices))
    if not tables:
        return ""
    return (
        "<h2>Which rows moved the scores</h2><p class=soft>Each column splits the whole change in its own "
        "way: a slice counts more or less than before (mix), or scores otherwise (within). Mix and within of "
        f"all its slices add up to the change.</p>{tables}"
    )


def predictions_part(found: PredictionShift | None, drawn: Picture | None) -> str:
    """How the served scores are spread."""
    if found is None:
        return ""
    rows = _shift_rows(found.scores)
    rows += _spread_row("mean entropy (0 certain, 1 no idea)", found.entropy)
    rows += _spread_row("mean confidence", found.confidence)
    picture = histogram(drawn, width=620, height=150, named=True) if drawn else ""
    return f"<h2>Predictions {_mark(found.scores)}</h2>{picture}{_numbers(rows)}"


def labels_part(found: TargetShift | None) -> str:
    """How the labels that have landed are spread."""
    if found is None:
        return ""
    rows = _shift_rows(found.labels)
    return (
        f"<h2>Labels {_mark(found.labels)}</h2><p>{found.labels.window.rows:,} labels have landed for "
        f"{found.answers:,} answers of the champion ({found.coverage:.0%}). Where labels land sooner for "
        f"some rows than for others, these are not all there will be.</p>{_numbers(rows)}"
    )


def _table(found: SliceTable, is_open: bool) -> str:
    most = max((max(abs(one.mix), abs(one.within)) for one in found.slices), default=0.0)
    rows = "".join(
        f"<tr><td class=name>{escape(one.value)}</td>"
        f"<td class=number>{one.shares[0]:.1%} → {one.shares[1]:.1%}</td>"
        f"<td class=number>{_mean(one.means[0])} → {_mean(one.means[1])}</td>"
        f"<td>{balance(one.mix, most)}</td><td class=number>{one.mix:+.3g}</td>"
        f"<td>{balance(one.within, most)}</td><td class=number>{one.within:+.3g}</td></tr>"
        for one in found.slices
    )
    rest = (
        "<tr><td class=name>rows that were not drawn</td><td colspan=5></td>"
        f"<td class=number>{found.rest:+.3g}</td></tr>"
        if abs(found.rest) > 1e-12
        else ""
    )
    return (
        f"<details{' open' if is_open else ''}><summary><b>{escape(found.column)}</b>: mix {found.mix:+.3g}, "
        f"within {found.within:+.3g}</summary><table><tr><th>slice</th><th class=number>share of rows</th>"
        "<th class=number>mean score</th><th colspan=2>mix</th><th colspan=2>within</th></tr>"
        f"{rows}{rest}</table></details>"
    )


def _mark(shift: Shift) -> str:
    return (
        '<span class="mark alarm">drifted</span>' if shift.drifted else '<span class="mark calm">quiet</span>'
    )


def _numbers(rows: list[tuple[str, str, str, str]]) -> str:
    body = "".join(
        f"<tr><td>{escape(row[0])}</td>"
        + "".join(f"<td class=number>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    titles = "".join(f"<th class=number>{title}</th>" for title in ("reference", "window", "change"))
    head = f"<tr><th></th>{titles}</tr>"
    return f"<table>{head}{body}</table>"


def _shift_rows(shift: Shift) -> list[tuple[str, str, str, str]]:
    before, after, change = shift.reference, shift.window, shift.change
    rows = [
        ("rows", f"{before.rows:,}", f"{after.rows:,}", ""),
        (
            "population stability index",
            "",
            f"{shift.index:.4f}",
            f"threshold {shift.threshold:g} and {shift.by_chance:.4f} by chance",
        ),
    ]
    if before.edges or len(before.counts) == 2:
        rows.append(
            (
                "mean",
                f"{before.spread.mean:.4g}",
                f"{after.spread.mean:.4g}",
                f"{change.value:+.4g} ({change.low:+.3g} to {change.high:+.3g})",
            )
        )
    quantiles = zip(LEVELS, before.quantiles, after.quantiles, strict=False)
    rows += [
        (f"{level:.0%} are below", f"{one:.4g}", f"{other:.4g}", f"{other - one:+.3g}")
        for level, one, other in quantiles
    ]
    if not before.edges:
        rows += [
            (
                f"class {place}",
                f"{one / max(before.rows, 1):.1%}",
                f"{other / max(after.rows, 1):.1%}",
                f"{100 * (other / max(after.rows, 1) - one / max(before.rows, 1)):+.1f} points",
            )
            for place, (one, other) in enumerate(zip(before.counts, after.counts, strict=False))
        ]
    return rows


def _spread_row(name: str, pair: tuple[Spread, Spread] | None) -> list[tuple[str, str, str, str]]:
    if pair is None:
        return []
    before, after = pair
    return [(name, f"{before.mean:.4g}", f"{after.mean:.4g}", f"{after.mean - before.mean:+.3g}")]


def _mean(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"
