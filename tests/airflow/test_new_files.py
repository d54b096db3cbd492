"""The watcher of files: what is new, what is settled, and what a restarted triggerer remembers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from airflow_mlops.triggers.files import NewFilesTrigger, Seen

LOOK = 0.02


class States:
    """Airflow's store of asset states, as far as a trigger sees it."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}

    async def aget(self, key, default=None):
        return self.kept.get(key, default)

    async def aset(self, key, value):
        self.kept[key] = value


@pytest.fixture
def inbox(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AIRFLOW__MLOPS__STORE", str(tmp_path))
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


class Triggerer:
    """Runs a watcher as the triggerer does; stopping it is a restart."""

    def __init__(self, states: States | None, path: str = "inbox/*.csv") -> None:
        self.trigger = NewFilesTrigger(asset="rain/files", path=path, poll_interval=LOOK)
        if states is not None:
            self.trigger.asset_state_store = states
        self.events: list[list[str]] = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self._run())
        await self.looks()
        return self

    async def _run(self):
        async for told in self.trigger.run():
            self.events.append([Path(name).name for name in told.payload["files"]])

    async def looks(self):
        await asyncio.sleep(12 * LOOK)

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_files_that_are_there_already_are_not_new_and_each_later_one_is_told_of_once(inbox):
    async def watch():
        (inbox / "old.csv").touch()
        async with Triggerer(States()) as triggerer:
            (inbox / "new.csv").touch()
            await triggerer.looks()
            (inbox / "a.csv").touch()
            (inbox / "b.csv").touch()
            await triggerer.looks()
            return triggerer.events

    told = asyncio.run(watch())
    assert told[0] == ["new.csv"]
    assert sorted(name for names in told[1:] for name in names) == ["a.csv", "b.csv"]


def test_other_names_folders_and_files_that_are_being_written_are_passed_over(inbox):
    async def watch():
        async with Triggerer(States(), "inbox") as triggerer:
            (inbox / ".half.csv").touch()
            (inbox / "_half.csv").touch()
            (inbox / "folder").mkdir()
            for size in range(40):
                (inbox / "growing.csv").write_text("x" * size)
                await asyncio.sleep(LOOK / 4)
            growing = list(triggerer.events)
            await triggerer.looks()
            return growing, triggerer.events

    growing, told = asyncio.run(watch())
    assert growing == []
    assert told == [["growing.csv"]]


def test_a_triggerer_that_is_restarted_tells_of_what_came_meanwhile_and_of_nothing_twice(inbox):
    async def watch():
        states = States()
        async with Triggerer(states) as first:
            (inbox / "before.csv").touch()
            await first.looks()
        (inbox / "between.csv").touch()
        async with Triggerer(states) as second:
            await second.looks()
        async with Triggerer(states) as third:
            await third.looks()
        return first.events, second.events, third.events

    assert asyncio.run(watch()) == ([["before.csv"]], [["between.csv"]], [])


def test_a_file_that_is_moved_in_with_an_old_date_is_new(inbox, tmp_path):
    import os

    async def watch():
        old = tmp_path / "elsewhere.csv"
        old.touch()
        os.utime(old, (0, 0))
        async with Triggerer(States()) as triggerer:
            old.rename(inbox / "moved.csv")
            await triggerer.looks()
            return triggerer.events

    assert asyncio.run(watch()) == [["moved.csv"]]


def test_before_airflow_3_3_there_is_no_store_and_the_watch_goes_on_in_memory(inbox):
    async def watch():
        async with Triggerer(None) as triggerer:
            (inbox / "new.csv").touch()
            await triggerer.looks()
            return triggerer.events

    assert asyncio.run(watch()) == [["new.csv"]]


def test_another_path_is_watched_from_its_own_beginning(inbox):
    async def watch():
        states = States()
        async with Triggerer(states) as first:
            await first.looks()
        (inbox / "other.txt").touch()
        async with Triggerer(states, "inbox/*.txt") as second:
            await second.looks()
            return second.events

    assert asyncio.run(watch()) == []


def test_a_folder_that_is_away_is_looked_at_again(inbox, monkeypatch):
    from airflow_mlops.triggers import files

    async def watch():
        async with Triggerer(States()) as triggerer:
            real = files._files
            monkeypatch.setattr(
                files, "_files", lambda pattern: (_ for _ in ()).throw(OSError("stale handle"))
            )
            await triggerer.looks()
            monkeypatch.setattr(files, "_files", real)
            (inbox / "new.csv").touch()
            await triggerer.looks()
            return triggerer.events

    assert asyncio.run(watch()) == [["new.csv"]]


def test_two_files_of_one_moment_are_told_apart():
    seen = Seen().with_files({"a": (7, 1)})
    assert seen.new({"a": (7, 1), "b": (7, 1)}) == ["b"]
    assert seen.with_files({"b": (7, 1)}).new({"a": (7, 1), "b": (7, 1)}) == []
    assert seen.new({"c": (6, 1)}) == []
