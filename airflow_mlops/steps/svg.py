"""What figures are drawn with: SVG as text, and numbers on pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

INK, FAINT, BLUE, RED, GREY = "#1b1f24", "#d0d7de", "#0969da", "#cf222e", "#6e7781"
_LONGEST_NAME = 42


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from ``low`` to ``high`` on pixels from ``first`` to ``last``."""

    low: float
    high: float
    first: float
    last: float

    @classmethod
    def around(cls, values: Sequence[float], first: float, last: float) -> Scale:
        """With a little room at both ends."""
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


def svg(title: str, width: float, height: float, marks: Sequence[str]) -> str:
    """The picture of some marks; ``title`` is for who cannot see it."""
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:100%;max-width:{width:.0f}px">{"".join(marks)}</svg>'
    )


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1, dashes: str = "none"
) -> str:
    """A line, dashed where ``dashes`` says how."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-dasharray="{dashes}"/>'
    )


def dot(x: float, y: float, colour: str = BLUE, *, hollow: bool = False) -> str:
    """A filled dot, or a ring."""
    fill = "#ffffff" if hollow else colour
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>'


def box(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    """A filled rectangle that says what it is where the mouse rests."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
        f"<title>{escape(title)}</title></rect>"
    )


def text(x: float, y: float, words: str, anchor: str) -> str:
    """Text that is too long for its place is cut, and shown whole where the mouse rests."""
    shown = words if len(words) <= _LONGEST_NAME else f"{words[: _LONGEST_NAME - 1]}…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13" fill="{INK}">'
        f"<title>{escape(words)}</title>{escape(shown)}</text>"
    )
