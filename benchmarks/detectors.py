"""How often does a detector cry wolf, and how soon does it see that the loss has risen? Ours beside river's.

    python benchmarks/detectors.py [--streams 200]

A stream is a holdout of 14 batches and 150 batches that were served; at the 90th the loss rises by so many
standard deviations of a batch and stays there. Batches are independent, or depend on the one before
(autocorrelation 0.4), as those of one week do. Each detector has its defaults of the YAML and is fed as the
monitor feeds it. Printed are, for each: the share of streams with a false alarm in the 90 quiet batches, the
share of rises that were found, and the batches until then (median).

Then the same rows without batches: 200 rows a batch whose errors share their batch's bad luck, row by row
into river's detectors, which is why detectors here read batches. And the time of both on equal streams of
batches, with the bare loop that reads them as the floor. The bar: a false alarm in at most 10 % of the
streams of independent batches for each default, in at most 2 % for the one that is on by default.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from statistics import median
from typing import Any

from river.drift import ADWIN, KSWIN, PageHinkley
from river.drift.binary import DDM, EDDM

from airflow_mlops.config.parts.monitor_performance import Performance
from airflow_mlops.core.detectors import Adwin, Batch, Watched, watch

HOLDOUT, SERVED, CHANGE, ROWS = 14, 150, 90, 200
NAMES = ("adwin", "page_hinkley", "kswin", "ddm", "eddm")
ON_BY_DEFAULT = "adwin"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Detectors of concept drift, on streams with a known change."
    )
    parser.add_argument("--streams", type=int, default=200)
    streams = parser.parse_args().streams
    print(f"{streams} streams each; a rise after {CHANGE} batches that were served")
    print(f"{'detector':14}{'batches':>16}{'rise':>6}{'false alarms':>14}{'found':>8}{'batches until':>15}")
    quiet: dict[str, float] = {}
    for name in NAMES:
        for told, rho, rise in (
            ("independent", 0.0, 1.5),
            ("independent", 0.0, 3.0),
            ("dependent", 0.4, 1.5),
        ):
            one = tried(name, rho, rise, streams)
            delay = "-" if one.delay is None else f"{one.delay:.0f}"
            print(f"{name:14}{told:>16}{rise:>6}{one.false:>13.1%} {one.found:>7.0%}{delay:>15}")
            if rho == 0.0:
                quiet[name] = max(quiet.get(name, 0.0), one.false)
    print()
    by_rows(max(streams // 100, 2))
    print()
    speed()
    is_met = max(quiet.values()) <= 0.10 and quiet[ON_BY_DEFAULT] <= 0.02
    print(f"the bar is {'met' if is_met else 'NOT met'}")
    return 0 if is_met else 1


@dataclass(frozen=True)
class Tried:
    false: float
    found: float
    delay: float | None


def tried(name: str, rho: float, rise: float, streams: int) -> Tried:
    false, delays = 0, []
    for seed in range(streams):
        levels = stream(seed, rho, rise)
        holdout, served = batches(levels[:HOLDOUT], 0), batches(levels[HOLDOUT:], HOLDOUT)
        false += watch(made(name), holdout, served[:CHANGE], served[0].start).fired
        delays.append(delay_of(name, holdout, served))
    found = [delay for delay in delays if delay is not None]
    return Tried(false / streams, len(found) / streams, median(found) if found else None)


def delay_of(name: str, holdout: Sequence[Batch], served: Sequence[Batch]) -> int | None:
    """Batches from the rise to the first alarm after it."""
    changed = served[CHANGE].start
    if not watch(made(name), holdout, served, changed).fired:
        return None
    low, high = CHANGE, len(served)
    while low < high:  # an alarm of some batches is one of more: a search for the first
        middle = (low + high) // 2
        if watch(made(name), holdout, served[: middle + 1], changed).fired:
            high = middle
        else:
            low = middle + 1
    return low - CHANGE + 1


def made(name: str) -> Watched:
    """With the defaults of the YAML."""
    return Performance(metric="roc_auc", detectors=(name,)).detectors[0].watched


def stream(seed: int, rho: float, rise: float) -> list[float]:
    random, level, found = Random(seed), 0.0, []
    for place in range(HOLDOUT + SERVED):
        level = rho * level + (1 - rho * rho) ** 0.5 * random.gauss(0.0, 1.0)
        found.append(level + (rise if place >= HOLDOUT + CHANGE else 0.0))
    return found


def batches(levels: Sequence[float], first: int) -> list[Batch]:
    return [Batch(START + timedelta(days=first + day), loss, ROWS) for day, loss in enumerate(levels)]


def by_rows(streams: int) -> None:
    """Alarms a stream where nothing changes, on rows whose rate of errors moves a little from day to day."""
    print(f"alarms a stream without any change, {SERVED} days of {ROWS} rows, fed row by row (river):")
    makers: dict[str, Callable[[], Any]] = {
        "adwin": ADWIN, "page_hinkley": lambda: PageHinkley(threshold=15), "kswin": lambda: KSWIN(seed=0),
        "ddm": DDM, "eddm": EDDM,
    }  # fmt: skip
    for name, make in makers.items():
        alarms = 0
        for seed in range(streams):
            random, detector = Random(seed), make()
            for _ in range(SERVED):
                rate = min(max(random.gauss(0.25, 0.06), 0.02), 0.98)
                for _ in range(ROWS):
                    detector.update(int(random.random() < rate))
                    alarms += bool(detector.drift_detected)
        print(f"  {name:14}{alarms / streams:8.1f}")


def speed() -> None:
    levels = [stream(seed, 0.0, 0.0) for seed in range(100)]
    floor = timed(levels, lambda: _Nothing().update)
    ours = timed(levels, lambda: Adwin().update)
    rivers = timed(levels, lambda: ADWIN(clock=1, max_buckets=500, min_window_length=5).update)
    print(
        f"ADWIN over {len(levels)} streams of batches: ours {ours:.2f} s, river {rivers:.2f} s, "
        f"bare loop {floor:.4f} s; ours / river = {ours / rivers:.2f}"
    )


class _Nothing:
    def update(self, value: float) -> None:
        """Read it."""


def timed(levels: Iterable[Sequence[float]], make: Callable[[], Callable[[float], object]]) -> float:
    began = time.process_time()
    for some in levels:
        update = make()
        for value in some:
            update(value)
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
