"""Healing, step by step: rows that were refused, a champion that decayed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef, Report
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.plan_healing import plan_healing
from airflow_mlops.steps.requests import Collected, DatasetRequest, HealRequest, SnapshotRequest, TrainRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train
from airflow_mlops.steps.validate import validate

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=10))


def with_healing(config, **given):
    return config.model_copy(update={"healing": config.healing.model_copy(update=given)})


@pytest.fixture
def good(config, backends, make_run):
    """The snapshot as of day 40, which passed."""
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    validate(DatasetRequest(config, run, taken), backends)
    return taken


@pytest.fixture
def broken(root):
    """From day 40 on, age is missing."""
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows.loc[rows["at"] >= START + timedelta(days=40), "age"] = None
    rows.to_parquet(path)


def test_rows_that_are_refused_give_way_to_the_last_good_snapshot_and_it_is_said(
    config, backends, make_run, good, broken
) -> None:
    run = make_run(50, run_id="r2")
    taken = snapshot(SnapshotRequest(config, run), backends)
    assert taken.dataset == good.dataset
    assert taken.fell_back.startswith(
        "the rows up to 2024-02-20 00:00 were refused, fell back on those of 2024-01-01"
    )
    assert taken.fell_back in taken.causes
    assert validate(DatasetRequest(config, run, taken), backends).summary["success"] is True
    begun = [item for item in backends.ledger.entries("churn") if item.kind == "training_begun"][-1]
    assert taken.fell_back in begun.reasons
    assert begun.data_version == good.dataset.version
    trained = train(TrainRequest(config, run, taken), backends)
    assert "fell back" in backends.tracking.tags_of(trained.run_id)["mlops.causes"]


def test_good_rows_are_trained_on_themselves(config, backends, make_run, good) -> None:
    taken = snapshot(SnapshotRequest(config, make_run(50, run_id="r2")), backends)
    assert taken.fell_back is None
    assert taken.dataset.version != good.dataset.version


def test_without_the_policy_or_a_good_snapshot_the_rows_are_refused(
    config, backends, make_run, good, broken, root
) -> None:
    run = make_run(50, run_id="r2")
    off = with_healing(config, fall_back=False)
    with pytest.raises(DataRefused, match="1 of 2 expectations failed"):
        validate(DatasetRequest(off, run, snapshot(SnapshotRequest(off, run), backends)), backends)
    for path in (root / "snapshots").rglob("*"):
        path.write_bytes(b"lost") if path.is_file() else None
    taken = snapshot(SnapshotRequest(config, make_run(51, run_id="r3")), backends)
    assert taken.fell_back is None


def test_a_snapshot_that_was_changed_since_is_not_fallen_back_on(
    config, backends, make_run, good, broken, root
) -> None:
    for path in (root / "snapshots").rglob("*.parquet"):
        pd.read_parquet(path).iloc[::-1].to_parquet(path)
    assert snapshot(SnapshotRequest(config, make_run(50, run_id="r2")), backends).fell_back is None


def test_a_snapshot_without_a_column_of_todays_yaml_is_not_fallen_back_on(
    config, backends, make_run, good, broken, root
) -> None:
    path = root / "rows" / "all.parquet"
    pd.read_parquet(path).assign(visits=1.0).to_parquet(path)
    more = config.data.model_copy(update={"features": {**config.data.features, "visits": "numeric"}})
    config = config.model_copy(update={"data": more})
    assert snapshot(SnapshotRequest(config, make_run(50, run_id="r2")), backends).fell_back is None


def test_rows_that_are_not_even_a_snapshot_give_way_too(config, backends, make_run, good, root) -> None:
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows.assign(age=rows["age"].astype(str)).to_parquet(path)
    taken = snapshot(SnapshotRequest(config, make_run(50, run_id="r2")), backends)
    assert taken.dataset == good.dataset
    assert "numeric, but they are not" in taken.fell_back


@pytest.fixture
def champions(backends):
    """Version 1, then version 2, which serves."""
    for day, version in enumerate(("1", "2")):
        at = START + timedelta(days=day)
        backends.ledger.append(Entry("churn", "promoted", version, at, "churn.deploy", f"d{version}"))
    backends.tracking.aliases["champion"] = "2"


def asked(config, run, outcome="fail", fault=None, version="2"):
    return HealRequest(
        config,
        run,
        Collected(window=WINDOW, uri="u", rows=200, champion=ModelRef("churn", version)),
        Report("data_quality", "q", {"upstream_fault": fault}),
        Report("performance", "p", {"outcome": outcome, "reasons": ["roc_auc 0.5"]}),
    )


def test_decay_plans_the_way_back_once_and_writes_it_down(config, backends, make_run, champions) -> None:
    config = with_healing(config, roll_back=True)
    first = asked(config, make_run(50, dag="monitor"))
    found = plan_healing(first, backends)
    assert found.version == "1"
    assert plan_healing(first, backends) == found
    (entry,) = [item for item in backends.ledger.entries("churn") if item.kind == "healing_intended"]
    assert entry.reasons == ("version 2 has decayed; version 1 served before it", "roc_auc 0.5")
    next_run = asked(config, make_run(51, dag="monitor", run_id="r2"))
    assert plan_healing(next_run, backends).version == "1"  # the first ended before anything moved
    backends.ledger.append(replace(entry, kind="healed"))
    assert plan_healing(asked(config, make_run(52, dag="monitor", run_id="r3")), backends) is None


@pytest.mark.parametrize(
    "given", [{"outcome": "inconclusive"}, {"outcome": "pass"}, {"fault": "age is null"}, {"version": "1"}]
)
def test_nothing_is_planned_without_proof_or_for_another_champion(
    config, backends, make_run, champions, given
) -> None:
    config = with_healing(config, roll_back=True)
    assert plan_healing(asked(config, make_run(50, dag="monitor"), **given), backends) is None


@pytest.mark.parametrize(
    ("later", "fault", "planned"),
    [(None, None, True), (False, None, False), (None, "age is null", False)],
    ids=["newest known", "a later window is sound", "its data came in broken"],
)
def test_decay_that_late_labels_show_plans_the_way_back_too(
    config, backends, make_run, champions, later, fault, planned
) -> None:
    config, run = with_healing(config, roll_back=True), make_run(50, dag="monitor")
    for days, kind, decayed in ((-5, "rescored", True), (-2, "monitored", later)):
        end = WINDOW.end + timedelta(days=days)
        backends.ledger.append(
            Entry(
                "churn",
                kind,
                end.isoformat(),
                run.now,
                run.key.dag_id,
                run.key.run_id if kind == "rescored" else "r0",
                version="2",
                reasons=("roc_auc 0.4 of the labels that landed",),
                window=Window(START, end),
                data={"decayed": decayed, "upstream_fault": fault},
            )
        )
    found = plan_healing(asked(config, run, outcome="inconclusive"), backends)
    assert (found is not None) is planned
    healed = [item.reasons[1] for item in backends.ledger.entries("churn", ["healing_intended"])]
    assert healed == (["roc_auc 0.4 of the labels that landed"] if planned else [])


def test_a_run_that_is_cleared_after_another_promotion_puts_nothing_back(
    config, backends, make_run, champions
) -> None:
    config = with_healing(config, roll_back=True)
    first = asked(config, make_run(50, dag="monitor"))
    assert plan_healing(first, backends) is not None
    backends.tracking.set_alias("churn", "champion", "1")
    assert plan_healing(first, backends) is None  # somebody else put it back
    (intent,) = backends.ledger.entries("churn", ["healing_intended"])
    backends.ledger.append(replace(intent, kind="reversed"))
    assert plan_healing(first, backends).version == "1"
    backends.tracking.set_alias("churn", "champion", "3")
    assert plan_healing(first, backends) is None


@pytest.mark.parametrize(("decayed", "planned"), [(False, False), (True, False), (None, True)])
def test_a_window_that_is_monitored_again_puts_nothing_back_where_more_is_known_of_a_later_one(
    config, backends, make_run, champions, decayed, planned
) -> None:
    config, end = with_healing(config, roll_back=True), WINDOW.end + timedelta(days=10)
    backends.ledger.append(
        Entry(
            "churn",
            "monitored",
            end.isoformat(),
            end,
            "churn.monitor",
            "r1",
            version="2",
            window=Window(WINDOW.end, end),
            data={"decayed": decayed, "upstream_fault": None},
        )
    )
    found = plan_healing(asked(config, make_run(50, dag="monitor", run_id="again")), backends)
    assert (found is not None) is planned


def test_a_backfill_puts_nothing_back(config, backends, make_run, champions) -> None:
    config = with_healing(config, roll_back=True)
    backfill = replace(make_run(50, dag="monitor"), kind="backfill")
    assert plan_healing(asked(config, backfill), backends) is None


def test_nothing_is_put_back_unless_the_yaml_asks_for_it(config, backends, make_run, champions) -> None:
    assert config.healing.enabled is True
    assert plan_healing(asked(config, make_run(50, dag="monitor")), backends) is None
