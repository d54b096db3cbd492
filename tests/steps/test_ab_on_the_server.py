"""An A/B test on the real model server: its split, its log, the labels, the verdict and the report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.serving_embedded import EmbeddedTarget
from airflow_mlops.config.parts.deploy_evidence import Quality
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef, Rollout, RunRef
from airflow_mlops.gateway.server import serve_in_thread
from airflow_mlops.gateway.settings import Settings
from airflow_mlops.steps.ab_report import ab_report
from airflow_mlops.steps.look_quality import look_quality
from airflow_mlops.steps.requests import AbReportRequest, StageRequest
from airflow_mlops.steps.stage import judge_stage, open_stage

ROLLOUT = Rollout("churn-v2", ModelRef("churn", "2"), ModelRef("churn", "1"), RunRef("t2", "runs:/x"))
CUSTOMERS = 800


class Guess:
    """Version 1 is right in nine rows of ten; version 2 in as many, or in six."""

    columns = {"age": "numeric"}  # noqa: RUF012 - read only
    task = "binary_classification"

    def __init__(self, right: int) -> None:
        self._right = right

    def predict(self, features: Any) -> Any:
        age = features["age"].to_numpy().astype(int)
        truth, knows = age % 2 == 0, (age // 2) % 10 < self._right
        return np.where(truth == knows, 0.9, 0.1)


class Shelf:
    def __init__(self, right: int) -> None:
        self._right = right

    def champion_version(self) -> str:
        return "1"

    def load(self, version: str) -> Any:
        return Guess(9 if version == "1" else self._right)


@pytest.fixture(params=[9, 6], ids=["as good", "worse"])
def served(request: pytest.FixtureRequest, root: Any, backends: Any) -> Iterator[tuple[int, str]]:
    settings = Settings(model="churn", store=root, key_column="id", time_column="at")
    with serve_in_thread(settings, Shelf(request.param)) as url:
        while httpx.get(f"{url}/ready").status_code != 200:
            time.sleep(0.01)
        backends.serving = EmbeddedTarget(ServingEndpoint("embedded", "churn", url))
        yield request.param, url


def ask(url: str, asked_at: datetime) -> dict[str, str]:
    """Every customer asks once; who answered whom."""
    answered = {}
    for start in range(0, CUSTOMERS, 100):
        rows = [
            {"id": f"c{n}", "age": n, "at": (asked_at + timedelta(seconds=n)).isoformat()}
            for n in range(start, start + 100)
        ]
        answer = httpx.post(f"{url}/predict", json={"rows": rows}).json()["predictions"]
        answered |= {row["id"]: one["version"] for row, one in zip(rows, answer, strict=True)}
    return answered


def test_an_ab_test_is_decided_by_the_labels_of_each_versions_own_customers(
    config, backends, make_run, served, root
):
    right, url = served
    quality = Quality(metric="log_loss", margin=0.3, minimum_labels=200)
    analysis = config.deploy.analysis.model_copy(
        update={"quality": quality, "minimum_duration": "1 hour", "minimum_requests": 100}
    )
    deploy = config.deploy.model_copy(update={"strategy": "ab", "analysis": analysis})
    config = config.model_copy(update={"deploy": deploy})
    now = datetime.now(timezone.utc)
    run = replace(make_run(50, dag="deploy"), now=now)
    passed = {"data": {"outcome": "pass", "weight": 0.0}, "reasons": ("as it was",)}
    for kind, more in (
        ("rollout_taken", {}),
        ("smoke_served", passed),
        ("shadowed", {"stage": "0.0", **passed}),
    ):
        backends.ledger.append(Entry("churn", kind, "2", now, "churn.deploy", "r1", version="2", **more))
    request = StageRequest(config, run, ROLLOUT, "canary", 0.5)
    open_stage(request, backends)
    week_ago = now - timedelta(days=7)
    first, again = ask(url, week_ago), ask(url, week_ago)
    assert first == again, "a customer stays with a version"
    customers = range(CUSTOMERS)
    labels = pd.DataFrame(
        {
            "id": [f"c{n}" for n in customers],
            "at": [week_ago + timedelta(seconds=n) for n in customers],
            "churned": [int(n % 2 == 0) for n in customers],
        }
    )
    labels.to_parquet(root / "labels" / "landed.parquet")
    until = time.monotonic() + 10
    while (found := look_quality(request, backends)).keys < CUSTOMERS:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    (landed,) = found.landed
    assert (landed.champion.count, landed.challenger.count) == (
        list(first.values()).count("1"),
        list(first.values()).count("2"),
    )
    assert found.moved == 0
    if right == 9:
        assert judge_stage(request, backends).outcome == "inconclusive", "an hour has not passed"
    verdict = judge_stage(replace(request, run=replace(run, now=now + timedelta(hours=2))), backends)
    assert verdict.outcome == ("pass" if right == 9 else "fail"), verdict.reasons
    report = ab_report(AbReportRequest(config, run, ROLLOUT, 0.5, verdict), backends)
    assert sum(report.summary["rows"].values()) == 2 * CUSTOMERS
    assert report.summary["labels"] == {"split": landed.labels}
