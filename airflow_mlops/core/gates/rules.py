"""What can be asked of a challenger: plain values, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_mlops.core.gates.bounds import DecideBy
from airflow_mlops.core.metrics import Direction, direction_of
from airflow_mlops.core.values import Estimate

Bootstrap = Literal["thresholds_only", "refuse"]
Incompatible = Literal["hold", "first_model"]
Tie = Literal["newer", "champion"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """The challenger's own value must lie between two bounds, in the metric's unit, both included."""

    metric: str
    minimum: float | None = None
    maximum: float | None = None
    decide_by: DecideBy = "value"

    def __post_init__(self) -> None:
        _check_bounds(f"the threshold on {self.metric}", self.minimum, self.maximum)


@dataclass(frozen=True, slots=True)
class AgainstChampion:
    """The challenger against the champion on the same rows: no worse by more than ``margin``, or better by at
    least ``improvement`` where that is given.

    Both are in the metric's unit, or with ``relative`` a share of the champion's value. A margin of 0 asks
    for proof of no loss at all: an equally good challenger is then held nearly always, because the interval
    of a difference of zero straddles zero. ``on_tie`` says who stays where the challenger is proven no worse
    but not proven better: the newer model, which has seen newer data, or the champion. ``direction`` is that
    of a metric of somebody's own.
    """

    metric: str
    margin: float = 0.0
    improvement: float | None = None
    relative: bool = False
    on_tie: Tie = "newer"
    decide_by: DecideBy = "interval"
    direction: Direction | None = None

    def __post_init__(self) -> None:
        direction_of(self.metric, self.direction)
        if not self.margin >= 0:
            raise ValueError(f"the margin on {self.metric} is {self.margin}; it must be zero or more")
        if self.improvement is not None and not self.improvement >= 0:
            raise ValueError(
                f"the improvement on {self.metric} is {self.improvement}; it must be zero or more"
            )

    def most_lost(self, champion: float) -> float:
        """The largest loss that passes, in the metric's unit; below zero where a gain is asked for."""
        asked = self.margin if self.improvement is None else -self.improvement
        return asked * abs(champion) if self.relative else asked


@dataclass(frozen=True, slots=True)
class Measured:
    """Every number that was measured for the rule called ``label`` must lie within the bounds.

    A verdict that was found with the measurement (a gate of the user's own, training that did not converge)
    counts as well; a rule without bounds goes by it alone. ``judges_first`` says that the rule is enough to
    hold a first model to, which has no champion to beat. Numbers ``against_champion`` are there only where
    there is one.
    """

    label: str
    minimum: float | None = None
    maximum: float | None = None
    decide_by: DecideBy = "interval"
    judges_first: bool = False
    against_champion: bool = False

    def __post_init__(self) -> None:
        if (self.minimum, self.maximum) != (None, None):
            _check_bounds(f"the gate {self.label}", self.minimum, self.maximum)


Rule = Threshold | AgainstChampion | Measured


def loss(metric: str, difference: Estimate, direction: Direction | None = None) -> Estimate:
    """How much worse, in the metric's unit, a difference (new minus old) is; below zero is better.

    ``direction`` is that of a metric of somebody's own. Raises ``ValueError`` where it is unknown.
    """
    if direction_of(metric, direction) == "higher":
        return Estimate(-difference.value, -difference.high, -difference.low)
    return difference


def _check_bounds(what: str, minimum: float | None, maximum: float | None) -> None:
    if minimum is None and maximum is None:
        raise ValueError(f"{what} has no bound: give a minimum or a maximum")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValueError(f"{what} can never be met: minimum {minimum} is above maximum {maximum}")
