"""A feed that broke: monitoring blocks retraining and names the column, training refuses its rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

from airflow_mlops.core.ledger import Entry, pending_requests
from airflow_mlops.core.news import news
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.data_quality import data_quality
from airflow_mlops.steps.decide import decide
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.requests import (
    CollectedRequest,
    CollectRequest,
    DatasetRequest,
    DecideRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train
from airflow_mlops.steps.validate import validate

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def champion(config, backends, make_run):
    """Trained as of day 40."""
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    version = backends.tracking.register("churn", trained, {}).version
    backends.tracking.set_alias("churn", "champion", version)


@pytest.fixture
def feed(root):
    """``feed(change)``: the rows from day 40 on come changed."""

    def make(change):
        path = root / "rows" / "all.parquet"
        rows = pd.read_parquet(path)
        new = rows["at"] >= START + timedelta(days=40)
        pd.concat([rows[~new], change(rows[new].copy())]).to_parquet(path)

    return make


@pytest.fixture
def served(root):
    """``served(change)``: days 40 to 50 were asked of the endpoint."""

    def make(change=lambda rows: rows):
        rows = pd.read_parquet(root / "rows" / "all.parquet")
        rows = rows[(rows["at"] >= START + timedelta(days=40)) & (rows["at"] < START + timedelta(days=50))]
        log = change(rows.copy()).assign(
            request_id="q", key=rows["id"], event_time=rows["at"], received_at=rows["at"], version="1",
            role="champion", mode="none", weight=0.0, rollout_id=None, error=None, latency_seconds=0.001,
            prediction=0.5,
        )  # fmt: skip
        log = log.drop(columns=["churned", "at", "id"]).astype({"rollout_id": "string", "error": "string"})
        folder = root / "inference" / "churn" / "date=2025-01-01"
        folder.mkdir(parents=True, exist_ok=True)
        log.to_parquet(folder / "part.parquet")

    return make


def validated(config, backends, make_run, day=50):
    run = make_run(day)
    taken = snapshot(SnapshotRequest(config, run), backends)
    return validate(DatasetRequest(config, run, taken), backends)


def with_faults(config, **given):
    faults = config.validation.upstream_faults.model_copy(update=given)
    return config.model_copy(
        update={"validation": config.validation.model_copy(update={"upstream_faults": faults})}
    )


def thousandfold(rows):
    return rows.assign(spend=rows["spend"] * 1000)


def test_rows_as_they_always_are_are_trained_on(config, backends, make_run, champion) -> None:
    summary = validated(config, backends, make_run).summary
    assert summary["success"] is True
    assert summary["faults"] == []
    assert "200 new rows" in summary["compared"]


def test_a_broken_feed_is_refused_before_anything_is_trained_and_its_column_named(
    config, backends, make_run, champion, feed
) -> None:
    feed(thousandfold)
    with pytest.raises(DataRefused) as refused:
        validated(config, backends, make_run)
    assert "the feed of spend is broken" in str(refused.value)
    assert "  - spend: the unit changed (thousands: 1000 times as large)" in str(refused.value)
    assert "validation.upstream_faults.ignore" in str(refused.value)


def test_a_category_that_was_renamed_is_not_said_in_clear(config, backends, make_run, champion, feed) -> None:
    feed(lambda rows: rows.assign(plan=rows["plan"].replace("free", "secret")))
    with pytest.raises(DataRefused, match="plan: a category with") as refused:
        validated(config, backends, make_run)
    assert "secret" not in str(refused.value)


def test_a_warning_is_reported_and_trained_on(config, backends, make_run, champion, feed) -> None:
    feed(thousandfold)
    report = validated(with_faults(config, severity="warning"), backends, make_run)
    (fault,) = report.summary["faults"]
    assert (fault["columns"], fault["kind"]) == (["spend"], "unit")
    page = backends.store.local_path(report.uri).read_text()
    assert "1 upstream fault:" in page
    assert "the unit changed" in page


def test_a_column_that_changed_on_purpose_is_ignored(config, backends, make_run, champion, feed) -> None:
    feed(thousandfold)
    assert validated(with_faults(config, ignore=("spend",)), backends, make_run).summary["faults"] == []
    assert "compared" not in validated(with_faults(config, enabled=False), backends, make_run).summary


def test_without_a_champion_there_is_nothing_to_compare_with(config, backends, make_run, feed) -> None:
    feed(thousandfold)
    assert "no champion yet" in validated(config, backends, make_run).summary["compared"]


def test_a_snapshot_without_new_rows_is_held_against_the_whole_of_the_known_ones(
    config, backends, make_run, champion, root
) -> None:
    path = root / "rows" / "all.parquet"
    config = config.model_copy(update={"healing": config.healing.model_copy(update={"fall_back": False})})
    assert validated(config, backends, make_run, day=40).summary["faults"] == []
    thousandfold(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(DataRefused, match="the feed of spend is broken"):
        validated(config, backends, make_run, day=40)


def look(config, run, backends):
    collected = collect(CollectRequest(config, run), backends)
    asked = CollectedRequest(config, run, collected)
    return DecideRequest(config, run, collected, data_quality(asked, backends), drift(asked, backends), None)


def test_monitoring_blocks_retraining_and_keeps_the_champion(
    config, backends, make_run, champion, served
) -> None:
    served(lambda rows: rows.assign(spend=-rows["spend"], age=rows["age"] + 3))
    request = look(config, make_run(50, dag="monitor"), backends)
    assert request.quality.summary["upstream_fault"].startswith("spend: the values are what they were before")
    assert request.quality.summary["faults"][0]["columns"] == ["spend"]
    assert request.drift.summary["drifted"] is True
    decided = decide(request, backends)
    assert decided.decision.action == "refuse"
    assert any("spend" in reason for reason in decided.decision.reasons)
    entries = backends.ledger.entries("churn")
    assert pending_requests(entries) == []
    (monitored,) = [item for item in entries if item.kind == "monitored"]
    assert monitored.data["fault_columns"] == ["spend"]
    assert backends.tracking.alias("churn", "champion").version == "1"


def test_a_window_that_drifted_is_not_called_broken(config, backends, make_run, champion, served) -> None:
    served(lambda rows: rows.assign(age=rows["age"] * 1.5 + 1, spend=rows["spend"] + 0.5))
    report = look(config, make_run(50, dag="monitor"), backends).quality
    assert report.summary["upstream_fault"] is None
    assert report.summary["faults"] == []


@pytest.fixture
def monitored(backends):
    """``monitored(*rows)``: so many rows came in each window before day 40; ``days`` are their length."""

    def make(*rows, days=10, until=40, **data):
        for place, count in enumerate(reversed(rows)):
            end = START + timedelta(days=until - days * place)
            window = Window(end - timedelta(days=days), end)
            found = {"drifted": False, "decayed": None, "upstream_fault": None, "rows": count, **data}
            run = f"r{len(backends.ledger.entries('churn'))}"
            backends.ledger.append(
                Entry(
                    "churn", "monitored", end.isoformat(), end, "churn.monitor", run,
                    window=window, data=found,
                )
            )  # fmt: skip

    return make


def halved(rows):
    return rows.iloc[::2]


def test_half_the_requests_are_missed_after_three_usual_windows(
    config, backends, make_run, champion, served, monitored
) -> None:
    served(halved)
    monitored(200, 200, 200)
    fault = look(config, make_run(50, dag="monitor"), backends).quality.summary["upstream_fault"]
    assert fault.startswith("at: 100 rows, at least 200 in each of 3")
    assert "at in validation.upstream_faults.ignore accepts it now" in fault


def test_rows_that_the_check_for_faults_misses_the_drift_check_warns_of_too(
    config, backends, make_run, champion, served, monitored
) -> None:
    """The median is as high as it was long ago, so the bound of the drift check alone would be kept."""
    served(halved)
    monitored(200, 200, 200)
    request = look(config, make_run(50, dag="monitor"), backends)
    assert request.drift.summary["warnings"] == [request.quality.summary["upstream_fault"]]


def test_both_checks_hold_a_window_against_the_same_ones(
    config, backends, make_run, champion, served, monitored
) -> None:
    """Of another length, or broken in its rows: neither says what is usual."""
    served(halved)
    monitored(110, 110, 110, until=10)
    monitored(15, 15, 15, days=1)
    monitored(900, 900, 900, until=40, fault_columns=["id"])
    summary = look(config, make_run(50, dag="monitor"), backends).drift.summary
    assert (summary["volume"]["usual"], summary["warnings"]) == (pytest.approx(110), [])


def test_a_drop_that_lasts_is_a_new_level_of_which_is_told_once_and_blocks_nothing_more(
    config, backends, make_run, champion, served, monitored
) -> None:
    served(halved)
    monitored(200, 200, 200, 110, until=30)
    assert look(config, make_run(50, dag="monitor"), backends).quality.summary["upstream_fault"] is not None
    monitored(90, fault_columns=["at"], upstream_fault="at: 90 rows")
    request = look(config, make_run(50, dag="monitor"), backends)
    assert request.quality.summary["upstream_fault"] is None
    (note,) = request.drift.summary["warnings"]
    assert note.startswith("a new level of rows: about 100 in each of 3 windows in a row, about 200 before")
    decide(request, backends)
    (told,) = [item for item in news(backends.ledger.entries("churn")) if item.event == "feed_warning"]
    assert (told.reasons, set(told.about), told.over) == ((note,), {"a new level"}, False)


def test_a_new_model_is_trained_at_the_level_to_which_monitoring_has_come(
    config, backends, make_run, champion, feed, monitored
) -> None:
    feed(halved)
    config = config.model_copy(update={"healing": config.healing.model_copy(update={"fall_back": False})})
    monitored(900, 900, 900, 450, 450, days=2, until=44)
    with pytest.raises(DataRefused, match="at: 100 rows, at least 200 in each of"):
        validated(config, backends, make_run)
    monitored(450, days=2, until=46)
    assert validated(config, backends, make_run).summary["success"] is True


@pytest.mark.parametrize(
    ("given", "critical"), [({}, True), ({"severity": "warning"}, False), ({"ignore": ("at",)}, None)]
)
def test_silence_after_usual_windows_is_told_though_there_is_nothing_to_look_at(
    config, backends, make_run, champion, monitored, given, critical
) -> None:
    monitored(200, 200, 200)
    config = with_faults(config, **given)
    assert collect(CollectRequest(config, make_run(50, dag="monitor")), backends) is None
    found = [item for item in backends.ledger.entries("churn") if item.data.get("rows") == 0]
    if critical is None:
        assert not found
        return
    (entry,) = found
    assert (entry.kind, entry.version) == ("monitored", "1")
    assert (entry.data["upstream_fault"] is not None) is critical
    (told,) = [one for one in news(backends.ledger.entries("churn")) if one.event == "feed_warning"]
    assert told.reasons[0].startswith("0 rows, at least 200 in each of 3 earlier stretches as long")
    faults = [one for one in news(backends.ledger.entries("churn")) if one.event == "upstream_fault"]
    assert [set(one.about) for one in faults] == [{"at"}] * critical


def test_silence_is_told_as_long_as_it_lasts_and_a_backfill_tells_of_none(
    config, backends, make_run, champion, monitored
) -> None:
    monitored(200, 200, 200)
    back = make_run(50, dag="monitor", kind="backfill", run_id="back")
    assert collect(CollectRequest(config, back), backends) is None
    assert not [item for item in backends.ledger.entries("churn") if item.data.get("rows") == 0]
    for day in (50, 60, 70, 80, 90):
        collect(CollectRequest(config, make_run(day, dag="monitor", run_id=f"day {day}")), backends)
    silent = [item for item in backends.ledger.entries("churn") if item.data.get("rows") == 0]
    assert [bool(item.data["upstream_fault"]) for item in silent] == [True] * 5


@pytest.mark.parametrize(("before", "told"), [((4, 3, 2, 1), False), ((10, 9, 8, 7), True)])
def test_an_endpoint_that_rests_on_some_days_is_not_called_silent_on_them(
    config, backends, make_run, champion, monitored, before, told
) -> None:
    """Windows of a day, as many days before this one: only the second time one was on its weekday."""
    for days in before:
        monitored(200, days=1, until=50 - days)
    end = START + timedelta(days=50)
    of_a_day = WindowSources(params=Window(end - timedelta(days=1), end))
    collect(CollectRequest(config, replace(make_run(50, dag="monitor"), sources=of_a_day)), backends)
    assert bool([item for item in backends.ledger.entries("churn") if item.data.get("rows") == 0]) is told


@pytest.mark.parametrize("rows", [(), (200, 200), (3, 3, 3)])
def test_where_nobody_knows_that_there_should_be_rows_silence_is_no_fault(
    config, backends, make_run, champion, monitored, rows
) -> None:
    monitored(*rows)
    collect(CollectRequest(config, make_run(50, dag="monitor")), backends)
    assert not [item for item in backends.ledger.entries("churn") if item.data.get("rows") == 0]


def test_a_number_of_rows_that_is_meant_is_accepted_at_once_by_ignoring_the_column_of_times(
    config, backends, make_run, champion, served, monitored
) -> None:
    served(halved)
    monitored(200, 200, 200)
    ignoring = with_faults(config, ignore=("at",))
    request = look(ignoring, make_run(50, dag="monitor"), backends)
    assert (request.quality.summary["upstream_fault"], request.drift.summary["warnings"]) == (None, [])


def test_rows_that_come_twice_on_purpose_are_ignored_by_the_name_of_the_key(
    config, backends, make_run, champion, served
) -> None:
    served(lambda rows: pd.concat([rows, rows]))
    run = make_run(50, dag="monitor")
    assert look(config, run, backends).quality.summary["faults"][0]["columns"] == ["id"]
    assert look(with_faults(config, ignore=("id",)), run, backends).quality.summary["faults"] == []


def test_monitoring_goes_on_where_the_champions_rows_are_gone(
    config, backends, make_run, champion, served, root
) -> None:
    served(thousandfold)
    for file in (root / "snapshots").rglob("*.*"):
        file.unlink()
    run = make_run(50, dag="monitor")
    collected = collect(CollectRequest(config, run), backends)
    summary = data_quality(CollectedRequest(config, run, collected), backends).summary
    assert summary["upstream_fault"] is None
    assert "is gone from the store" in summary["compared"]


def test_an_expectation_on_some_labels_is_not_asked_of_requests(
    config, backends, make_run, champion, served
) -> None:
    """No request has a label: an error about it in every window would block retraining for good."""
    served()
    asked = {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "age", "row_condition": "churned == 1", "condition_parser": "pandas"},
        "severity": "critical",
    }
    item = type(config.validation.expectations[0]).model_validate(asked)
    config = config.model_copy(
        update={"validation": config.validation.model_copy(update={"expectations": (item,)})}
    )
    run = make_run(50, dag="monitor")
    collected = collect(CollectRequest(config, run), backends)
    summary = data_quality(CollectedRequest(config, run, collected), backends).summary
    assert (summary["upstream_fault"], summary["expectations"]) == (None, 0)
