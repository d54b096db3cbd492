"""Says what is happening, how far it is and how long it will take, on a terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

QUIET_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the demo and how long it took on two cores when it was last measured."""

    title: str
    seconds: float


@dataclass(slots=True)
class Pace:
    """How long yet: what the coming stages take, stretched by how this machine did so far."""

    stages: Sequence[Stage]
    current: int = 0

    def done_share(self, in_stage: float) -> float:
        """Between 0 and 1; ``in_stage`` is how long the current stage has been going on, in seconds."""
        total = sum(stage.seconds for stage in self.stages)
        return self._done(in_stage) / total if total else 1.0

    def seconds_left(self, elapsed: float, in_stage: float) -> float:
        """``elapsed`` counts from the start. The stretch is bounded: the first seconds say little."""
        done = self._done(in_stage)
        stretch = min(max(elapsed / done, 0.5), 3.0) if done > 30 else 1.0
        return (sum(stage.seconds for stage in self.stages) - done) * stretch

    def _done(self, in_stage: float) -> float:
        if self.current >= len(self.stages):
            return sum(stage.seconds for stage in self.stages)
        finished = sum(stage.seconds for stage in self.stages[: self.current])
        return finished + min(in_stage, 0.95 * self.stages[self.current].seconds)


class Narrator:
    """A live line and bar on a terminal; plain lines elsewhere."""

    def __init__(
        self, stages: Sequence[Stage], console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pace = Pace(stages)
        self._console = console
        self._clock = clock
        self._began = self._stage_began = clock()
        self._last_now, self._last_spoke = "", self._began
        self._live = _live_bar(console) if console.is_terminal else None
        self._bar = self._live.add_task("", total=1.0, left="") if self._live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def say(self, text: str) -> None:
        """A line that stays."""
        self._last_spoke = self._clock()
        left = "" if self._live else f" [dim]({self._left()})[/dim]"
        line = f"[dim]{clock_text(self.elapsed)}[/dim]  {escape(text)}{left}"
        # A log's reader may be wider or narrower than 80 columns.
        self._console.print(line, highlight=False, soft_wrap=self._live is None)

    def now(self, text: str) -> None:
        """What is happening at this moment. Without a terminal it is said only if it is new, and rarely."""
        if self._live and self._bar is not None:
            in_stage = self._clock() - self._stage_began
            self._live.update(
                self._bar,
                description=escape(text),
                completed=self._pace.done_share(in_stage),
                left=self._left(),
            )
        elif text != self._last_now and self._clock() - self._last_spoke >= QUIET_SECONDS:
            self.say(text)
        self._last_now = text

    def finish_stage(self) -> None:
        """The current stage is over."""
        self._pace.current += 1
        self._stage_began = self._clock()

    def _left(self) -> str:
        seconds = self._pace.seconds_left(self.elapsed, self._clock() - self._stage_began)
        if seconds < 45:
            return "less than a minute left"
        minutes = round(seconds / 60)
        return f"about {minutes} minute{'s' * (minutes != 1)} left"


def clock_text(seconds: float) -> str:
    """Minutes and seconds, as in 12:07."""
    return f"{int(seconds) // 60:2d}:{int(seconds) % 60:02d}"


def _live_bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[left]}", style="dim"),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
    )
