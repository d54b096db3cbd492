"""``airflow-mlops metrics``: the ledgers of all models, for any Prometheus."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from airflow_mlops.backends import ledger_metrics
from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.backends.ledger_metrics import serve_metrics
from airflow_mlops.backends.ledger_reader import LedgerReader
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.cli.main import main
from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.model_metrics import Sample, ledger_samples
from airflow_mlops.exceptions import MlopsError, StoreUnavailable

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def write(store: Path, model: str, kind: EntryKind, subject: str, minute: int = 0) -> None:
    at = NOON + timedelta(minutes=minute)
    entry = Entry(model, kind, subject, at, f"{model}.deploy", f"run {minute}", version=subject)
    connect(Endpoints(store=str(store))).ledger.append(entry)


def values(page: str) -> dict[str, float]:
    """Each sample's value, by its name and labels as they are written."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_it_prints_every_models_numbers_once(tmp_path: Path) -> None:
    write(tmp_path, "churn", "promoted", "3")
    write(tmp_path, "rain", "promoted", "7")
    done = CliRunner().invoke(main, ["metrics", "--store", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = values(done.output)
    assert found["mlops_champion_version[('model', 'churn')]"] == 3
    assert found["mlops_champion_version[('model', 'rain')]"] == 7
    assert found["mlops_rollouts_total[('model', 'rain'), ('outcome', 'promoted')]"] == 1


def test_an_entry_that_cannot_be_read_hides_no_other_model(tmp_path: Path) -> None:
    write(tmp_path, "churn", "promoted", "3")
    write(tmp_path, "rain", "promoted", "7")
    (tmp_path / "ledger" / "rain" / "promoted-x.json").write_text("{")
    found = values(CliRunner().invoke(main, ["metrics", "--store", str(tmp_path)]).output)
    assert found["mlops_ledger_readable[('model', 'rain')]"] == 0
    assert found["mlops_ledger_readable[('model', 'churn')]"] == 1
    assert "mlops_champion_version[('model', 'rain')]" not in found


def test_a_scrape_sees_what_was_written_since_the_last_and_reads_only_that(tmp_path: Path) -> None:
    write(tmp_path, "churn", "promoted", "3")
    reader = LedgerReader(LocalStore(tmp_path))
    port, _ = serve_metrics(reader, host="127.0.0.1", port=0)
    url = f"http://127.0.0.1:{port}/metrics"
    assert values(httpx.get(url).text)["mlops_champion_version[('model', 'churn')]"] == 3
    (known,) = (tmp_path / "ledger" / "churn").iterdir()
    known.write_text("no longer readable, and not read again")
    write(tmp_path, "churn", "promoted", "4", minute=1)
    assert values(httpx.get(url).text)["mlops_champion_version[('model', 'churn')]"] == 4


def test_a_scrape_counts_nothing_where_nothing_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    def counting(entries: Sequence[Entry]) -> list[Sample]:
        counted.append(entries[0].model)
        return ledger_samples(entries)

    monkeypatch.setattr(ledger_metrics, "ledger_samples", counting)
    write(tmp_path, "churn", "promoted", "3")
    write(tmp_path, "rain", "promoted", "7")
    collector = ledger_metrics.LedgerCollector(LedgerReader(LocalStore(tmp_path)))
    first = [family.samples for family in collector.collect()]
    assert [family.samples for family in collector.collect()] == first
    assert sorted(counted) == ["churn", "rain"]
    write(tmp_path, "rain", "promoted", "8", minute=1)
    list(collector.collect())
    assert counted[2:] == ["rain"]


def test_what_was_moved_out_of_a_ledger_is_no_longer_counted(tmp_path: Path) -> None:
    write(tmp_path, "churn", "promoted", "3")
    (old,) = (tmp_path / "ledger" / "churn").iterdir()
    write(tmp_path, "churn", "promoted", "4", minute=1)
    write(tmp_path, "rain", "promoted", "7")
    reader = LedgerReader(LocalStore(tmp_path))
    assert _subjects(reader) == {"churn": ["3", "4"], "rain": ["7"]}
    archive = tmp_path / "archive"
    archive.mkdir()
    old.rename(archive / old.name)
    shutil.rmtree(tmp_path / "ledger" / "rain")
    assert _subjects(reader) == {"churn": ["4"]}
    (archive / old.name).rename(old)
    assert _subjects(reader) == {"churn": ["3", "4"]}


def _subjects(reader: LedgerReader) -> dict[str, list[str]]:
    ledgers = reader.all_entries().items()
    return {
        model: [one.subject for one in entries]
        for model, entries in ledgers
        if not isinstance(entries, MlopsError)
    }


def test_a_store_that_is_away_is_a_failed_scrape_and_not_an_empty_one(tmp_path: Path) -> None:
    class Away(LocalStore):
        def keys(self, prefix: str) -> list[str]:
            raise StoreUnavailable("the store cannot be reached")

    port, _ = serve_metrics(LedgerReader(Away(tmp_path)), host="127.0.0.1", port=0)
    assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 500


def test_a_store_without_a_ledger_is_said_to_have_none(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["metrics", "--store", str(tmp_path / "stroe")])
    assert done.exit_code == 0
    assert "has no ledger yet" in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    port, _ = serve_metrics(LedgerReader(LocalStore(tmp_path)), host="127.0.0.1", port=0)
    done = CliRunner().invoke(main, ["metrics", "--store", str(tmp_path), "--port", str(port)])
    assert done.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.output


def test_the_names_keep_to_prometheus_conventions(tmp_path: Path) -> None:
    beside = Path(sys.executable).parent / "promtool"
    promtool = str(beside) if beside.is_file() else shutil.which("promtool")
    if promtool is None:
        pytest.skip("no Prometheus here: make prometheus gets one")
    write(tmp_path, "churn", "promoted", "3")
    page = CliRunner().invoke(main, ["metrics", "--store", str(tmp_path)]).output
    done = subprocess.run([promtool, "check", "metrics"], input=page, text=True, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
