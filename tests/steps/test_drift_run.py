"""The drift step: a reference that is kept, slices, volume and freshness, and what may travel of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.drift import profile
from airflow_mlops.config.parts.monitor_drift import Drift
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.requests import CollectedRequest, CollectRequest, SnapshotRequest, TrainRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
FIRST, LAST = START + timedelta(days=40), START + timedelta(days=50)


@pytest.fixture
def champion(config, backends, make_run):
    """A champion trained as of day 40, without more evidence than drift needs."""
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    version = backends.tracking.register("churn", trained, {}).version
    backends.tracking.set_alias("churn", "champion", version)
    return taken.dataset


@pytest.fixture
def asked(champion, root):
    """``asked(change)``: the rows of days 40 to 50, as the endpoint's log has them."""

    def make(change=lambda rows: rows, copies=1):
        rows = pd.read_parquet(root / "rows" / "all.parquet")
        rows = change(rows[(rows["at"] >= FIRST) & (rows["at"] < LAST)].reset_index(drop=True))
        rows = pd.concat([rows] * copies, ignore_index=True)
        own = {"version": "1", "role": "champion", "mode": "none", "weight": 0.0, "rollout_id": None}
        own |= {"request_id": "q", "error": None, "latency_seconds": 0.001, "prediction": 0.5}
        log = rows.drop(columns=["churned", "at", "id"]).assign(
            key=rows["id"], event_time=rows["at"], received_at=rows["at"], **own
        )
        folder = root / "inference" / "churn" / "date=2024-02-10"
        folder.mkdir(parents=True, exist_ok=True)
        log.astype({"rollout_id": "string", "error": "string"}).to_parquet(folder / "part.parquet")
        return rows

    return make


@pytest.fixture
def look(config, backends, make_run):
    """``look(**drift)``: the report of the window, with these keys of ``monitor.drift``."""

    def made(**keys):
        settings = Drift.model_validate(keys)
        monitor = config.monitor.model_copy(update={"drift": settings})
        changed = config.model_copy(update={"monitor": monitor})
        run = make_run(50, dag="monitor")
        collected = collect(CollectRequest(changed, run), backends)
        return drift(CollectedRequest(changed, run, collected), backends)

    return made


def monitored(backends, days: int, rows: int) -> None:
    end = START + timedelta(days=days)
    backends.ledger.append(
        Entry(
            model="churn",
            kind="monitored",
            subject=end.isoformat(),
            at=end,
            dag_id="churn.monitor",
            run_id=f"r{days}",
            actor="airflow",
            window=Window(end - timedelta(days=10), end),
            data={"rows": rows},
        )
    )


def test_the_reference_is_read_once_and_its_profile_is_kept_beside_it(look, asked, backends, champion):
    asked(lambda rows: rows.assign(spend=rows["spend"] * 2 + 3))
    first = look()
    backends.store.local_path(champion.uri).unlink()
    assert look().summary == first.summary
    assert first.summary["drifted"] is True
    kept = [key for key in backends.store.keys("snapshots/churn") if ".drift-" in key or ".sample-" in key]
    assert len(kept) == 2
    with pytest.raises(DataRefused, match="is gone from the store"):
        look(slices={"by": "plan", "minimum_rows": 10})


def test_a_profile_that_another_release_kept_is_left_where_it_is_and_made_anew(
    look, asked, backends, monkeypatch
):
    asked(lambda rows: rows.assign(spend=rows["spend"] * 2 + 3))
    monkeypatch.setattr(profile, "FORMAT", 0)
    earlier = look()
    monkeypatch.undo()
    assert look().summary == earlier.summary
    assert len([key for key in backends.store.keys("snapshots/churn") if ".drift-" in key]) == 2


def test_a_feature_that_nobody_was_asked_for_yet_is_left_out_and_named(look, asked, backends):
    """As in the window before a version with another feature was promoted."""
    asked(lambda rows: rows.drop(columns=["spend"]))
    found = look()
    assert set(found.summary["columns"]) == {"age", "plan"}
    page = backends.store.local_path(found.uri).read_text()
    assert "not compared, for no row of the window has it: spend" in page


def test_a_column_that_evidently_cannot_draw_leaves_the_verdict(look, asked, backends):
    asked(lambda rows: rows.assign(spend=np.where(rows["age"] > 0, 0.3, 0.1 + 0.2)))
    found = look()
    assert found.summary["drifted"] is True
    folder = backends.store.local_path(found.uri).parent
    assert "Evidently could not draw this sample" in (folder / "drift_evidently.html").read_text()


def test_the_summary_names_the_slice_that_moved_most_and_what_moved_in_it(look, asked):
    asked(lambda rows: rows.assign(spend=rows["spend"] + 20 * (rows["plan"] == "pro")))
    found = look(slices={"by": ["plan"], "minimum_rows": 20}).summary
    (moved,) = found["slices"]
    assert (moved["slice"], list(moved["columns"])) == ("plan=pro", ["spend"])
    assert any(
        "in plan=pro: 50 % of the columns drifted, most of all spend" in one for one in found["reasons"]
    )


def test_a_feature_may_have_a_method_and_a_threshold_of_its_own(look, asked):
    asked(lambda rows: rows.assign(age=rows["age"] + 4))
    looks = look(method="ks", features={"age": {"method": "wasserstein", "threshold": 30}}).summary["looks"]
    assert (looks["age"]["method"], looks["age"]["threshold"]) == ("wasserstein", 30)
    assert (looks["spend"]["method"], looks["plan"]["method"]) == ("ks", "chi_squared")
    assert looks["age"]["drifted"] is False


def test_shares_travel_and_names_of_categories_do_not(look, asked):
    asked(lambda rows: rows.assign(plan=np.where(rows.index % 3 == 0, "a secret", rows["plan"])))
    report = look()
    assert report.summary["new_categories"]["plan"]["categories"] == 1
    assert report.summary["new_categories"]["plan"]["share"] == pytest.approx(1 / 3, abs=0.01)
    assert "secret" not in json.dumps(report.summary)


def test_half_the_usual_rows_and_old_ones_are_warned_of_and_are_no_drift(look, asked, backends):
    for days, rows in ((20, 400), (30, 420), (40, 5_000)):
        monitored(backends, days, rows)
    asked(lambda rows: rows[rows["at"] < LAST - timedelta(days=2)].head(150))
    found = look(minimum_rows=100, freshness="1 day").summary
    assert found["drifted"] is False
    assert found["volume"]["usual"] == pytest.approx(420)
    assert [said[:60] for said in found["warnings"]] == [
        "150 rows in 2024-02-10 to 2024-02-20 are 0.357 of the usual ",
        "the newest row is of 2024-02-17T00:09:00+00:00, older than 1",
    ]
    assert look(minimum_rows=1_000).summary["warnings"]


def test_the_reference_may_say_how_many_rows_are_usual(look, asked, champion):
    asked()
    days = (champion.window.end - champion.window.start).days
    found = look(volume={"against": "reference"}).summary
    assert found["volume"]["usual"] == pytest.approx(champion.rows * 10 / days)


def test_evidentlys_page_has_our_scores_and_our_verdict(look, asked, backends):
    asked(lambda rows: rows.assign(age=np.nan, spend=rows["spend"] * 2 + 3))
    report = look(share=0.6)
    page = backends.store.local_path(report.uri).with_name("drift_evidently.html").read_text()
    assert report.summary["drifted"] is True
    assert report.summary["reasons"][0] in page
    assert "age: no values in current" in page
    assert "Dataset Drift is detected" in page
    assert str(round(report.summary["columns"]["spend"], 6)) in page.replace("\\", "")
    assert 'src="http' not in page
