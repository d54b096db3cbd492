"""The ledgers' numbers in Prometheus' text format: an exporter, and what it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from airflow_mlops.backends.ledger_reader import LedgerReader
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.model_metrics import FAMILIES, Family, ledger_samples
from airflow_mlops.exceptions import MlopsError

PREFIX = "mlops_"


class LedgerCollector(Collector):
    """Reads the ledgers each time it is asked: there is no state that could be old."""

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger
        self._one_at_a_time = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """The names alone, so that registering it reads nothing."""
        return _families().values()

    def collect(self) -> Iterator[Metric]:
        """Every family, of all models."""
        with self._one_at_a_time:
            found = self._ledger.all_entries()
        families = _families()
        readable = GaugeMetricFamily(
            f"{PREFIX}ledger_readable", "1, or 0 where an entry cannot be read", labels=["model"]
        )
        for model, entries in sorted(found.items()):
            readable.add_metric([model], float(not isinstance(entries, MlopsError)))
            if not isinstance(entries, MlopsError):
                _add(families, model, entries)
        yield readable
        yield from families.values()


def metrics_page(ledger: LedgerReader) -> str:
    """What the exporter answers, once. Raises ``StoreUnavailable``."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ledger))
    return generate_latest(registry).decode()


def serve_metrics(
    ledger: LedgerReader, *, host: str, port: int, certificate: str | None = None, key: str | None = None
) -> tuple[int, threading.Thread]:
    """Answer at ``/metrics`` from now on; the port, and the thread that does it. Raises ``OSError``."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ledger))
    server, thread = start_http_server(port, host, registry, certfile=certificate, keyfile=key)
    return int(server.server_port), thread


def _families() -> dict[str, GaugeMetricFamily | CounterMetricFamily]:
    return {name: _family(name, family) for name, family in FAMILIES.items()}


def _family(name: str, family: Family) -> GaugeMetricFamily | CounterMetricFamily:
    kind = GaugeMetricFamily if family.kind == "gauge" else CounterMetricFamily
    # The client puts _total behind a counter's name itself.
    return kind(f"{PREFIX}{name.removesuffix('_total')}", family.help, labels=["model", *family.labels])


def _add(
    families: dict[str, GaugeMetricFamily | CounterMetricFamily], model: str, entries: list[Entry]
) -> None:
    for sample in ledger_samples(entries):
        families[sample.name].add_metric([model, *sample.labels], float(sample.value))
