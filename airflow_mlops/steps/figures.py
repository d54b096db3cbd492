"""Figures of a report as inline SVG: forests of intervals and reliability diagrams. No scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from airflow_mlops.core.values import Estimate, Figure, Point
from airflow_mlops.steps.svg import BLUE, FAINT, RED, Scale, dot, line, svg, text

_MOST = 40
_LEFT, _PLOT, _RIGHT, _LINE, _TOP = 340, 360, 290, 24, 34
_SIDE, _MARGIN = 320, 52


def figure(drawn: Figure) -> str:
    """Heading, drawing and note; nothing where there is nothing to draw."""
    points = [point for point in drawn.points if isfinite(point.estimate.value)][:_MOST]
    if not points:
        return ""
    picture = _forest(drawn, points) if drawn.kind == "forest" else _reliability(drawn, points)
    left_out = len(drawn.points) - len(points)
    note = f"{drawn.note} {left_out} more are not drawn." if left_out else drawn.note
    return f"<h3>{escape(drawn.title)}</h3>{picture}<p><small>{escape(note)}</small></p>"


def _forest(drawn: Figure, points: Sequence[Point]) -> str:
    """One line a point: its name, its interval on a common axis, its numbers."""
    ends = [end for point in points for end in _ends(point.estimate)]
    if drawn.reference is not None:
        ends.append(drawn.reference)
    scale, bottom = Scale.around(ends, _LEFT, _LEFT + _PLOT), _TOP + _LINE * len(points)
    marks = []
    for tick in scale.ticks():
        x = scale.at(tick)
        marks += [line(x, _TOP - 6, x, bottom, FAINT), text(x, _TOP - 12, f"{tick:g}", "middle")]
    if drawn.reference is not None:
        x = scale.at(drawn.reference)
        marks.append(line(x, _TOP - 6, x, bottom, RED, dashes="4 3"))
    for row, point in enumerate(points):
        y = _TOP + _LINE * (row + 0.5)
        low, value, high = (scale.at(end) for end in _ends(point.estimate))
        rows = "" if point.rows is None else f", {point.rows} rows"
        marks += [
            text(_LEFT - 14, y + 4, point.name, "end"),
            line(low, y, high, y, BLUE, width=2),
            dot(value, y),
            text(_LEFT + _PLOT + 14, y + 4, f"{point.estimate}{rows}", "start"),
        ]
    return svg(drawn.title, _LEFT + _PLOT + _RIGHT, bottom + 8, marks)


def _reliability(drawn: Figure, points: Sequence[Point]) -> str:
    """What was observed over what was predicted; on the diagonal the two agree."""
    ends = [end for point in points for end in (*_ends(point.estimate), point.at or 0.0)]
    across = Scale.around(ends, _MARGIN, _MARGIN + _SIDE)
    up = Scale(across.low, across.high, _MARGIN / 2 + _SIDE, _MARGIN / 2)
    left, right, top, bottom = _MARGIN, _MARGIN + _SIDE, _MARGIN / 2, _MARGIN / 2 + _SIDE
    marks = []
    for tick in across.ticks():
        x, y = across.at(tick), up.at(tick)
        marks += [line(x, top, x, bottom, FAINT), text(x, bottom + 18, f"{tick:g}", "middle")]
        marks += [line(left, y, right, y, FAINT), text(left - 8, y + 4, f"{tick:g}", "end")]
    marks.append(line(left, bottom, right, top, RED, dashes="4 3"))
    for point in points:
        x = across.at(point.at or 0.0)
        low, value, high = (up.at(end) for end in _ends(point.estimate))
        marks += [line(x, low, x, high, BLUE, width=2), dot(x, value)]
    marks.append(text((left + right) / 2, bottom + 40, "predicted", "middle"))
    marks.append(text(left, top - 10, "observed", "middle"))
    return svg(drawn.title, right + _MARGIN, bottom + _MARGIN, marks)


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.low, estimate.value, estimate.high
