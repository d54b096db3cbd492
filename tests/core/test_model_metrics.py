"""The numbers of a model's ledger, and of a step's result."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.model_metrics import FAMILIES, Sample, ledger_samples
from airflow_mlops.core.step_metrics import result_samples
from airflow_mlops.core.windows import Window

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def entry(
    kind: EntryKind, day: int = 0, subject: str = "3", reasons: tuple[str, ...] = (), **data: Any
) -> Entry:
    end = START + day * DAY
    return Entry(
        model="churn",
        kind=kind,
        subject=subject,
        at=end + timedelta(hours=1),
        dag_id="churn.monitor",
        run_id=f"{kind} {day}",
        version="3",
        reasons=reasons,
        window=Window(end - DAY, end),
        data=data,
    )


def window(day: int, **found: Any) -> Entry:
    clean = {"drifted": False, "decayed": False, "upstream_fault": None, "drift_share": 0.1, "action": "keep"}
    return entry("monitored", day, f"window {day}", **{**clean, "rows": 100, **found})


def numbers(*entries: Entry) -> dict[tuple[str, ...], float]:
    return {(sample.name, *sample.labels): float(sample.value) for sample in ledger_samples(entries)}


def test_the_champion_is_told_with_its_number_and_since_when() -> None:
    found = numbers(entry("promoted", 1, "3"), entry("promoted", 2, "4"))
    assert found["champion_info", "4"] == 1
    assert ("champion_info", "3") not in found
    assert found["champion_version",] == 4
    assert found["champion_since_timestamp_seconds",] == (START + 2 * DAY + timedelta(hours=1)).timestamp()
    assert found["rollouts_total", "promoted"] == 2


def test_a_window_that_knows_nothing_of_a_number_leaves_the_one_before_it() -> None:
    found = numbers(
        window(
            1, drifted=True, drift_share=0.5, decayed=True, coverage=0.8, expected_coverage=0.9, observed=0.7,
            metric="roc_auc",
        ),
        window(2, drift_share=None, decayed=None, coverage=None, rows=7),
    )  # fmt: skip
    assert found["drifted",] == found["decayed",] == 1
    assert (found["drifted_columns_ratio",], found["label_coverage_ratio",]) == (0.5, 0.8)
    assert found["observed_metric", "roc_auc"] == 0.7
    assert found["label_coverage_expected_ratio",] == 0.9
    assert found["window_rows",] == 7
    assert found["window_end_timestamp_seconds",] == (START + 2 * DAY).timestamp()
    assert found["window_seconds",] == 86_400


def test_what_was_never_known_is_no_zero() -> None:
    found = numbers(window(1, decayed=None))
    assert ("decayed",) not in found
    assert ("champion_version",) not in found
    assert found["reversals_total",] == 0


def test_a_window_that_is_looked_at_again_counts_once_and_with_its_latest_rows() -> None:
    again = entry("monitored", 5, "window 1", rows=300, drifted=False, action="keep")
    found = numbers(window(1), again)
    assert (found["windows_monitored_total",], found["rows_monitored_total",]) == (1, 300)


def test_an_open_rollout_shows_how_far_it_is() -> None:
    taken = entry("rollout_taken", 1, "4", required=["smoke", "shadow", "canary 0.1"])
    found = numbers(taken, entry("smoke_served", 1, "4", outcome="pass"))
    assert found["rollout_open",] == 1
    assert (found["rollout_stages", "passed"], found["rollout_stages", "missing"]) == (1, 2)
    ended = numbers(taken, entry("rolled_back", 2, "4"))
    assert ended["rollout_open",] == 0
    assert ("rollout_stages", "passed") not in ended


def test_requests_refusals_and_gates_are_counted_by_what_they_were_for() -> None:
    found = numbers(
        entry("retrain_requested", 1, "a", cause="drift"),
        entry("retrain_refused", 2, "b", ("drift in W, but the budget is spent: 1 of 1",), cause="drift"),
        entry("gated", 1, "run", outcome="fail"),
        entry("alerted", 1, "drift", event="drift", severity="warning", to="x", because="new", about=[]),
    )
    assert found["retrains_requested_total", "drift"] == 1
    assert found["retrains_refused_total", "drift", "budget"] == 1
    assert found["challengers_gated_total", "fail"] == 1
    assert found["alerts_total", "drift", "warning"] == 1
    assert found["retrain_requests_pending",] == 1


def test_a_step_tells_its_numbers_under_the_same_names() -> None:
    drift = {"summary": {"share": 0.4, "drifted": True}}
    assert result_samples("drift", drift) == [Sample("drifted_columns_ratio", 0.4), Sample("drifted", True)]
    assert result_samples("drift", {"summary": {"share": None, "drifted": False}}) == []
    refused = {"decision": {"action": "refuse", "cause": "drift", "reasons": ["but the budget is spent"]}}
    assert result_samples("decide", refused) == [Sample("retrains_refused_total", 1, ("drift", "budget"))]
    assert result_samples("gate", {"outcome": "fail"}) == [Sample("challengers_gated_total", 1, ("fail",))]
    assert result_samples("train", {"run_id": "r"}) == []


def test_every_sample_is_of_a_family_and_has_its_labels() -> None:
    entries = [
        entry("promoted", 1),
        window(1, observed=0.7, promise=0.8, coverage=0.1, metric="m"),
        entry("retrain_refused", 2, cause="drift"),
        entry("rollout_taken", 2, "4", required=["smoke"]),
    ]
    results = {
        "collect": {"rows": 3},
        "data_quality": {"summary": {}},
        "performance": {"summary": {"outcome": "fail", "coverage": 0.5, "observed": 0.5, "metric": "m"}},
        "decide": {"decision": {"action": "retrain", "cause": "age", "reasons": []}},
        "take_challenger": {},
        "promote": {"version": "4"},
        "roll_back": {},
        "reverse": {"version": "3"},
    }
    told = [sample for step, result in results.items() for sample in result_samples(step, result)]
    assert len(told) == 16
    for sample in [*ledger_samples(entries), *told]:
        assert len(sample.labels) == len(FAMILIES[sample.name].labels)


def test_a_window_that_was_scored_again_tells_the_metric_of_its_score() -> None:
    score = {"metric": "roc_auc", "observed": [0.71, 0.6, 0.8], "promise": [0.8, 0.7, 0.9], "estimated": None}
    found = numbers(
        window(0, observed=0.9, metric="roc_auc"),
        window(1, decayed=None, estimated={"method": "CBPE", "value": 0.77}, metric="roc_auc"),
        entry("rescored", 1, "window 1", score=score, coverage=0.6, decayed=True),
    )
    assert found["observed_metric", "roc_auc"] == 0.71
    assert found["estimated_metric", "roc_auc"] == 0.77
    assert (found["decayed",], found["label_coverage_ratio",]) == (1, 0.6)
