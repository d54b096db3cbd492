"""The drift page's drawings as inline SVG: histograms, a waterfall, and bars. No scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, fsum, log10

from airflow_mlops.core.shift.attribution import Attribution, Part
from airflow_mlops.core.shift.picture import Picture

_NAME, _PLOT, _NUMBERS, _LINE = 210, 560, 140, 26
_LONGEST = 30


def histogram(drawn: Picture, *, width: float = 220, height: float = 46, named: bool = False) -> str:
    """Bars of the reference behind, and of the window before them on the same scale. ``named`` has room for
    what stands below the bars."""
    top = max((*drawn.before, *drawn.after), default=0.0) or 1.0
    step, floor = width / max(len(drawn.before), 1), height - (16 if named or drawn.names else 14)
    marks = []
    for place, (before, after) in enumerate(zip(drawn.before, drawn.after, strict=True)):
        x, label = place * step, _bar_label(drawn, place)
        tall, short = ((floor - 2) * share / top for share in (before, after))
        marks.append(_bar(x + step * 0.06, floor - tall, step * 0.88, tall, "before", label))
        inner = 0.44 if drawn.names else 0.5
        marks.append(_bar(x + step * (1 - inner) / 2, floor - short, step * inner, short, "after", label))
    marks.append(_line(0, floor, width, floor, "axis"))
    if drawn.names and not named:
        marks.append(_text(0, height - 2, f"{len(drawn.names)} values", "start", "soft"))
    elif drawn.names:
        most = max(int(step / 7), 1)
        marks += [
            _text((place + 0.5) * step, height - 2, name, "middle", "soft", most)
            for place, name in enumerate(drawn.names)
        ]
    else:
        marks.append(_text(0, height - 2, f"{drawn.low:.4g}", "start", "soft"))
        marks.append(_text(width, height - 2, f"{drawn.high:.4g}", "end", "soft"))
    return _svg(f"{drawn.column}: reference and window", width, height, marks)


def waterfall(told: Attribution) -> str:
    """From the reference's mean to the window's, one step a part; whiskers say how sure a step is."""
    parts = [*told.features, *(part for part in told.rest if abs(part.change) > 1e-12)]
    ends, at = [told.reference, told.window], told.reference
    for part in parts:
        spread = [part.change if end is None else end for end in (part.low, part.high)]
        ends += [at + end for end in (*spread, part.change)]
        at += part.change
    scale = _Scale.around(ends, _NAME, _NAME + _PLOT)
    marks = [
        _text(_NAME + _PLOT + 70, 16, "change", "end", "soft"),
        _text(_NAME + _PLOT + 130, 16, "share", "end", "soft"),
        _end("reference", told.reference, scale, 1),
    ]
    at = told.reference
    for row, part in enumerate(parts, start=2):
        share = told.share(part.change)
        number = f"{part.change:+.{_decimals(parts)}f}"
        marks.append(_step(part, at, (number, share), scale, row, rest=part in told.rest))
        at = fsum([at, part.change])
    marks.append(_end("window", told.window, scale, len(parts) + 2))
    return _svg("What changed the mean score", _NAME + _PLOT + _NUMBERS, _LINE * (len(parts) + 3) + 8, marks)


def balance(value: float, most: float, *, width: float = 110) -> str:
    """One bar from the middle, to the right for up and to the left for down."""
    middle = width / 2
    long = 0.0 if most <= 0 else (middle - 2) * min(abs(value) / most, 1.0)
    bar = _bar(middle if value > 0 else middle - long, 3, long, 10, "up" if value > 0 else "down")
    return _svg(f"{value:+.3g}", width, 16, [bar, _line(middle, 0, middle, 16, "zero")])


def gauge(value: float, limit: float, *, bad: bool, width: float = 110) -> str:
    """A bar towards its limit, a dashed line at two thirds, or further left where the bar is far beyond."""
    most = max(value, limit * 1.5) or 1.0
    marks = [
        _bar(0, 3, width * min(max(value, 0.0) / most, 1.0), 10, "bad" if bad else "bar"),
        _line(width * limit / most, 0, width * limit / most, 16, "limit"),
    ]
    return _svg(f"{value:.3g}, limit {limit:.3g}", width, 16, marks)


def bars(values: Sequence[tuple[str, float]], *, width: float = 620) -> str:
    """Names and bars below each other, the first the longest."""
    most = max((value for _, value in values), default=0.0) or 1.0
    room = width - _NAME - 70
    marks = []
    for row, (name, value) in enumerate(values):
        y, long = row * 22, room * max(value, 0.0) / most
        marks.append(_text(_NAME - 10, y + 14, name, "end", "", _LONGEST))
        marks.append(_bar(_NAME, y + 4, long, 12, "after"))
        marks.append(_text(_NAME + long + 8, y + 14, f"{value:.3f}", "start", "soft"))
    return _svg("What tells the two apart", width, 22 * len(values) + 4, marks)


class _Scale:
    """Numbers on pixels."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self.low, self.high, self.first, self.last = low, high, first, last

    @classmethod
    def around(cls, values: Sequence[float], first: float, last: float) -> _Scale:
        low, high = min(values), max(values)
        room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        return cls(low - room, high + room, first, last)

    def at(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)


def _end(name: str, value: float, scale: _Scale, row: int) -> str:
    x, y = scale.at(value), row * _LINE
    return (
        _text(_NAME - 10, y + 18, f"{name} mean", "end", "soft")
        + _line(x, y + 4, x, y + _LINE, "sure")
        + _text(_NAME + _PLOT + 70, y + 18, f"{value:.4g}", "end")
    )


def _decimals(parts: Sequence[Part]) -> int:
    """So many that the largest change has three digits: one number of them for all, as below each other."""
    largest = max((abs(part.change) for part in parts), default=0.0)
    return min(max(2 - floor(log10(largest)), 0), 12) if largest > 0 else 2


def _step(
    part: Part, at: float, numbers: tuple[str, float | None], scale: _Scale, row: int, *, rest: bool
) -> str:
    change, share = numbers
    y, start, stop = row * _LINE, scale.at(at), scale.at(at + part.change)
    colour = "rest" if rest else "up" if part.change > 0 else "down"
    marks = [
        _line(start, y - 6, start, y + 8, "link"),
        _text(_NAME - 10, y + 18, part.name, "end", "soft" if rest else "", _LONGEST),
        _bar(min(start, stop), y + 6, max(abs(stop - start), 1.0), _LINE - 10, colour),
        _text(_NAME + _PLOT + 70, y + 18, change, "end"),
    ]
    if share is not None:
        marks.append(_text(_NAME + _PLOT + 130, y + 18, f"{share:.0%}", "end", "soft"))
    if part.low is not None and part.high is not None:
        low, high, middle = scale.at(at + part.low), scale.at(at + part.high), y + 6 + (_LINE - 10) / 2
        marks.append(_line(low, middle, high, middle, "sure"))
    return "".join(marks)


def _bar_label(drawn: Picture, place: int) -> str:
    if drawn.names:
        where = drawn.names[place]
    else:
        wide = (drawn.high - drawn.low) / len(drawn.before)
        where = f"{drawn.low + wide * place:.4g} to {drawn.low + wide * (place + 1):.4g}"
    return f"{where}: {drawn.before[place]:.1%}, now {drawn.after[place]:.1%}"


def _svg(title: str, width: float, height: float, marks: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(title)}" width="{width:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{"".join(marks)}</svg>'
    )


def _bar(x: float, y: float, width: float, height: float, kind: str, label: str = "") -> str:
    inner = f"<title>{escape(label)}</title>" if label else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}" class="{kind}">'
        f"{inner}</rect>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "", most: int = 80) -> str:
    """Text that is too long for its place is cut, and shown whole where the mouse rests."""
    shown = text if len(text) <= most else f"{text[: max(most - 1, 1)]}…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">'
        f"<title>{escape(text)}</title>{escape(shown)}</text>"
    )
