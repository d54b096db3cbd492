"""What of a monitor's reports is a cause, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_mlops.core.causes import known_causes
from airflow_mlops.core.ledger import Entry
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
    found = find_cause(request_for(DRIFT, "drift"), backends)
    assert found is not None
    (event,) = found.causes
    assert (event.cause, event.version, event.window) == ("drift", "3", DAY)
    assert (event.reports, event.features, event.scores) == (("file:///drift.html",), ("age",), {"age": 0.4})
    assert known_causes(backends.ledger.entries("churn"), ["drift"]) == [event]


def test_decay_says_what_was_observed_and_what_was_promised(request_for, backends):
    found = find_cause(request_for(DECAY, "decay"), backends)
    assert found is not None
    (event,) = found.causes
    assert event.scores == {"roc_auc": 0.6, "roc_auc promised": 0.7}
    assert event.reasons == ("roc_auc fell",)


def test_features_are_those_that_have_drifted_and_slices_those_that_moved_most(request_for, backends):
    summary = {
        **DRIFT.summary,
        "columns": {"age": 0.4, "spend": 0.05},
        "looks": {"age": {"drifted": True}, "spend": {"drifted": False}},
        "slices": [{"slice": "plan = pro", "share": 0.5}],
    }
    found = find_cause(request_for(replace(DRIFT, summary=summary), "drift"), backends)
    assert found is not None
    (event,) = found.causes
    assert (event.features, event.scores) == (("age",), {"age": 0.4, "spend": 0.05})
    assert event.slices == ("plan = pro",)


def test_decay_of_earlier_windows_whose_labels_have_landed_is_found_in_each(request_for, backends):
    again = {
        "window": ["2026-02-01T00:00:00+00:00", "2026-02-02T00:00:00+00:00"],
        "version": "2",
        "outcome": "fail",
        "observed": 0.55,
        "promise": 0.7,
        "reasons": ["roc_auc was 0.55"],
    }
    passed = {**again, "outcome": "pass"}
    summary = {**DECAY.summary, "outcome": "inconclusive", "rescored": [again, passed]}
    late = replace(DECAY, summary=summary)
    found = find_cause(request_for(late, "decay"), backends)
    assert found is not None
    (event,) = found.causes
    assert (event.version, event.scores) == ("2", {"roc_auc": 0.55, "roc_auc promised": 0.7})
    assert str(event.window) == "2026-02-01 to 2026-02-02"
    both = find_cause(request_for(replace(late, summary={**summary, "outcome": "fail"}), "decay"), backends)
    assert both is not None
    assert [one.version for one in both.causes] == ["2", "3"]
    assert len(known_causes(backends.ledger.entries("churn"), ["decay"])) == 2


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


def test_an_earlier_window_that_came_in_broken_is_no_news_and_a_good_one_is_though_the_present_is_broken(
    request_for, backends
):
    def again(day):
        window = Window(
            datetime(2026, 2, day, tzinfo=timezone.utc), datetime(2026, 2, day + 1, tzinfo=timezone.utc)
        )
        told = {"outcome": "fail", "version": "2", "reasons": [f"it fell on day {day}"]}
        return window, {**told, "window": [window.start.isoformat(), window.end.isoformat()]}

    (bad, bad_again), (_, good_again) = again(3), again(5)
    entry = Entry("churn", "monitored", "w", bad.end, "churn.monitor", "r0", window=bad)
    backends.ledger.append(replace(entry, data={"upstream_fault": "spend is all null"}))
    late = replace(DECAY, summary={**DECAY.summary, "rescored": [bad_again, good_again]})
    fault = replace(GOOD, summary={"upstream_fault": "age is all null"})
    found = find_cause(request_for(late, "decay", quality=fault), backends)
    assert found is not None
    assert found.reasons == ("it fell on day 5",)


def test_a_backfill_finds_nothing_that_anybody_is_to_act_on(request_for, backends):
    asked = request_for(DRIFT, "drift")
    assert find_cause(replace(asked, run=replace(asked.run, kind="backfill")), backends) is None


def test_a_window_that_is_looked_at_again_is_one_cause_of_which_nobody_is_told_again(request_for, backends):
    asked = request_for(DRIFT, "drift")
    first = find_cause(asked, backends)
    retried = replace(asked.run, now=asked.run.now + timedelta(hours=2))
    again = find_cause(replace(asked, run=retried), backends)
    assert first is not None
    assert again is not None, "a retry has not told anybody yet"
    by_hand = replace(retried, key=replace(retried.key, run_id="by hand"))
    assert find_cause(replace(asked, run=by_hand), backends) is None
    assert len(known_causes(backends.ledger.entries("churn"), ["drift"])) == 1


def test_what_goes_into_an_event_is_small_and_plain_json(request_for, backends):
    many = {f"column_{number}": 1.0 - number / 1000 for number in range(500)}
    summary = {**DRIFT.summary, "columns": many, "reasons": [f"{name} moved" for name in many]}
    result = run_step(
        "find_cause", dump_request(request_for(replace(DRIFT, summary=summary), "drift")), backends
    )
    assert result is not None
    (cause,) = result["causes"]
    assert list(cause["scores"]) == cause["features"] == [f"column_{number}" for number in range(20)]
    assert len(result["reasons"]) == len(cause["reasons"]) == 10
    assert cause["window"] == {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}
