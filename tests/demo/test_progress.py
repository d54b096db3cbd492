"""What a watcher of the demo is told, on a terminal and in a log."""

from __future__ import annotations

import io

from rich.console import Console

from airflow_mlops.cli.demo.progress import Narrator, Pace, Stage

STAGES = [Stage("start", 40), Stage("first champion", 60), Stage("April", 100)]


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def narrated(terminal: bool, clock: Clock) -> tuple[Narrator, io.StringIO]:
    told = io.StringIO()
    return Narrator(STAGES, Console(file=told, force_terminal=terminal, width=120), clock), told


def test_at_the_start_the_measured_times_are_told() -> None:
    assert Pace(STAGES).seconds_left(0, 0) == 200


def test_a_machine_half_as_fast_is_told_twice_the_time() -> None:
    pace = Pace(STAGES, current=1)
    assert pace.seconds_left(elapsed=80, in_stage=0) == 2 * 160


def test_a_stage_that_takes_longer_than_measured_is_never_called_finished() -> None:
    pace = Pace(STAGES, current=2)
    assert pace.done_share(in_stage=10_000) < 1
    assert pace.seconds_left(elapsed=300, in_stage=10_000) > 0


def test_all_stages_done_is_all_done() -> None:
    pace = Pace(STAGES, current=3)
    assert pace.done_share(0) == 1
    assert pace.seconds_left(500, 0) == 0


def test_in_a_log_a_line_says_when_what_and_how_long_yet() -> None:
    clock = Clock()
    narrator, told = narrated(terminal=False, clock=clock)
    with narrator:
        clock.now += 65
        narrator.say("First champion serving: version 1 [really]")
    line = " ".join(told.getvalue().split())
    assert line == "1:05 First champion serving: version 1 [really] (about 5 minutes left)"


def test_in_a_log_small_steps_are_told_only_when_it_was_quiet_for_long() -> None:
    clock = Clock()
    narrator, told = narrated(terminal=False, clock=clock)
    with narrator:
        for step in range(40):
            clock.now += 1
            narrator.now(f"requests ({step} %)")
    assert len(told.getvalue().splitlines()) == 2


def test_on_a_terminal_there_is_a_bar_and_what_is_happening() -> None:
    clock = Clock()
    narrator, told = narrated(terminal=True, clock=clock)
    with narrator:
        narrator.now("flight_delay.train: validate")
        narrator.finish_stage()
    assert "flight_delay.train: validate" in told.getvalue()
    assert "left" in told.getvalue()
