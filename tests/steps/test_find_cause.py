"""What of a monitor's reports is a cause, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_mlops.core.causes import known_causes
from airflow_mlops.core.values import ModelRef, Report
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.catalog import dump_request, run_step
from airflow_mlops.steps.find_cause import find_cause
from airflow_mlops.steps.requests import CauseRequest, Collected

DAY = Window(datetime(2026, 3, 1, tzinfo=timezone.utc), datetime(2026, 3, 2, tzinfo=timezone.utc))
COLLECTED = Collected(DAY, "file:///rows.parquet", 900, ModelRef("churn", "3"))
GOOD = Report("data_quality", "file:///quality.html", {"upstream_fault": None})
DRIFT = Report(
    "drift",
    "file:///drift.html",
    {"drifted": True, "share": 0.5, "reasons": ["age moved"], "columns": {"age": 0.4, "spend": float("nan")}},
)
DECAY = Report(
    "performance",
    "file:///performance.html",
    {"outcome": "fail", "reasons": ["roc_auc fell"], "metric": "roc_auc", "observed": 0.6, "promise": 0.7},
)


@pytest.fixture
def request_for(config, make_run):
    def make(report: Report, cause: Any, **more: Any) -> CauseRequest:
        run = make_run(50, dag="monitor")
        return replace(CauseRequest(config, run, COLLECTED, GOOD, report, cause), **more)

    return make


def test_drift_is_kept_in_the_ledger_with_report_features_window_and_scores(request_for, backends):
    event = find_cause(request_for(DRIFT, "drift"), backends)
    assert event is not None
    assert (event.cause, event.version, event.window) == ("drift", "3", DAY)
    assert (event.reports, event.features, event.scores) == (("file:///drift.html",), ("age",), {"age": 0.4})
    assert known_causes(backends.ledger.entries("churn"), ["drift"]) == [event]


def test_decay_says_what_was_observed_and_what_was_promised(request_for, backends):
    event = find_cause(request_for(DECAY, "decay"), backends)
    assert event is not None
    assert event.scores == {"roc_auc": 0.6, "roc_auc promised": 0.7}
    assert event.reasons == ("roc_auc fell",)


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        (replace(DRIFT, summary={**DRIFT.summary, "drifted": False}), "drift"),
        (replace(DECAY, summary={**DECAY.summary, "outcome": "inconclusive"}), "decay"),
        (replace(DECAY, summary={**DECAY.summary, "outcome": "pass"}), "decay"),
    ],
)
def test_nothing_found_is_no_cause(request_for, backends, report, cause):
    assert find_cause(request_for(report, cause), backends) is None
    assert known_causes(backends.ledger.entries("churn"), ["drift", "decay"]) == []


def test_data_that_came_in_broken_is_no_news_about_the_model(request_for, backends):
    fault = replace(GOOD, summary={"upstream_fault": "spend is all null"})
    assert find_cause(request_for(DRIFT, "drift", quality=fault), backends) is None
    assert find_cause(request_for(DRIFT, "drift", quality=None), backends) is not None


def test_a_backfill_finds_nothing_that_anybody_is_to_act_on(request_for, backends):
    asked = request_for(DRIFT, "drift")
    assert find_cause(replace(asked, run=replace(asked.run, kind="backfill")), backends) is None


def test_a_window_that_is_looked_at_again_is_one_cause(request_for, backends):
    asked = request_for(DRIFT, "drift")
    later = replace(asked.run, now=asked.run.now + timedelta(hours=2))
    by_hand = replace(later, key=replace(later.key, run_id="by hand"))
    for run in (asked.run, later, by_hand):
        find_cause(replace(asked, run=run), backends)
    assert len(known_causes(backends.ledger.entries("churn"), ["drift"])) == 1


def test_what_goes_into_an_event_is_small_and_plain_json(request_for, backends):
    many = {f"column_{number}": 1.0 - number / 1000 for number in range(500)}
    summary = {**DRIFT.summary, "columns": many, "reasons": [f"{name} moved" for name in many]}
    result = run_step(
        "find_cause", dump_request(request_for(replace(DRIFT, summary=summary), "drift")), backends
    )
    assert result is not None
    assert list(result["scores"]) == result["features"] == [f"column_{number}" for number in range(20)]
    assert len(result["reasons"]) == 10
    assert result["window"] == {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}
