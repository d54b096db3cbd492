"""What every serving target holds to, as a suite of tests that a package with a target of its own runs.

    class TestOurTarget(ServingContract):
        @pytest.fixture
        def served(self): ...

``served`` is a ``ServedModel``: the model ``flights``, whose versions 1 to 3 take ``ROW`` and answer a
constant (version 2 answers 0.2), with version 1 as the champion and no rollout open. There is no version 404.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, TypeVar

import pytest

from airflow_mlops.backends.base import ServingTarget
from airflow_mlops.core.latencies import EDGES
from airflow_mlops.core.values import ArmObservation, ModelRef, Observation, Traffic
from airflow_mlops.exceptions import ModelRefused, RolloutRefused

FIRST, SECOND, THIRD = (ModelRef("flights", version) for version in "123")
NEVER_TRAINED = ModelRef("flights", "404")
ROW: Mapping[str, Any] = {"temp": 20.5, "carrier": "AA"}
T = TypeVar("T")
_NOTHING = ArmObservation("none", 0, 0)


class ServedModel(ABC):
    """A target under test and the way in for its users' requests. ``modes`` are those of ``shadow``,
    ``canary`` and ``sticky`` that it can do; tests of the others are skipped."""

    target: ServingTarget
    modes: Collection[str] = frozenset({"shadow", "canary", "sticky"})

    @abstractmethod
    def ask(self, count: int) -> list[dict[str, Any]]:
        """One answer per row of ``count`` rows like ``ROW``, each with the ``version`` that gave it."""

    def needs(self, mode: str) -> None:
        """Skips a test of what this target does not do."""
        if mode not in self.modes:
            pytest.skip(f"a {type(self.target).__name__} has no {mode}")

    def observed(self, rollout_id: str, rows: int) -> Observation:
        """What is seen once the challenger has answered so many rows: copies may still be under way."""
        return until(
            lambda: self.target.observe(rollout_id), lambda seen: (seen.challenger or _NOTHING).rows >= rows
        )


def until(look: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What a look finds once it holds, at most 30 seconds later."""
    deadline = time.monotonic() + 30
    while not holds(found := look()):
        assert time.monotonic() < deadline, f"it did not come about in 30 seconds: {found}"
        time.sleep(0.01)
    return found


class ServingContract:
    """The tests. Each gets its own ``served``, or one that was put back."""

    def test_at_first_the_champion_serves_alone(self, served: ServedModel) -> None:
        assert served.target.traffic() == Traffic(champion=FIRST)

    def test_a_smoke_test_predicts_with_the_candidate_and_changes_nothing(self, served: ServedModel) -> None:
        target = served.target
        rows = [
            ROW,
            {"temp": 1.5, "carrier": None},
            {"temp": float("nan"), "carrier": "BB"},
            {"temp": 3, "carrier": "CC"},
        ]
        assert target.smoke(SECOND, rows) == [0.2] * 4
        assert target.traffic() == Traffic(champion=FIRST)

    def test_a_candidate_is_brought_up_without_a_row_and_taken_down_by_its_rollout(
        self, served: ServedModel
    ) -> None:
        until(lambda: served.target.deploy("r", SECOND), lambda found: found.ready)
        assert replace(served.target.traffic(), rollout_id=None) == Traffic(champion=FIRST)
        assert {answer["version"] for answer in served.ask(20)} == {"1"}
        assert served.target.roll_back("r") == Traffic(champion=FIRST)
        with pytest.raises(ModelRefused, match="404"):
            until(lambda: served.target.deploy("s", NEVER_TRAINED), lambda _: False)
        assert served.target.roll_back("s") == Traffic(champion=FIRST)

    def test_a_candidate_that_cannot_be_served_is_refused_with_the_reason(self, served: ServedModel) -> None:
        target = served.target
        for refused in (
            lambda: target.smoke(NEVER_TRAINED, [ROW]),
            lambda: target.set_traffic("r", NEVER_TRAINED, **_least(served)),
            lambda: target.promote("r", NEVER_TRAINED),
        ):
            with pytest.raises(ModelRefused, match="404"):
                refused()
        with pytest.raises(ModelRefused, match="temp"):
            target.smoke(SECOND, [{"carrier": "AA"}])
        assert target.traffic() == Traffic(champion=FIRST)

    def test_traffic_is_what_was_set_and_setting_it_again_changes_nothing(self, served: ServedModel) -> None:
        target = served.target
        stages = (("shadow", 0.0), ("canary", 0.25), ("canary", 0.5))
        for mode, weight in (stage for stage in stages if stage[0] in served.modes):
            wanted = Traffic(FIRST, SECOND, mode, weight, "r")  # type: ignore[arg-type]  # a literal, from a table
            assert target.set_traffic("r", SECOND, mode=mode, weight=weight) == wanted
            since = target.observe("r").since
            assert target.set_traffic("r", SECOND, mode=mode, weight=weight) == wanted
            assert target.observe("r").since == since
            assert target.traffic() == wanted

    def test_a_second_rollout_is_refused_while_one_is_open(self, served: ServedModel) -> None:
        target = served.target
        target.set_traffic("r", SECOND, **_least(served))
        with pytest.raises(RolloutRefused, match="r of version 2 is open"):
            target.set_traffic("s", THIRD, **_least(served))
        with pytest.raises(RolloutRefused, match="r of version 2 is open"):
            target.promote("s", THIRD)
        assert target.traffic().challenger == SECOND

    def test_a_canary_takes_its_share_and_the_arms_add_up(self, served: ServedModel) -> None:
        served.needs("canary")
        started = datetime.now(timezone.utc)
        served.target.set_traffic("r", SECOND, mode="canary", weight=0.5)
        answers = served.ask(200)
        taken = sum(answer["version"] == "2" for answer in answers)
        assert 60 < taken < 140
        seen = served.target.observe("r")
        assert (seen.rollout_id, seen.mode, seen.weight) == ("r", "canary", 0.5)
        assert seen.since >= started
        assert seen.champion is not None
        assert seen.challenger is not None
        assert (seen.champion.version, seen.champion.rows) == ("1", 200 - taken)
        assert (seen.challenger.version, seen.challenger.rows, seen.challenger.errors) == ("2", taken, 0)
        assert seen.challenger.latency_p99_seconds is not None
        for arm in (seen.champion, seen.challenger):
            if arm.calls is not None:
                assert 0 < arm.calls <= arm.rows
                assert arm.failed_calls == 0
            if arm.latencies:
                assert len(arm.latencies) == len(seen.latency_edges or EDGES) + 1
                assert 0 < sum(arm.latencies) <= arm.rows

    def test_a_shadow_sees_every_row_and_answers_none(self, served: ServedModel) -> None:
        served.needs("shadow")
        served.target.set_traffic("r", THIRD, mode="shadow", weight=0.0)
        assert {answer["version"] for answer in served.ask(50)} == {"1"}
        seen = served.observed("r", 50)
        assert seen.challenger is not None
        assert seen.challenger.rows == 50
        assert seen.disagreements in (0, None)  # None: the target compares no answers

    def test_a_promoted_candidate_answers_everything_and_the_rollout_is_closed(
        self, served: ServedModel
    ) -> None:
        served.target.set_traffic("r", SECOND, **_furthest(served))
        for _ in range(2):
            assert served.target.promote("r", SECOND) == Traffic(champion=SECOND)
        assert {answer["version"] for answer in served.ask(20)} == {"2"}
        assert served.target.observe("r").mode == "none"

    def test_a_rolled_back_candidate_answers_nothing_and_rolling_back_again_is_no_error(
        self, served: ServedModel
    ) -> None:
        served.target.set_traffic("r", SECOND, **_furthest(served, 1.0))
        for _ in range(2):
            assert served.target.roll_back("r") == Traffic(champion=FIRST)
        assert {answer["version"] for answer in served.ask(20)} == {"1"}

    def test_rolling_back_another_rollout_leaves_the_open_one_alone(self, served: ServedModel) -> None:
        opened = served.target.set_traffic("r", SECOND, **_furthest(served))
        assert served.target.roll_back("s") == opened


def _least(served: ServedModel) -> dict[str, Any]:
    """The stage with the least traffic that this target knows."""
    if "shadow" in served.modes:
        return {"mode": "shadow", "weight": 0.0}
    return {"mode": "canary", "weight": 0.01}


def _furthest(served: ServedModel, weight: float = 0.5) -> dict[str, Any]:
    """The stage with the most traffic that this target knows."""
    if "canary" in served.modes:
        return {"mode": "canary", "weight": weight}
    return {"mode": "shadow", "weight": 0.0}
