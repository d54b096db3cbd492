"""Wherever a healing is killed: the ledger says no more than is true, and the next run finishes it once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.values import ModelRef, Report, RunInfo, RunKey, Traffic
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.steps.plan_healing import plan_healing
from airflow_mlops.steps.requests import Collected, HealRequest, ReverseRequest
from airflow_mlops.steps.reverse import reverse

from .outside import MODEL, NOW, Backends, Disturbance, Killed, Lost, Outside

WINDOW = Window(NOW - timedelta(days=1), NOW)


@pytest.fixture(scope="module")
def healing(config: ModelConfig) -> ModelConfig:
    part = config.healing.model_copy(update={"enabled": True, "roll_back": True})
    return config.model_copy(update={"healing": part})


def decayed() -> Outside:
    """Version 2 serves, and version 1 did before it."""
    outside = Outside()
    for hour, version in enumerate(("1", "2")):
        outside.entries[version] = Entry(
            MODEL, "promoted", version, NOW + timedelta(hours=hour), "churn.deploy", f"d{version}"
        )
    outside.aliases["champion"] = "2"
    outside.state = Traffic(ModelRef(MODEL, "2"))
    return outside


def attempt(outside: Outside, config: ModelConfig, number: int, run_id: str, outcome: str = "fail") -> None:
    """One try of the task: plan it, and put the version back."""
    run = RunInfo(
        key=RunKey("churn.monitor", run_id),
        kind="scheduled",
        sources=WindowSources(),
        now=NOW + timedelta(days=1, minutes=number),
        config_digest="d1",
    )
    collected = Collected(WINDOW, "u", 200, ModelRef(MODEL, outside.aliases["champion"]))
    quality = Report("data_quality", "q", {"upstream_fault": None})
    performance = Report("performance", "p", {"outcome": outcome, "reasons": ["roc_auc 0.5"]})
    backends: Any = Backends(outside)
    found = plan_healing(HealRequest(config, run, collected, quality, performance), backends)
    if found is not None:
        reverse(ReverseRequest(config, run, "decay is proven", found.version), backends)


def heal(outside: Outside, config: ModelConfig, outcome: str = "fail") -> None:
    """Tries of one run as long as it is only killed; another run where it is lost."""
    run = 0
    for number in range(30):
        try:
            attempt(outside, config, number, f"m{run}", outcome if number else "fail")
        except (Killed, BackendUnavailable):
            pass
        except Lost:
            run += 1
        else:
            return
        finally:
            tells_the_truth(outside)
    raise AssertionError("it never came to an end")


def kinds(outside: Outside) -> list[str]:
    return [entry.kind for entry in outside.entries.values()]


def tells_the_truth(outside: Outside) -> None:
    if "healed" in kinds(outside):
        assert outside.state.champion == ModelRef(MODEL, "1")
        assert outside.aliases["champion"] == "1"


def check(outside: Outside) -> None:
    assert (kinds(outside).count("healed"), kinds(outside).count("reversed")) == (1, 1)
    assert open_reversal(outside.entries.values()) is None
    assert outside.aliases["champion"] == "1"
    assert outside.state == Traffic(ModelRef(MODEL, "1"))


def calls(config: ModelConfig) -> int:
    outside = decayed()
    heal(outside, config)
    check(outside)
    return outside.calls


@pytest.mark.parametrize(
    "what", ["killed before", "killed after", "run lost before", "run lost after", "away"]
)
def test_a_healing_that_is_killed_at_any_call_is_finished_once(
    healing: ModelConfig, what: Disturbance
) -> None:
    for place in range(1, calls(healing) + 1):
        outside = decayed()
        outside.plan = {place: what}
        heal(outside, healing)
        attempt(outside, healing, 40, "another", outcome="inconclusive")
        check(outside)


crashes = st.dictionaries(
    st.integers(1, 60),
    st.sampled_from(["killed before", "killed after", "run lost before", "run lost after"]),
    max_size=6,
)


@given(plan=crashes)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nor_does_it_matter_how_often(healing: ModelConfig, plan: Mapping[int, Disturbance]) -> None:
    outside = decayed()
    outside.plan = dict(plan)
    heal(outside, healing)
    check(outside)


def test_what_was_only_intended_goes_on_where_the_next_window_cannot_tell_and_not_where_it_is_sound(
    healing: ModelConfig,
) -> None:
    for outcome, back in (("inconclusive", True), ("pass", False)):
        outside = decayed()
        first = next(number for number in range(1, 20) if _intends(healing, number))
        outside.plan = {first: "run lost after"}
        with pytest.raises(Lost):
            attempt(outside, healing, 0, "m0")
        assert kinds(outside)[-1] == "healing_intended"
        attempt(outside, healing, 1, "m1", outcome)
        assert ("healed" in kinds(outside)) is back


def _intends(config: ModelConfig, number: int) -> bool:
    outside = decayed()
    outside.plan = {number: "run lost after"}
    try:
        attempt(outside, config, 0, "m0")
    except Lost:
        return kinds(outside)[-1] == "healing_intended"
    return False
