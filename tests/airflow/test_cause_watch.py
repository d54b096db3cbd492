"""The watch over causes: what wakes a DAG, what a restarted triggerer remembers, who is woken again."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk import Asset, AssetWatcher

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.causes import Taker
from airflow_mlops.core.ledger import Entry
from airflow_mlops.exceptions import StoreUnavailable
from airflow_mlops.steps.take_causes import take_causes
from airflow_mlops.triggers import CauseTrigger

LOOK = 0.01
DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)


class States:
    """Airflow's store of asset states, as far as a trigger sees it."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}

    async def aget(self, key, default=None):
        return self.kept.get(key, default)

    async def aset(self, key, value):
        self.kept[key] = value


@pytest.fixture
def ledger(mlops_store):
    return connect(Endpoints(store=str(mlops_store))).ledger


@pytest.fixture
def find(ledger):
    def write(*days: int, cause: str = "drift") -> None:
        for day in days:
            at, data = (
                DAY + timedelta(days=day),
                {"cause": cause, "features": ["age"], "scores": {"age": 0.4}},
            )
            ledger.append(
                Entry("churn", "cause_found", f"{cause} {day}", at, "churn.monitor", "r1", data=data)
            )

    return write


class Triggerer:
    """Runs a watch as the triggerer does; leaving the block is a restart."""

    def __init__(self, states: States | None, **options) -> None:
        path, arguments = CauseTrigger(model="churn", poll_interval=LOOK, **options).serialize()
        assert path == "airflow_mlops.triggers.causes.CauseTrigger"
        self.trigger = CauseTrigger(**arguments)
        if states is not None:
            self.trigger.asset_state_store = states
        self.events: list[list[str]] = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self._run())
        await self.looks()
        return self

    async def _run(self):
        async for told in self.trigger.run():
            self.events.append([cause["subject"] for cause in told.payload["causes"]])

    async def looks(self):
        await asyncio.sleep(12 * LOOK)

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_the_trigger_serves_an_asset_watcher():
    trigger = CauseTrigger(model="churn", causes=["drift"], consumer="act")
    asset = Asset("churn/watched", watchers=[AssetWatcher(name="drift", trigger=trigger)])
    assert asset.watchers[0].trigger is trigger


def test_a_dag_is_told_of_what_it_has_not_taken_and_not_of_what_it_has(find, ledger):
    async def watch():
        find(1, 2)
        take_causes(ledger, "churn", ["drift"], Taker("act", "act", "r0", DAY))
        find(3)
        find(3, cause="decay")
        async with Triggerer(States(), consumer="act") as triggerer:
            at_first = list(triggerer.events)
            find(4, 5)
            await triggerer.looks()
            return at_first, triggerer.events[1:]

    at_first, later = asyncio.run(watch())
    assert at_first == [["drift 3"]]
    assert [subject for told in later for subject in told] == ["drift 4", "drift 5"]


def test_a_restart_tells_nothing_twice_and_tells_what_came_meanwhile(find):
    async def watch(**options):
        states = States()
        async with Triggerer(states, **options) as first:
            find(1)
            await first.looks()
        find(2)
        async with Triggerer(states, **options) as second:
            await second.looks()
        async with Triggerer(states, **options) as third:
            await third.looks()
        return first.events, second.events, third.events

    assert asyncio.run(watch(consumer="act")) == ([["drift 1"]], [["drift 2"]], [])


def test_without_a_consumer_what_is_there_at_the_very_first_look_is_not_new(find):
    async def watch():
        states = States()
        find(1)
        async with Triggerer(states) as first:
            find(2)
            await first.looks()
        find(3)
        async with Triggerer(states) as second:
            await second.looks()
        return first.events, second.events

    assert asyncio.run(watch()) == ([["drift 2"]], [["drift 3"]])


def test_a_dag_that_was_paused_is_woken_again_until_it_takes_its_causes(find, ledger):
    async def watch():
        async with Triggerer(States(), consumer="act", remind_after=5 * LOOK) as triggerer:
            find(1)
            await triggerer.looks()
            await triggerer.looks()
            told = len(triggerer.events)
            take_causes(ledger, "churn", ["drift"], Taker("act", "act", "r1", DAY))
            await triggerer.looks()
            before = len(triggerer.events)
            await triggerer.looks()
            return told, triggerer.events[before:], set(map(tuple, triggerer.events))

    told, after, ever = asyncio.run(watch())
    assert told >= 2
    assert after == []
    assert ever == {("drift 1",)}


def test_before_airflow_3_3_a_restart_tells_again_what_nobody_has_taken(find, ledger):
    async def watch():
        async with Triggerer(None, consumer="act"):
            find(1)
        async with Triggerer(None, consumer="act") as second:
            told = list(second.events)
        take_causes(ledger, "churn", ["drift"], Taker("act", "act", "r1", DAY))
        async with Triggerer(None, consumer="act") as third:
            return told, third.events

    assert asyncio.run(watch()) == ([["drift 1"]], [])


def test_a_store_that_is_away_is_looked_at_again(find, monkeypatch):
    from airflow_mlops.triggers import causes

    async def watch():
        real = causes.connect_store
        away = lambda: (_ for _ in ()).throw(StoreUnavailable("the mount is stale"))  # noqa: E731
        monkeypatch.setattr(causes, "connect_store", away)
        async with Triggerer(States()) as triggerer:
            find(1)
            monkeypatch.setattr(causes, "connect_store", real)
            await triggerer.looks()
            find(2)
            await triggerer.looks()
            return triggerer.events

    assert asyncio.run(watch()) == [["drift 2"]], "the first look is the first that could be made"


def test_an_event_counts_all_and_carries_the_latest(find):
    async def one():
        find(*range(1, 31))
        trigger = CauseTrigger(model="churn", consumer="act")
        return (await anext(trigger.run())).payload

    told = asyncio.run(one())
    assert (told["model"], told["pending"], len(told["causes"])) == ("churn", 30, 20)
    assert told["causes"][-1] == {
        "model": "churn",
        "cause": "drift",
        "subject": "drift 30",
        "at": "2026-03-31T00:00:00Z",
        "window": None,
        "version": None,
        "reports": [],
        "features": ["age"],
        "scores": {"age": 0.4},
        "slices": [],
        "reasons": [],
    }
