"""Do bad events fall on the challenger more often than its share of the calls?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log, log1p

from airflow_mlops.core.sequential.evidence import mixed

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""How many times the champion's rate the challenger may have: each is bet on with an equal part."""


@dataclass(frozen=True, slots=True)
class Events:
    """Bad events of one stage. ``share`` is the challenger's part of the calls, above 0, to 1."""

    share: float
    challenger: int
    champion: int

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"a challenger with a share of {self.share} of the calls has no events")
        if self.challenger < 0 or self.champion < 0:
            raise ValueError(f"{self.challenger} and {self.champion} events cannot be")


def excess_evidence(stages: Iterable[Events], *, tolerated: float = 1.0) -> float:
    """Evidence that the challenger's rate of events is more than ``tolerated`` times the champion's.

    Whose event the next one is depends on the two rates only: with a share ``w`` of the calls and ``r``
    times the rate, it is the challenger's with probability ``r w / (r w + 1 - w)``. So the likelihood ratio
    of ``r`` against ``tolerated``, multiplied over the events, needs neither rate; they may differ from hour
    to hour as long as they do so for both. A share that is set before the event is no obstacle, so a ramp's
    stages are multiplied into one (Robbins' mixture over ``RATIOS``, of the product; Johari, Koomen,
    Pekelis and Walsh, "Always valid inference", Operations Research 2022;70:1806).
    """
    if not tolerated > 0:
        raise ValueError(f"no rate is {tolerated} times another")
    stages = list(stages)
    return mixed([sum(_log_ratio(stage, ratio, tolerated) for stage in stages) for ratio in RATIOS])


def _log_ratio(stage: Events, ratio: float, tolerated: float) -> float:
    """Of a rate ``ratio`` times what is tolerated, against what is tolerated."""
    if stage.share == 1:  # every event is the challenger's, whatever the rates
        return 0.0
    odds = tolerated * stage.share / (1 - stage.share)
    unexpected = log1p(odds) - log1p(ratio * odds)
    return stage.challenger * (log(ratio) + unexpected) + stage.champion * unexpected
