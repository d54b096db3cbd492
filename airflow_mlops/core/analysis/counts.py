"""What a stage counted, small enough for its ledger entry: the errors of the whole ramp are one evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_mlops.core.sequential import Events
from airflow_mlops.core.values import ArmObservation, Observation


@dataclass(frozen=True, slots=True)
class StageCounts:
    """Calls of both arms and how many failed. A call is what fails as a whole: a request, or the rows of one
    that fell on this arm; where a target does not count them, a row.

    ``share`` is the challenger's part of the calls as far as versions without a difference would share the
    errors: see ``of``.
    """

    share: float
    calls: int
    failed: int
    champion_calls: int = 0
    champion_failed: int = 0

    @classmethod
    def of(cls, observation: Observation) -> StageCounts | None:
        """Of a stage with a challenger that has a share of the calls; None of any other.

        A shadow sees the calls that the champion sees, so the share is a half. In a canary it is the weight
        that was asked for, which was set before any error. Where requests have many rows, and each is
        split, both arms are called for nearly every one: then an error may hit the challenger as often as
        its part of the calls says. The larger of the two overstates no evidence.
        """
        challenger = observation.challenger
        if challenger is None or (observation.mode != "shadow" and observation.weight <= 0):
            return None
        calls, failed = _calls(challenger)
        champion_calls, champion_failed = _calls(observation.champion)
        if observation.mode == "shadow":
            share = 0.5
        elif calls and champion_calls:
            share = max(observation.weight, calls / (calls + champion_calls))
        else:
            share = observation.weight
        return cls(share, calls, failed, champion_calls, champion_failed)

    @property
    def events(self) -> Events:
        return Events(self.share, self.failed, self.champion_failed)

    def to_json(self) -> dict[str, Any]:
        """For a ledger entry's data; ``from_json`` reads it again."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StageCounts:
        """Raises ``TypeError`` or ``ValueError`` for anything that ``to_json`` did not give."""
        counts = cls(**value)
        _ = counts.events
        return counts


def _calls(arm: ArmObservation | None) -> tuple[int, int]:
    if arm is None:
        return 0, 0
    if arm.calls is None or arm.failed_calls is None:
        return arm.rows, arm.errors
    return arm.calls, arm.failed_calls
