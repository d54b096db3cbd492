"""Figures of a report as inline SVG: forests of intervals and reliability diagrams. No scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

from airflow_mlops.core.values import Estimate, Figure, Point

_MOST = 40
_LEFT, _PLOT, _RIGHT, _LINE, _TOP = 340, 360, 290, 24, 34
_SIDE, _MARGIN = 320, 52
_INK, _FAINT, _BLUE, _RED = "#1b1f24", "#d0d7de", "#0969da", "#cf222e"
_LONGEST_NAME = 42


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
    scale, bottom = _Scale.around(ends, _LEFT, _LEFT + _PLOT), _TOP + _LINE * len(points)
    marks = []
    for tick in scale.ticks():
        x = scale.at(tick)
        marks += [_line(x, _TOP - 6, x, bottom, _FAINT), _text(x, _TOP - 12, f"{tick:g}", "middle")]
    if drawn.reference is not None:
        x = scale.at(drawn.reference)
        marks.append(_line(x, _TOP - 6, x, bottom, _RED, dashes="4 3"))
    for row, point in enumerate(points):
        y = _TOP + _LINE * (row + 0.5)
        low, value, high = (scale.at(end) for end in _ends(point.estimate))
        rows = "" if point.rows is None else f", {point.rows} rows"
        marks += [
            _text(_LEFT - 14, y + 4, point.name, "end"),
            _line(low, y, high, y, _BLUE, width=2),
            _dot(value, y),
            _text(_LEFT + _PLOT + 14, y + 4, f"{point.estimate}{rows}", "start"),
        ]
    return _svg(drawn.title, _LEFT + _PLOT + _RIGHT, bottom + 8, marks)


def _reliability(drawn: Figure, points: Sequence[Point]) -> str:
    """What was observed over what was predicted; on the diagonal the two agree."""
    ends = [end for point in points for end in (*_ends(point.estimate), point.at or 0.0)]
    across = _Scale.around(ends, _MARGIN, _MARGIN + _SIDE)
    up = _Scale(across.low, across.high, _MARGIN / 2 + _SIDE, _MARGIN / 2)
    left, right, top, bottom = _MARGIN, _MARGIN + _SIDE, _MARGIN / 2, _MARGIN / 2 + _SIDE
    marks = []
    for tick in across.ticks():
        x, y = across.at(tick), up.at(tick)
        marks += [_line(x, top, x, bottom, _FAINT), _text(x, bottom + 18, f"{tick:g}", "middle")]
        marks += [_line(left, y, right, y, _FAINT), _text(left - 8, y + 4, f"{tick:g}", "end")]
    marks.append(_line(left, bottom, right, top, _RED, dashes="4 3"))
    for point in points:
        x = across.at(point.at or 0.0)
        low, value, high = (up.at(end) for end in _ends(point.estimate))
        marks += [_line(x, low, x, high, _BLUE, width=2), _dot(x, value)]
    marks.append(_text((left + right) / 2, bottom + 40, "predicted", "middle"))
    marks.append(_text(left, top - 10, "observed", "middle"))
    return _svg(drawn.title, right + _MARGIN, bottom + _MARGIN, marks)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Numbers from ``low`` to ``high`` on pixels from ``first`` to ``last``."""

    low: float
    high: float
    first: float
    last: float

    @classmethod
    def around(cls, values: Sequence[float], first: float, last: float) -> _Scale:
        finite = [value for value in values if isfinite(value)]
        low, high = min(finite), max(finite)
        room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        return cls(low - room, high + room, first, last)

    def at(self, value: float) -> float:
        """The pixel of a number; of one that is beyond the ends, the end's."""
        held = min(max(value, self.low), self.high)
        return self.first + (held - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Four to eight round numbers."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** floor(log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.75)
        first, last = ceil(self.low / step), floor(self.high / step)
        return [round(number * step, 12) for number in range(first, last + 1)]


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.low, estimate.value, estimate.high


def _svg(title: str, width: float, height: float, marks: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:100%;max-width:{width:.0f}px">{"".join(marks)}</svg>'
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1, dashes: str = "none"
) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-dasharray="{dashes}"/>'
    )


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_BLUE}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    """Text that is too long for its place is cut, and shown whole where the mouse rests."""
    shown = text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13" fill="{_INK}">'
        f"<title>{escape(text)}</title>{escape(shown)}</text>"
    )
