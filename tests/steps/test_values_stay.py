"""What travels (XCom, ledger, log, alerts, errors) holds no value out of anybody's row: keys, categories,
labels, numbers written as text. Each of them bears a mark here."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from airflow_mlops.config.parts.data import ExpectationConfig
from airflow_mlops.core.alerting import Alert
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.news import EVENTS, news
from airflow_mlops.exceptions import MlopsError
from airflow_mlops.notifications.shown import shown
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.data_quality import data_quality
from airflow_mlops.steps.decide import decide
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.performance import performance
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    CollectedRequest,
    CollectRequest,
    DatasetRequest,
    DecideRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train
from airflow_mlops.steps.validate import validate

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
MARK = "zqx"
Change = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass
class Travelled:
    """All that steps handed on."""

    texts: list[str] = field(default_factory=list)
    failed: str | None = None

    def did(self, step: Callable[..., Any], *given: Any) -> Any:
        result = step(*given)
        if result is not None:
            self.texts.append(TypeAdapter(type(result)).dump_json(result).decode())
        return result

    def refused(self, error: MlopsError) -> None:
        """With every error that it came from, as a task's log has it."""
        self.failed = str(error)
        self.texts += traceback.format_exception(error)

    def heard(self, entries: list[Entry], records: list[logging.LogRecord]) -> None:
        self.texts += [TypeAdapter(Entry).dump_json(entry).decode() for entry in entries]
        self.texts += [logging.Formatter().format(record) for record in records]
        for item in news(entries):
            said = shown(Alert(item, "ops", EVENTS[item.event].severity, "new"), {}, "tests")
            self.texts.append(json.dumps(said))


def marked(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(id=MARK + rows["id"], plan=MARK + rows["plan"])


def half(rows: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    odd = np.arange(len(rows)) % 2 == 1
    return rows.assign(**{column: rows[column].astype(object).mask(odd, value)})


def one_key(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(id=f"{MARK}1")


@pytest.fixture
def travel(
    config: Any, backends: Any, make_run: Any, root: Any, caplog: Any, capfd: Any
) -> Callable[..., Travelled]:
    """``travel(training, serving, labels)``: the loop on changed rows, until something is refused."""
    caplog.set_level(logging.DEBUG)
    checks = [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "plan", "value_set": ["free"]}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "plan", "min_value": 0}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "plan", "min_value": 0}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    ]
    expectations = [ExpectationConfig.model_validate({**one, "severity": "warning"}) for one in checks]
    validation = config.validation.model_copy(update={"expectations": expectations})
    config = config.model_copy(update={"validation": validation})
    path = root / "rows" / "all.parquet"
    rows = marked(pd.read_parquet(path))

    def one_loop(into: Travelled, serving: Change, labels: Change) -> None:
        run = make_run(40)
        taken = into.did(snapshot, SnapshotRequest(config, run), backends)
        into.did(validate, DatasetRequest(config, run, taken), backends)
        trained = into.did(train, TrainRequest(config, run, taken), backends)
        evaluation = into.did(evaluate, EvaluateRequest(config, run, taken, trained), backends)
        verdict = into.did(gate, GateRequest(config, run, taken, trained, evaluation), backends)
        asked = RegisterRequest(config, run, taken, trained, evaluation, verdict)
        model = into.did(register, asked, backends)
        backends.tracking.set_alias("churn", "champion", model.version)
        _serve(rows, serving, labels, root)
        monitor = make_run(50, dag="monitor")
        collected = into.did(collect, CollectRequest(config, monitor), backends)
        look = CollectedRequest(config, monitor, collected)
        found = [into.did(step, look, backends) for step in (data_quality, drift, performance)]
        into.did(decide, DecideRequest(config, monitor, collected, *found), backends)

    def loop(
        training: Change = lambda rows: rows,
        serving: Change = lambda rows: rows,
        labels: Change = lambda rows: rows,
    ) -> Travelled:
        into = Travelled()
        training(rows).to_parquet(path)
        try:
            one_loop(into, serving, labels)
        except MlopsError as error:
            into.refused(error)
        into.heard(backends.ledger.entries("churn"), caplog.records)
        into.texts += capfd.readouterr()
        return into

    return loop


def _serve(rows: pd.DataFrame, serving: Change, labels: Change, root: Any) -> None:
    rows = rows[(rows["at"] >= START + timedelta(days=40)) & (rows["at"] < START + timedelta(days=50))]
    own = {"request_id": "q", "version": "1", "role": "champion", "mode": "none", "weight": 0.0}
    own |= {"rollout_id": None, "error": None, "latency_seconds": 0.001}
    asked = serving(rows)
    log = asked.drop(columns=["churned", "at", "id"]).assign(
        key=asked["id"], event_time=rows["at"], received_at=rows["at"], prediction=0.5, **own
    )
    folder = root / "inference" / "churn" / "date=2025-01-01"
    folder.mkdir(parents=True, exist_ok=True)
    log.astype({"rollout_id": "string", "error": "string"}).to_parquet(folder / "part.parquet")
    labels(rows[["id", "at", "churned"]]).to_parquet(root / "labels" / "landed.parquet")


def _assert_nothing_travelled(found: Travelled) -> None:
    assert [text for text in found.texts if MARK in text] == []


def test_nothing_of_a_row_travels_where_all_goes_well(travel: Callable[..., Travelled]) -> None:
    found = travel()
    assert found.failed is None
    assert len(found.texts) > 10
    _assert_nothing_travelled(found)


@pytest.mark.parametrize(
    ("training", "said"),
    [
        (lambda rows: half(rows, "age", f"{MARK}7").astype({"age": str}), "age is"),
        (lambda rows: rows.assign(churned=MARK), "another churned|one class only"),
        (lambda rows: rows.assign(churned=MARK + rows["churned"].astype(str)), "numbered from 0"),
        (one_key, "repeat a 'id'"),
        (lambda rows: rows.assign(at=MARK), "holds"),
    ],
    ids=["a number as text", "one label", "labels of words", "one key", "times of words"],
)  # fmt: skip
def test_rows_that_cannot_be_trained_on_are_refused_without_their_values(
    travel: Callable[..., Travelled], training: Change, said: str
) -> None:
    found = travel(training)
    assert found.failed is not None
    assert any(one in found.failed for one in said.split("|")), found.failed
    _assert_nothing_travelled(found)


@pytest.mark.parametrize(
    ("serving", "labels"),
    [
        (lambda rows: rows.assign(plan=f"{MARK}new"), lambda rows: rows),
        (lambda rows: rows.assign(age=[f"{MARK}{at}" for at in range(len(rows))]), lambda rows: rows),
        (lambda rows: rows.assign(spend=rows["spend"] * 1000), lambda rows: rows),
        (lambda rows: rows, lambda rows: rows.assign(churned=MARK + rows["churned"].astype(str))),
        (lambda rows: rows, lambda rows: rows.assign(churned=MARK)),
        (one_key, one_key),
        (lambda rows: rows, lambda rows: rows.iloc[:0]),
    ],
    ids=["new category", "number as text", "unit", "labels of words", "one label", "one key", "no labels"],
)  # fmt: skip
def test_what_the_monitor_finds_is_told_without_values(
    travel: Callable[..., Travelled], serving: Change, labels: Change
) -> None:
    _assert_nothing_travelled(travel(serving=serving, labels=labels))
