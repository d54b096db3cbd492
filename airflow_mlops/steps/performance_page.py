"""The page of a performance report: the verdict, the windows in a picture, labels, detectors and slices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from airflow_mlops.core.values import Estimate, Figure, Point
from airflow_mlops.core.window_scores import WindowScore
from airflow_mlops.steps.figures import figure
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.performance_findings import Findings
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.timeline import LEGEND, timeline
from airflow_mlops.steps.window_score import watched

_MOST_WINDOWS, _MOST_SLICES = 60, 50


def performance_page(request: CollectedRequest, found: Findings) -> bytes:
    """All of it as HTML."""
    config, settings = request.config, watched(request.config)
    drawn = timeline(
        found.history,
        tolerance=settings.tolerance,
        higher_is_better=config.evaluation.direction(settings.metric) == "higher",
        fired=[at for signal in found.signals for at in (signal.standing, signal.at) if at is not None],
    )
    return page(
        f"{config.model}: performance",
        sentences(*_opening(request, found)),
        f"<h2>Windows</h2>{drawn}{sentences(LEGEND)}" if drawn else "",
        _windows(found),
        _slices(found),
        table(
            "Detectors",
            ("detector", "says"),
            [(signal.detector, signal.reason) for signal in found.signals],
        ),
        table(
            "Answers with a label are not like the others",
            ("column", "what was found"),
            [(one.column, one.detail) for one in found.selection],
        ),
        sentences(*found.now.notes),
    )


def _opening(request: CollectedRequest, found: Findings) -> Iterator[str]:
    score, standing, collected = found.now.score, found.labels, request.collected
    yield (
        f"{collected.champion} gave {score.answers} answers in {collected.window}; labels for {score.labels} "
        f"of them have landed ({score.coverage:.0%})."
    )
    yield from found.reasons
    if standing.expected is not None:
        wait = (
            ""
            if standing.usual_wait is None
            else f"; the wait is usually over after {_age(standing.usual_wait)}"
        )
        yield f"Labels: {standing.expected:.0%} are usually there at this age{wait}."
    if standing.watermark is not None:
        yield f"Labels are complete up to {standing.watermark.isoformat(timespec='minutes')}."
    if score.estimated is not None:
        yield (
            f"Estimated without labels ({found.estimated_by}): {score.metric} {score.estimated}. An estimate "
            "trusts that labels depend on the features as they did on the holdout: it cannot see concept "
            f"drift, and decides nothing.{_how_good(found)}"
        )


def _how_good(found: Findings) -> str:
    """By how much estimates were off where the truth is known by now."""
    gaps = [
        abs(one.estimated.value - one.observed.value)
        for one in found.history
        if one.estimated is not None and one.observed is not None
    ]
    if not gaps:
        return ""
    return f" In {len(gaps)} windows with both it was off by {sum(gaps) / len(gaps):.4f} on average."


def _windows(found: Findings) -> str:
    again = {one.score.window.end for one in found.rescored}
    rows = [
        (
            str(one.window),
            one.version,
            _shown(one.observed),
            _shown(one.promise),
            _shown(one.estimated),
            f"{one.labels} of {one.answers} ({one.coverage:.0%})",
            _verdict(one) + (", scored again by this run" if one.window.end in again else ""),
        )
        for one in reversed(found.history[-_MOST_WINDOWS:])
    ]
    head = ("window", "model", "measured", "promised", "estimated", "labels", "verdict")
    return table("Window by window", head, rows)


def _verdict(score: WindowScore) -> str:
    return {"pass": "no decay", "fail": "decayed", "inconclusive": "not decided"}[score.outcome]


def _slices(found: Findings) -> str:
    if not found.slices:
        return ""
    points = tuple(Point(one.slice.name, one.lost, one.slice.labels) for one in found.slices[:_MOST_SLICES])
    drawn = figure(
        Figure(
            "forest",
            "What slices lost against their own promise",
            points,
            reference=0.0,
            note="In the metric's unit; to the right is worse. Intervals are those of each slice alone.",
        )
    )
    rows = [
        (
            one.slice.name,
            _shown(one.slice.observed),
            _shown(one.slice.promise),
            one.slice.labels,
            f"{one.p_value:.2g}",
            {"pass": "no decay", "fail": "decayed", "inconclusive": "not decided"}[one.outcome],
        )
        for one in found.slices[:_MOST_SLICES]
    ]
    head = ("slice", "measured", "promised", "labels", "p, corrected", "verdict")
    return f"<h2>Slices</h2>{drawn}" + table("Slice by slice", head, rows)


def _shown(estimate: Estimate | None) -> str:
    return "" if estimate is None else str(estimate)


def _age(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return f"{hours / 24:.3g} days" if hours >= 48 else f"{hours:.3g} hours"
