"""What Prometheus reads at ``/metrics``, on a registry of the gateway's own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from airflow_mlops.core.values import Role

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class GatewayMetrics:
    """Counters and gauges by the words of the gateway; every time is in seconds."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._registry = CollectorRegistry()
        registry, prefix = self._registry, "mlops_gateway"
        self._requests = Counter(
            f"{prefix}_requests", "Requests to /predict and /invocations", ["code"], registry=registry
        )
        self._in_flight = Gauge(
            f"{prefix}_requests_in_flight", "Requests to them under way", registry=registry
        )
        self._request_seconds = Histogram(
            f"{prefix}_request_seconds", "Whole requests to them", buckets=_SECONDS, registry=registry
        )
        self._rows = Counter(f"{prefix}_rows", "Rows predicted", ["version", "role"], registry=registry)
        self._errors = Counter(
            f"{prefix}_row_errors", "Rows a version raised on", ["version", "role"], registry=registry
        )
        self._model_seconds = Histogram(
            f"{prefix}_model_seconds", "Calls of a model", ["version"], buckets=_SECONDS, registry=registry
        )
        self._weight = Gauge(f"{prefix}_challenger_weight", "Challenger's share of rows", registry=registry)
        self._ready = Gauge(
            f"{prefix}_ready", "Whether a champion is loaded and answers", ["model"], registry=registry
        )
        self._info = Gauge(
            f"{prefix}_model_info", "Versions that serve", ["model", "version", "role"], registry=registry
        )
        self._written = Counter(f"{prefix}_log_rows_written", "Log rows on disk", registry=registry)
        self._dropped = Counter(f"{prefix}_log_rows_dropped", "Log rows given up", registry=registry)
        self._shadow_dropped = Counter(
            f"{prefix}_shadow_rows_dropped", "Rows the shadow had no time for", registry=registry
        )
        self._load_failures = Counter(
            f"{prefix}_load_failures", "Versions that did not load", ["version"], registry=registry
        )
        self._log_bytes = Gauge(f"{prefix}_log_bytes", "The log on the server's disk", registry=registry)
        self._memory = Gauge(f"{prefix}_memory_bytes", "Memory that the process holds", registry=registry)
        # Looking a label up costs as much as all else that a request counts.
        self._by_code: dict[int, Counter] = {}
        self._by_version: dict[tuple[str, Role], tuple[Counter, Histogram]] = {}

    def watch_in_flight(self, requests: Callable[[], int]) -> None:
        """Ask for the requests under way when Prometheus does."""
        self._in_flight.set_function(requests)

    def watch_ready(self, is_ready: Callable[[], bool]) -> None:
        """Ask whether a champion answers when Prometheus does."""
        self._ready.labels(self._model).set_function(is_ready)

    def watch_sizes(self, *, log: Callable[[], int], memory: Callable[[], int | None]) -> None:
        self._log_bytes.set_function(log)
        self._memory.set_function(lambda: memory() or 0)

    def request(self, code: int, seconds: float) -> None:
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._requests.labels(str(code))
        counter.inc()
        self._request_seconds.observe(seconds)

    def answered(self, version: str, role: Role, rows: int, seconds: float) -> None:
        found = self._by_version.get((version, role))
        if found is None:
            found = self._rows.labels(version, role), self._model_seconds.labels(version)
            self._by_version[version, role] = found
        found[0].inc(rows)
        found[1].observe(seconds)

    def failed(self, version: str, role: Role, rows: int) -> None:
        self._errors.labels(version, role).inc(rows)

    def routing(self, versions: dict[Role, str], weight: float) -> None:
        """Show who serves now, and nobody else."""
        self._info.clear()
        for role, version in versions.items():
            self._info.labels(self._model, version, role).set(1)
        self._weight.set(weight)

    def load_failed(self, version: str) -> None:
        self._load_failures.labels(version).inc()

    def written(self, rows: int) -> None:
        self._written.inc(rows)

    def dropped(self, rows: int) -> None:
        self._dropped.inc(rows)

    def shadow_dropped(self, rows: int) -> None:
        self._shadow_dropped.inc(rows)

    def page(self) -> bytes:
        """The text format that Prometheus scrapes."""
        return generate_latest(self._registry)
