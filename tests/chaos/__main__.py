"""``make chaos``: kill -9 at every change of a rollout, one rollout each, and a table of the outcomes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from .episodes import Outcome, first_model, rollout
from .killing import Kill, Victim
from .real_airflow import MOMENTS, real_airflow
from .site import ChaosSite, chaos_site


def main() -> int:
    """0 if no rule was broken."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--victims", nargs="+", choices=get_args(Victim), default=get_args(Victim))
    parser.add_argument("--every", type=int, default=1, help="only every n-th change")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    broken = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as home, chaos_site(Path(home)) as site:
        first_model(site)
        quiet = rollout(site, None)
        print(_line("killed", "at", "became", "ended by", "seconds", "answers", "away", "log"))
        _show(quiet)
        for outcome in _outcomes(site, len(quiet.changes), given.victims, given.every):
            broken += bool(outcome.faults)
            _show(outcome)
    print(f"\n{broken} rollouts broke a rule" if broken else "\nNo rule was broken.")
    return int(broken > 0)


def _outcomes(site: ChaosSite, changes: int, victims: list[Victim], every: int) -> Iterator[Outcome]:
    for victim in victims:
        if victim == "scheduler":
            with real_airflow(site) as airflow:
                yield from (airflow.rollout(number) for number in range(1, len(MOMENTS) + 1, every))
            continue
        for number in range(1, changes + 1, every):
            yield rollout(site, Kill(victim, number, after=False))
            yield rollout(site, Kill(victim, number, after=True))


def _show(outcome: Outcome) -> None:
    kill = "nothing" if outcome.kill is None else str(outcome.kill)
    verdict = "; ".join(outcome.faults) or "ok"
    seconds, answers, away = f"{outcome.seconds:.1f}", str(outcome.answered), str(outcome.unanswered)
    cells = (kill, outcome.at, outcome.became, outcome.ended_by, seconds, answers, away, verdict)
    print(_line(*cells), flush=True)
    for line in outcome.log if outcome.faults else ():
        print(f"    {line}")


def _line(*cells: str) -> str:
    widths = (15, 36, 12, 13, 8, 8, 5, 0)
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


if __name__ == "__main__":
    sys.exit(main())
