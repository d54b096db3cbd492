"""What every object store holds to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.exceptions import StoreUnavailable


@pytest.fixture(params=["local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    return LocalStore(tmp_path / "a folder with spaces" / "store")


@pytest.fixture(params=["file in the place of the root", "read-only file system"])
def broken_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "read-only file system":
        return LocalStore("/proc/sys/store")
    (tmp_path / "store").write_text("not a folder")
    return LocalStore(tmp_path / "store")


def test_what_is_put_is_got_back_and_the_uri_leads_to_it(store: ObjectStore) -> None:
    uri = store.put("reports/m/run 1/drift.html", b"\x00bytes")
    assert store.get("reports/m/run 1/drift.html") == b"\x00bytes"
    assert uri == store.uri("reports/m/run 1/drift.html")
    assert store.local_path(uri).read_bytes() == b"\x00bytes"
    assert store.local_path("reports/m/run 1/drift.html").read_bytes() == b"\x00bytes"


def test_put_replaces_and_put_new_does_not(store: ObjectStore) -> None:
    store.put("a/b", b"1")
    store.put("a/b", b"2")
    assert store.put_new("a/b", b"3") is False
    assert store.get("a/b") == b"2"
    assert store.put_new("a/c", b"3") is True
    assert store.get("a/c") == b"3"


def test_of_many_writers_at_once_one_wins_a_new_key(store: ObjectStore) -> None:
    start = Barrier(8)

    def claim(number: int) -> bool:
        start.wait()
        return store.put_new("ledger/m/claim", f"writer {number}".encode() * 1000)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(8)))
    assert won.count(True) == 1
    assert store.get("ledger/m/claim") == f"writer {won.index(True)}".encode() * 1000


def test_keys_are_listed_below_a_folder_sorted_and_nothing_else(store: ObjectStore) -> None:
    for key in ("ledger/b/2", "ledger/b/1", "ledger/b/deep/3", "ledger/bb/4", "other"):
        store.put(key, b"")
    assert store.keys("ledger/b") == ["ledger/b/1", "ledger/b/2", "ledger/b/deep/3"]
    assert store.keys("ledger/b/") == store.keys("ledger/b")
    assert store.keys("nothing/here") == []
    assert store.keys("")[-1] == "other"


def test_a_key_that_is_not_there_is_a_key_error(store: ObjectStore) -> None:
    store.put("folder/file", b"")
    for ask in (store.get, store.local_path):
        for key in ("nowhere", "folder"):
            with pytest.raises(KeyError, match=key):
                ask(key)
    with pytest.raises(KeyError):
        store.local_path(store.uri("nowhere"))


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/./b", "a/.hidden", "a\0b"]
)
def test_a_key_that_leads_out_of_the_store_is_refused(store: ObjectStore, key: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: store.put(key, b""),
        lambda: store.put_new(key, b""),
        lambda: store.get(key),
        lambda: store.uri(key),
        lambda: store.local_path(key),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="is not a key"):
            ask()


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "s3://bucket/key", "https://example.org/x"])
def test_a_uri_of_another_place_is_a_key_error(store: ObjectStore, uri: str) -> None:
    with pytest.raises(KeyError, match="not below the store"):
        store.local_path(uri)


def test_a_uri_that_climbs_out_of_the_store_is_refused(store: ObjectStore) -> None:
    climbing = store.uri("a") + "/../../../etc/passwd"
    with pytest.raises((KeyError, ValueError)):
        store.local_path(climbing)


def test_a_store_that_cannot_be_written_says_so_and_that_a_retry_can_help(broken_store: ObjectStore) -> None:
    for write in (broken_store.put, broken_store.put_new):
        with pytest.raises(StoreUnavailable, match=r"the store cannot use .*store.*: ") as caught:
            write("ledger/m/1", b"{}")
        assert caught.value.retry_can_help
        assert isinstance(caught.value.__cause__, OSError)


def test_a_written_object_is_there_whole_or_not_at_all(store: ObjectStore) -> None:
    with store.writing("a/large") as path:
        path.write_bytes(b"1" * 1_000)
        assert store.keys("a") == []
    assert store.get("a/large") == b"1" * 1_000

    def half() -> None:
        with store.writing("a/large") as path:
            path.write_bytes(b"2")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert store.get("a/large") == b"1" * 1_000
    assert store.keys("") == ["a/large"]


def test_a_name_is_held_by_one_at_a_time_and_others_are_told(store: ObjectStore) -> None:
    def hold(key: str) -> None:
        with store.exclusive(key):
            pass

    with store.exclusive("a/b"):
        with pytest.raises(StoreUnavailable, match=r"a/b in the store .* is being written by another task"):
            hold("a/b")
        hold("a/c")
    hold("a/b")
    assert store.keys("") == []
