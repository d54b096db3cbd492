"""What every ledger store holds to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_mlops.backends.base import LedgerStore
from airflow_mlops.backends.ledger_store import ObjectLedger
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import MlopsError

NOON = datetime(2025, 4, 1, 12, tzinfo=timezone.utc)
REGISTERED = Entry(
    model="flight_delay",
    kind="registered",
    subject="3",
    at=NOON,
    dag_id="flight_delay.train",
    run_id="scheduled__2025-04-01T00:00:00+00:00",
    actor="ada",
    version="3",
    reasons=("roc_auc 0.74 is at least 0.65",),
    evidence=("file:///store/reports/x.html",),
    window=Window(NOON - timedelta(days=30), NOON),
    data_version="abc",
    config_digest="def",
    data={"role": "challenger", "metrics": {"roc_auc": 0.74}, "steps": [0.1, 0.5]},
)


@pytest.fixture(params=["objects"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerStore:
    return ObjectLedger(LocalStore(tmp_path))


def test_an_entry_comes_back_equal_with_its_window_reasons_and_data(ledger: LedgerStore) -> None:
    assert ledger.append(REGISTERED) == REGISTERED
    assert ledger.entries("flight_delay") == [REGISTERED]


def test_entries_come_back_oldest_first_whatever_the_order_they_were_written_in(ledger: LedgerStore) -> None:
    later = replace(REGISTERED, subject="4", at=NOON + timedelta(hours=1))
    earlier = replace(REGISTERED, subject="2", at=NOON - timedelta(hours=1))
    for entry in (later, REGISTERED, earlier):
        ledger.append(entry)
    assert [entry.subject for entry in ledger.entries("flight_delay")] == ["2", "3", "4"]


def test_who_asks_for_some_kinds_reads_no_others(ledger: LedgerStore, tmp_path: Path) -> None:
    for kind in ("registered", "rollout_taken", "promoted"):
        ledger.append(replace(REGISTERED, kind=kind))
    (broken,) = (tmp_path / "ledger" / "flight_delay").glob("promoted-*.json")
    broken.write_text("{}")
    found = ledger.entries("flight_delay", ["rollout_taken", "registered"])
    assert {entry.kind for entry in found} == {"rollout_taken", "registered"}
    assert ledger.entries("flight_delay", ["failed"]) == []


def test_writing_an_entry_again_on_a_retry_keeps_the_first(ledger: LedgerStore) -> None:
    ledger.append(REGISTERED)
    again = ledger.append(replace(REGISTERED, at=NOON + timedelta(minutes=5)))
    assert again == REGISTERED
    assert ledger.entries("flight_delay") == [REGISTERED]


def test_of_two_runs_that_claim_one_rollout_the_second_sees_who_holds_it(ledger: LedgerStore) -> None:
    claims = [replace(REGISTERED, kind="rollout_taken", run_id=f"run {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        holders = {entry.run_id for entry in pool.map(ledger.append, claims)}
    assert len(holders) == 1
    assert [entry.run_id for entry in ledger.entries("flight_delay")] == list(holders)


def test_who_looks_again_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, other = (ObjectLedger(LocalStore(tmp_path)) for _ in range(2))
    seen, read, get = [], [], LocalStore.get
    for version in ("3", "4", "5"):
        other.append(replace(REGISTERED, subject=version))
        monkeypatch.setattr(LocalStore, "get", lambda store, key: read.append(key) or get(store, key))
        seen.append({entry.subject for entry in ledger.entries("flight_delay")})
    assert seen == [{"3"}, {"3", "4"}, {"3", "4", "5"}]
    assert len(read) == len(set(read)) == 3


def test_models_do_not_see_each_others_entries(ledger: LedgerStore) -> None:
    ledger.append(REGISTERED)
    ledger.append(replace(REGISTERED, model="flight_delay_2"))
    assert [entry.model for entry in ledger.entries("flight_delay")] == ["flight_delay"]
    assert ledger.entries("nobody") == []


def test_a_number_that_json_does_not_know_is_kept_as_null(ledger: LedgerStore) -> None:
    ledger.append(replace(REGISTERED, data={"score": float("nan")}))
    assert ledger.entries("flight_delay")[0].data == {"score": None}


@pytest.mark.parametrize("body", [b"", b"{", b'{"model": "m"}', b"[]"])
def test_a_damaged_entry_is_named_and_not_skipped(tmp_path: Path, body: bytes) -> None:
    store = LocalStore(tmp_path)
    store.put("ledger/flight_delay/promoted-1.json", body)
    with pytest.raises(MlopsError, match=r"ledger/flight_delay/promoted-1.json is not a ledger entry"):
        ObjectLedger(store).entries("flight_delay")


def test_fields_of_a_newer_version_are_read_past(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    ledger = ObjectLedger(store)
    ledger.append(REGISTERED)
    [key] = store.keys("ledger")
    store.put(key, store.get(key).replace(b"{", b'{"signed_by": "x",', 1))
    assert ledger.entries("flight_delay") == [REGISTERED]
