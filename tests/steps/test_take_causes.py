"""Causes are taken once each, whatever is killed: real processes, a real ledger, ``kill -9``."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.backends.base import Endpoints, LedgerStore
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.causes import Taker
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.take_causes import take_causes

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
CAUSES: Any = ("drift", "retrain")
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerStore:
    return connect(Endpoints(store=str(tmp_path))).ledger


def fire(ledger: LedgerStore, model: str, number: int) -> None:
    """What the monitor writes: every third time a request to retrain, else a drift."""
    at = START + timedelta(hours=number)
    common = {"dag_id": f"{model}.monitor", "run_id": f"r{number}", "reasons": (f"reason {number}",)}
    if number % 3 == 0:
        ledger.append(Entry(model, "retrain_requested", f"q{number}", at, **common))
        return
    window = Window(at - timedelta(hours=1), at)
    data = {"cause": "drift", "features": [f"f{number}"], "scores": {f"f{number}": 0.3}}
    ledger.append(Entry(model, "cause_found", f"drift {number}", at, window=window, data=data, **common))


def taker(run: str, consumer: str = "mine") -> Taker:
    return Taker(consumer, consumer, run, START)


def test_a_retry_finds_what_its_run_took_and_another_run_finds_nothing(ledger: LedgerStore) -> None:
    for number in range(4):
        fire(ledger, "churn", number)
    first = take_causes(ledger, "churn", CAUSES, taker("1"))
    assert [event.subject for event in first] == ["q0", "drift 1", "drift 2", "q3"]
    assert take_causes(ledger, "churn", CAUSES, taker("2")) == []
    fire(ledger, "churn", 4)
    assert [event.subject for event in take_causes(ledger, "churn", CAUSES, taker("1"))][-1] == "drift 4"


def test_another_consumer_takes_the_same_findings_but_no_request(ledger: LedgerStore) -> None:
    for number in range(4):
        fire(ledger, "churn", number)
    take_causes(ledger, "churn", CAUSES, taker("1"))
    others = take_causes(ledger, "churn", CAUSES, taker("1", "another"))
    assert [event.subject for event in others] == ["drift 1", "drift 2"]


MODELS = [f"model_{number}" for number in range(20)]
EACH = 25


@pytest.mark.slow
def test_of_500_causes_of_20_models_each_is_taken_once_while_takers_are_killed(tmp_path: Path) -> None:
    """Two runs of each model's consumer at once, each killed up to twice in the middle and tried again, while
    the causes come in; then a last run each, as the next event would start it."""
    chance = random.Random(7)
    writer = FORK.Process(target=_fire_all, args=(tmp_path,))
    writer.start()
    killed = 0
    for model in MODELS:
        killed += _run_together([(tmp_path, model, f"{model} run {number}") for number in (1, 2)], chance)
    writer.join()
    assert writer.exitcode == 0
    for model in MODELS:
        _take(tmp_path, model, f"{model} last run")

    results = [json.loads(file.read_text()) for file in (tmp_path / "results").iterdir()]
    taken = Counter((result["model"], subject) for result in results for subject in result["subjects"])
    assert len(taken) == len(MODELS) * EACH == 500
    assert set(taken.values()) == {1}
    assert killed > 15, "hardly anything was killed in the middle"


def _fire_all(store: Path) -> None:
    ledger = connect(Endpoints(store=str(store))).ledger
    all_of_them = [(model, number) for model in MODELS for number in range(EACH)]
    random.Random(1).shuffle(all_of_them)
    for model, number in all_of_them:
        fire(ledger, model, number)


def _take(store: Path, model: str, run: str) -> None:
    """One try of a run: what it ends with is what it acts on."""
    taken = take_causes(connect(Endpoints(store=str(store))).ledger, model, CAUSES, taker(run, model))
    done = store / "results" / f"{run}.json"
    done.parent.mkdir(exist_ok=True)
    half = done.with_suffix(f".{os.getpid()}.tmp")
    half.write_text(json.dumps({"model": model, "subjects": [event.subject for event in taken]}))
    half.replace(done)


def _run_together(tries: list[tuple[Path, str, str]], chance: random.Random) -> int:
    killed = 0
    processes = {one: _start(_take, one) for one in tries}
    for one, process in processes.items():
        for _ in range(2):
            process.join(chance.uniform(0, 0.02))
            if process.exitcode is not None:
                break
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
            killed += 1
            process = _start(_take, one)
        process.join()
        assert process.exitcode == 0
    for half in (tries[0][0] / "results").glob("*.tmp"):
        half.unlink()
    return killed


def _start(work: Callable[..., None], arguments: tuple[Any, ...]) -> Any:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    time.sleep(0)
    return process
