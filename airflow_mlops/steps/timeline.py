"""Performance over windows as inline SVG: what was measured, what was only estimated, what was promised, and
how many labels stand behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite

from airflow_mlops.core.values import Estimate
from airflow_mlops.core.window_scores import WindowScore
from airflow_mlops.steps.svg import BLUE, FAINT, GREY, RED, Scale, box, dot, line, svg, text

_MOST = 60
_LEFT, _WIDTH, _TOP, _PLOT, _GAP, _BARS, _BOTTOM = 60, 800, 20, 260, 40, 60, 30
_BAND = "#cf222e12"
LEGEND = (
    "Filled dots are measured on labels, with their intervals; red ones have decayed. Grey rings with "
    "dashed intervals are estimates from the answers' own probabilities, which decide nothing. The dashed "
    "red line is what the champion of the window promised, with its own interval as a band, the dotted one "
    "the limit of the tolerance. Bars show the share of answers that have a label; a grey vertical line is "
    "where a detector fired."
)


def timeline(
    scores: Sequence[WindowScore], *, tolerance: float, higher_is_better: bool, fired: Sequence[datetime] = ()
) -> str:
    """The newest sixty windows at most; nothing where no number is known of any."""
    scores = [one for one in scores if _known(one)][-_MOST:]
    if not scores:
        return ""
    times = [moment.timestamp() for one in scores for moment in (one.window.start, one.window.end)]
    across = Scale(min(times), max(times), _LEFT, _LEFT + _WIDTH)
    fall = -tolerance if higher_is_better else tolerance
    values = [end for one in scores for end in _values(one, fall)]
    up = Scale.around(values, _TOP + _PLOT, _TOP)
    marks = [*_grid(up), *_dates(scores, across)]
    for moment in fired:
        if across.low <= moment.timestamp() <= across.high:
            x = across.at(moment.timestamp())
            marks.append(line(x, _TOP, x, _TOP + _PLOT, GREY))
    for one in scores:
        marks += [*_promise(one, fall, across, up), *_numbers(one, across, up), *_coverage(one, across)]
    height = _TOP + _PLOT + _GAP + _BARS + _BOTTOM
    return svg(f"{scores[-1].metric} over windows", _LEFT + _WIDTH + 20, height, marks)


def _known(score: WindowScore) -> list[Estimate]:
    found = (score.observed, score.estimated)
    return [one for one in found if one is not None and isfinite(one.value)]


def _values(score: WindowScore, fall: float) -> Iterator[float]:
    for one in _known(score):
        yield from (end for end in (one.low, one.value, one.high) if isfinite(end))
    if score.promise is not None:
        yield from (*_ends(score.promise), score.promise.value + fall)


def _grid(up: Scale) -> Iterator[str]:
    for tick in up.ticks():
        y = up.at(tick)
        yield line(_LEFT, y, _LEFT + _WIDTH, y, FAINT)
        yield text(_LEFT - 8, y + 4, f"{tick:g}", "end")


def _dates(scores: Sequence[WindowScore], across: Scale) -> Iterator[str]:
    """At most eight, each at the middle of its window."""
    bottom = _TOP + _PLOT + _GAP + _BARS
    step = -(-len(scores) // 8)
    for one in scores[::step]:
        yield text(_middle(one, across), bottom + 18, one.window.end.strftime("%Y-%m-%d"), "middle")
    yield text(_LEFT - 8, bottom - _BARS + 4, "100 %", "end")
    yield text(_LEFT - 8, bottom + 4, "0", "end")
    yield line(_LEFT, bottom, _LEFT + _WIDTH, bottom, FAINT)


def _promise(score: WindowScore, fall: float, across: Scale, up: Scale) -> Iterator[str]:
    if score.promise is None:
        return
    first, last = (across.at(moment.timestamp()) for moment in (score.window.start, score.window.end))
    y, (low, high) = up.at(score.promise.value), _ends(score.promise)
    yield box(first, up.at(high), last - first, up.at(low) - up.at(high), _BAND, f"promised: {score.promise}")
    yield line(first, y, last, y, RED, dashes="6 3")
    limit = up.at(score.promise.value + fall)
    yield line(first, limit, last, limit, RED, dashes="1 3")


def _ends(promise: Estimate) -> tuple[float, float]:
    """Of the band; none where the interval has no ends."""
    known = isfinite(promise.low) and isfinite(promise.high)
    return (promise.low, promise.high) if known else (promise.value, promise.value)


def _numbers(score: WindowScore, across: Scale, up: Scale) -> Iterator[str]:
    """The estimate a little to the right, so that neither hides the other."""
    x = _middle(score, across)
    if score.estimated is not None and isfinite(score.estimated.value):
        one = score.estimated
        yield line(x + 5, up.at(one.low), x + 5, up.at(one.high), GREY, dashes="3 2")
        yield dot(x + 5, up.at(one.value), GREY, hollow=True)
    if score.observed is not None and isfinite(score.observed.value):
        colour = RED if score.decayed else BLUE
        one = score.observed
        yield line(x, up.at(one.low), x, up.at(one.high), colour, width=2)
        yield dot(x, up.at(one.value), colour)


def _coverage(score: WindowScore, across: Scale) -> Iterator[str]:
    bottom = _TOP + _PLOT + _GAP + _BARS
    first, last = (across.at(moment.timestamp()) for moment in (score.window.start, score.window.end))
    tall, wide = _BARS * score.coverage, max(min(last - first - 2, 40.0), 1.0)
    told = f"{score.window}: {score.labels} of {score.answers} answers have a label"
    yield box((first + last - wide) / 2, bottom - _BARS, wide, _BARS, "#f6f8fa", told)
    yield box((first + last - wide) / 2, bottom - tall, wide, tall, BLUE, told)


def _middle(score: WindowScore, across: Scale) -> float:
    start, end = score.window.start.timestamp(), score.window.end.timestamp()
    return across.at((start + end) / 2)
