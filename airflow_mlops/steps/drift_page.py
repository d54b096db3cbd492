"""The page of a drift report: what moved, by how much, and what that did to the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from airflow_mlops.core.drift import Comparison
from airflow_mlops.core.shift.beyond import Beyond
from airflow_mlops.core.shift.multivariate import chance
from airflow_mlops.core.shift.picture import Picture
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.drift_scores import explained_part, labels_part, predictions_part, slices_part
from airflow_mlops.steps.drift_style import STYLE
from airflow_mlops.steps.drift_tables import columns_part, in_slices_part, together_part


@dataclass(frozen=True, slots=True)
class DriftFindings:
    """Everything the page shows. ``evidently`` is where Evidently's own page lies, from this one. ``facts``
    are sentences of their own: volume, freshness, what else was looked at. ``share`` of the features makes
    the data drifted."""

    model: str
    champion: str
    window: Window
    drifted: bool
    reasons: tuple[str, ...]
    comparison: Comparison
    beyond: Beyond = field(default_factory=Beyond)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    evidently: str | None = None
    share: float | None = None


def drift_page(found: DriftFindings) -> bytes:
    """A page that stands alone: no scripts, nothing fetched."""
    beyond = found.beyond
    title = f"{found.model}: drift"
    parts = [
        _head(found),
        _cards(found),
        _reasons(found),
        explained_part(beyond.attribution),
        columns_part(found.comparison, found.pictures, beyond),
        in_slices_part(found.comparison),
        slices_part(beyond),
        predictions_part(beyond.predictions, beyond.scores),
        labels_part(beyond.target),
        together_part(beyond.together),
        _notes(found),
    ]
    return (
        f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>"
    ).encode()


def _head(found: DriftFindings) -> str:
    kind, said = ("alarm", "drifted") if found.drifted else ("calm", "quiet")
    compared, window = found.comparison, found.window
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (window.start, window.end))
    return (
        f'<h1>{escape(found.model)}: drift <span class="mark {kind}">{said}</span></h1>'
        f'<p class="soft">{start} to {end}, {compared.rows:,} rows, against the {compared.reference_rows:,} '
        f"that {escape(found.champion)} was trained and evaluated on."
        '<span class="key before"></span>reference<span class="key after"></span>window</p>'
    )


def _cards(found: DriftFindings) -> str:
    beyond, columns = found.beyond, found.comparison.columns
    moved = sum(column.drifted for column in columns)
    cards = [_card("Features that drifted", f"{moved} of {len(columns)}", _limit(found), bad=moved > 0)]
    if (told := beyond.attribution) is not None:
        cards.append(
            _card(
                told.score.capitalize(),
                f"{told.window:.4g}",
                f"{told.change.value:+.4g} ({told.change.low:+.3g} to {told.change.high:+.3g}) from "
                f"{told.reference:.4g}",
            )
        )
    if beyond.predictions is not None:
        scores = beyond.predictions.scores
        cards.append(
            _card(
                "Predictions",
                f"PSI {scores.index:.3f}",
                f"threshold {scores.threshold:g}, {scores.by_chance:.3f} by chance",
                bad=scores.drifted,
            )
        )
    if beyond.target is not None:
        labels = beyond.target.labels
        cards.append(
            _card(
                "Labels",
                f"PSI {labels.index:.3f}",
                f"{labels.window.rows:,} landed, {beyond.target.coverage:.0%} of the answers",
                bad=labels.drifted,
            )
        )
    for one in beyond.together:
        what = "AUC" if one.method == "domain_classifier" else "MMD share"
        cards.append(
            _card(
                f"{one.name.capitalize()} together",
                f"{what} {one.effect:.3f}",
                f"threshold {one.threshold:g}, {chance(one.p_value)}",
                bad=one.drifted,
            )
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _limit(found: DriftFindings) -> str:
    return f"{found.share:.0%} of them make the data drifted" if found.share is not None else ""


def _card(title: str, number: str, note: str, *, bad: bool = False) -> str:
    kind = "card bad" if bad else "card"
    return (
        f'<div class="{kind}"><span>{escape(title)}</span><b>{escape(number)}</b>'
        f"<span>{escape(note)}</span></div>"
    )


def _reasons(found: DriftFindings) -> str:
    said = "".join(f"<p>{escape(reason)}</p>" for reason in (*found.reasons, *found.facts))
    return f"<details open><summary>What the monitor said</summary>{said}</details>"


def _notes(found: DriftFindings) -> str:
    unsaid = "".join(f"<p>{escape(text)}</p>" for text in found.beyond.unsaid)
    missing = f"<h2>What could not be said</h2>{unsaid}" if unsaid else ""
    link = (
        f'<h2>More</h2><p><a href="{escape(found.evidently)}">Evidently\'s own page</a> of a sample of these '
        "rows, with a plot of each feature.</p>"
        if found.evidently
        else ""
    )
    return missing + link
