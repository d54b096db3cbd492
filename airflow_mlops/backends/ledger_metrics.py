"""The ledgers' numbers in Prometheus' text format: an exporter, and what it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from airflow_mlops.backends.ledger_reader import LedgerReader
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.model_metrics import FAMILIES, Family, Sample, ledger_samples
from airflow_mlops.exceptions import MlopsError

PREFIX = "mlops_"


class LedgerCollector(Collector):
    """Lists the ledgers each time it is asked, and counts anew where something has come or gone: a scrape of
    years of entries costs what a listing does."""

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger
        self._one_at_a_time = threading.Lock()
        self._counted: dict[str, tuple[Sequence[Entry], list[Sample]]] = {}

    def describe(self) -> Iterable[Metric]:
        """The names alone, so that registering it reads nothing."""
        return _families().values()

    def collect(self) -> Iterator[Metric]:
        """Every family, of all models."""
        with self._one_at_a_time:
            found = self._samples()
        families = _families()
        readable = GaugeMetricFamily(
            f"{PREFIX}ledger_readable", "1, or 0 where an entry cannot be read", labels=["model"]
        )
        for model, samples in sorted(found.items()):
            readable.add_metric([model], float(samples is not None))
            for sample in samples or ():
                families[sample.name].add_metric([model, *sample.labels], float(sample.value))
        yield readable
        yield from families.values()

    def _samples(self) -> dict[str, list[Sample] | None]:
        """Each model's, by the entries that they were counted from; None where one cannot be read."""
        ledgers = self._ledger.all_entries()
        before, self._counted = self._counted, {}
        for model, entries in ledgers.items():
            if isinstance(entries, MlopsError):
                continue
            known = before.get(model)
            if known is None or known[0] is not entries:
                known = entries, ledger_samples(entries)
            self._counted[model] = known
        return {model: self._counted[model][1] if model in self._counted else None for model in ledgers}


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
