"""A model whose features change: a window in which two versions answered, one of which knew less."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.parts.data import ExpectationConfig
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.data_quality import data_quality
from airflow_mlops.steps.decide import decide
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.performance import performance
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
NOT_NULL = "expect_column_values_to_not_be_null"


def with_data(config, **given):
    return config.model_copy(update={"data": config.data.model_copy(update=given)})


def with_visits(config):
    """The YAML after somebody has added a feature, and said what must hold of it."""
    asked = ExpectationConfig(type=NOT_NULL, kwargs={"column": "visits"})
    config = with_data(config, features={**config.data.features, "visits": "numeric"})
    expected = (*config.validation.expectations, asked)
    return config.model_copy(
        update={"validation": config.validation.model_copy(update={"expectations": expected})}
    )


@pytest.fixture
def visited(root):
    """The source's rows have a column that the first version is not trained on."""
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows = rows.assign(visits=np.random.default_rng(1).poisson(4, len(rows)).astype("float64"))
    rows.to_parquet(path)
    return rows


@pytest.fixture
def champion(backends, make_run):
    """``champion(config, day)``: trained as of a day on what the YAML says, and promoted."""

    def make(config, day=40):
        run = make_run(day, run_id=f"trained-{day}-{len(backends.tracking.versions)}")
        taken = snapshot(SnapshotRequest(config, run), backends)
        trained = train(TrainRequest(config, run, taken), backends)
        model = backends.tracking.register("churn", trained, {})
        backends.tracking.set_alias("churn", "champion", model.version)
        return model.version

    return make


@pytest.fixture
def asked(root):
    """``asked(version, first, last)``: these days were asked of a version, as one file of the log."""

    def make(version, first, last, without=(), change=lambda rows: rows):
        rows = pd.read_parquet(root / "rows" / "all.parquet")
        days = [START + timedelta(days=day) for day in (first, last)]
        rows = rows[(rows["at"] >= days[0]) & (rows["at"] < days[1])]
        log = change(rows).assign(
            request_id="q", key=rows["id"], event_time=rows["at"], received_at=rows["at"], version=version,
            role="champion", mode="none", weight=0.0, rollout_id=None, error=None, latency_seconds=0.001,
            prediction=0.5 + 0.1 * rows["age"].clip(-3, 3),
        )  # fmt: skip
        log = log.drop(columns=["churned", "at", "id", *without])
        folder = root / "inference" / "churn" / "date=2025-01-01"
        folder.mkdir(parents=True, exist_ok=True)
        log.astype({"rollout_id": "string", "error": "string"}).to_parquet(
            folder / f"part-{version}-{first}.parquet"
        )
        rows[["id", "at", "churned"]].to_parquet(root / "labels" / f"landed-{first}.parquet")

    return make


@pytest.fixture
def look(backends, make_run):
    """``look(config)``: what the monitor finds of days 40 to 50."""

    def make(config):
        run = make_run(50, dag="monitor")
        collected = collect(CollectRequest(config, run), backends)
        asked = CollectedRequest(config, run, collected)
        return DecideRequest(
            config,
            run,
            collected,
            data_quality(asked, backends),
            drift(asked, backends),
            performance(asked, backends),
        )

    return make


def few_are_enough(config):
    faults = config.validation.upstream_faults.model_copy(update={"minimum_rows": 50})
    settings = config.monitor.drift.model_copy(update={"minimum_rows": 50})
    return config.model_copy(
        update={
            "validation": config.validation.model_copy(update={"upstream_faults": faults}),
            "monitor": config.monitor.model_copy(update={"drift": settings}),
        }
    )


def test_a_feature_that_came_with_a_promotion_within_the_window_is_no_broken_feed(
    config, backends, champion, visited, asked, look
):
    champion(config)
    asked("1", 40, 45, without=["visits"])
    config = few_are_enough(with_visits(config))
    champion(config)
    asked("2", 45, 50)
    request = look(config)
    assert request.quality.summary["upstream_fault"] is None
    assert request.quality.summary["failed"] == []
    assert request.drift.summary["drifted"] is False
    assert set(request.drift.summary["columns"]) == {"age", "spend", "plan", "visits"}
    said = "rows that are not compared: 100 of version 1, without visits"
    for report in (request.quality, request.drift):
        assert said in backends.store.local_path(report.uri).read_text()
    assert (request.collected.rows, request.collected.judged.rows) == (200, 100)
    assert decide(request, backends).decision.action == "keep"


def test_a_feature_that_breaks_after_its_promotion_is_named(config, backends, champion, visited, asked, look):
    champion(config)
    asked("1", 40, 45, without=["visits"])
    config = few_are_enough(with_visits(config))
    champion(config)
    asked("2", 45, 50, change=lambda rows: rows.assign(visits=rows["visits"].where(rows["age"] > 1)))
    assert "visits: 91 % of the values are missing" in look(config).quality.summary["upstream_fault"]


def test_a_feature_that_left_with_a_promotion_within_the_window_is_no_broken_feed(
    config, backends, champion, visited, asked, look
):
    less, more = few_are_enough(config), few_are_enough(with_visits(config))
    champion(more)
    asked("1", 40, 45)
    champion(less)
    asked("2", 45, 50, without=["visits"])
    for today in (less, more):
        request = look(today)
        assert request.quality.summary["upstream_fault"] is None
        assert set(request.drift.summary["columns"]) == {"age", "spend", "plan"}
        assert request.collected.judged.rows == 200


def test_a_promotion_after_the_window_is_no_broken_feed(config, backends, champion, visited, asked, look):
    champion(config)
    asked("1", 40, 50, without=["visits"])
    config = few_are_enough(with_visits(config))
    champion(config)
    request = look(config)
    assert request.quality.summary["upstream_fault"] is None
    assert set(request.drift.summary["columns"]) == {"age", "spend", "plan"}
    assert decide(request, backends).decision.action == "keep"


def test_the_earlier_champion_is_not_held_to_a_feature_of_the_one_that_was_taken_back(
    config, backends, champion, visited, asked, look
):
    champion(config)
    asked("1", 40, 44, without=["visits"])
    config = few_are_enough(with_visits(config))
    champion(config)
    asked("2", 44, 46)
    backends.tracking.set_alias("churn", "champion", "1")
    asked("1", 46, 50, without=["visits"])
    request = look(config)
    assert request.collected.champion.version == "1"
    assert request.quality.summary["upstream_fault"] is None
    assert decide(request, backends).decision.cause == "config"


def test_a_column_of_the_snapshot_that_has_become_a_feature_is_not_missed(
    config, backends, champion, visited, asked, look
):
    """The champion's rows have it, for its gates, and the champion does not take it."""
    champion(with_data(config, sensitive=("visits",)))
    asked("1", 40, 50, without=["visits"])
    request = look(few_are_enough(with_visits(config)))
    assert request.quality.summary["upstream_fault"] is None
    assert set(request.drift.summary["columns"]) == {"age", "spend", "plan"}


@pytest.mark.parametrize("kind", ["time_column", "key", "label"])
def test_renamed_columns_of_the_source_stop_neither_training_nor_monitoring(
    config, backends, champion, asked, look, make_run, root, kind
):
    champion(config)
    asked("1", 40, 50)
    path = root / "rows" / "all.parquet"
    old = getattr(config.data, kind)
    rows = pd.read_parquet(path).rename(columns={old: "renamed"})
    rows.to_parquet(path)
    labels = root / "labels" / "landed-40.parquet"
    pd.read_parquet(labels).rename(columns={old: "renamed"}).to_parquet(labels)
    config = few_are_enough(with_data(config, **{kind: "renamed"}))
    request = look(config)
    assert request.quality.summary["upstream_fault"] is None
    assert decide(request, backends).decision.cause == "config"
    run = make_run(50)
    taken = snapshot(SnapshotRequest(config, run), backends)
    assert validate(DatasetRequest(config, run, taken), backends).summary["faults"] == []


def test_a_feature_of_another_kind_is_compared_once_a_champion_takes_it_so(
    config, backends, champion, asked, look, root
):
    champion(config)
    asked("1", 40, 45)
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows.assign(plan=(rows["plan"] == "pro").astype("float64")).to_parquet(path)
    config = few_are_enough(with_data(config, features={**config.data.features, "plan": "numeric"}))
    request = look(config)
    assert request.quality.summary["upstream_fault"] is None
    assert set(request.drift.summary["columns"]) == {"age", "spend"}
