"""What the pods of a version have counted, and how much of it belongs to the present stage.

A pod's counters begin with its process and end with it. A stage's numbers are therefore kept as sums over
processes: where each stood when the stage began, and where it was seen last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import Any

from airflow_mlops.core.values import ArmObservation

_PREFIX = "mlops_gateway"
ROWS, ERRORS, SECONDS = (
    f"{_PREFIX}_rows_total",
    f"{_PREFIX}_row_errors_total",
    f"{_PREFIX}_model_seconds_bucket",
)
REQUESTS, STARTED = f"{_PREFIX}_requests_total", f"{_PREFIX}_request_seconds_created"
_CALLERS_FAULT, _SERVERS_FAULT = 400, 500


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows answered and in error, requests and those of them in error, and calls of the model no longer than
    each bound, in seconds."""

    answered: float = 0.0
    errors: float = 0.0
    requests: float = 0.0
    failed: float = 0.0
    buckets: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        bounds = {**self.buckets, **other.buckets}
        return Counts(
            self.answered + other.answered,
            self.errors + other.errors,
            self.requests + other.requests,
            self.failed + other.failed,
            {one: self.buckets.get(one, 0.0) + other.buckets.get(one, 0.0) for one in bounds},
        )

    def __sub__(self, other: Counts) -> Counts:
        buckets = {bound: -count for bound, count in other.buckets.items()}
        return self + Counts(-other.answered, -other.errors, -other.requests, -other.failed, buckets)


@dataclass(frozen=True, slots=True)
class ProcessCounts:
    """One server process's counters. ``process`` tells it from the one before in the same pod."""

    version: str
    pod: str
    process: str
    counts: Counts


Sample = tuple[str, Mapping[str, str], float]


def samples_of(page: str) -> list[Sample]:
    """The samples of a ``/metrics`` page. Raises ``ValueError`` for anything else."""
    from prometheus_client.parser import text_string_to_metric_families

    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]


def process_counts(version: str, pod: str, samples: Iterable[Sample]) -> ProcessCounts:
    """The counters of a process by its samples; rows of other versions are none of its own.

    A server of one version answers all its requests by it. What its callers did wrong (4xx) is no error of
    the version, and tells nothing of it."""
    answered = errors = requests = failed = 0.0
    buckets: dict[str, float] = {}
    process = ""
    for name, labels, value in samples:
        if name == STARTED:
            process = f"{value:.6f}"
        elif name == REQUESTS:
            code = int(labels["code"])
            requests += value if code < _CALLERS_FAULT or code >= _SERVERS_FAULT else 0.0
            failed += value if code >= _SERVERS_FAULT else 0.0
        elif labels.get("version") != version:
            continue
        elif name == ROWS:
            answered += value
        elif name == ERRORS:
            errors += value
        elif name == SECONDS:
            buckets[labels["le"]] = buckets.get(labels["le"], 0.0) + value
    return ProcessCounts(
        version, pod, f"{pod}/{process}", Counts(answered, errors, requests, failed, buckets)
    )


@dataclass(frozen=True, slots=True)
class StageCounts:
    """What a stage has seen. ``begun`` and ``seen`` are by process; ``ended`` is what processes that are gone
    have counted in it, by version."""

    since: datetime | None = None
    begun: Mapping[str, ProcessCounts] = field(default_factory=dict)
    seen: Mapping[str, ProcessCounts] = field(default_factory=dict)
    ended: Mapping[str, Counts] = field(default_factory=dict)

    @classmethod
    def begin(cls, since: datetime, now: Iterable[ProcessCounts]) -> StageCounts:
        """A stage that begins with the counters as they stand."""
        begun = {one.process: one for one in now}
        return cls(since, begun, dict(begun))

    def look(self, now: Iterable[ProcessCounts], alive: Iterable[str]) -> StageCounts:
        """The stage after another look. ``alive`` are the pods that are there, answering or not: a process
        is gone when its pod is, or when its pod has another one. A process that was not there when the stage
        began has counted for it from nought."""
        fresh = {one.process: one for one in map(self._told_apart, now)}
        replaced = {one.pod for one in fresh.values()}
        kept = {
            name: one
            for name, one in self.seen.items()
            if name in fresh or (one.pod in set(alive) and one.pod not in replaced)
        }
        ended = dict(self.ended)
        for name, one in self.seen.items():
            if name not in kept:
                ended[one.version] = ended.get(one.version, Counts()) + self._since_begin(one)
        begun = {name: one for name, one in self.begun.items() if name in kept}
        return StageCounts(self.since, begun, {**kept, **fresh}, ended)

    def _told_apart(self, one: ProcessCounts) -> ProcessCounts:
        """Counters that went back are of another process, though its start is not among the metrics."""
        known = self.seen.get(one.process)
        if known is None or known.counts.answered <= one.counts.answered:
            return one
        return replace(one, process=f"{one.process}'")

    @property
    def edges(self) -> tuple[float, ...]:
        """The seconds that part the calls' latencies, the same for every version."""
        counted = [*self.ended.values(), *(one.counts for one in self.seen.values())]
        bounds = {float(bound) for one in counted for bound in one.buckets}
        return tuple(sorted(bound for bound in bounds if bound != inf))

    def arm(self, version: str) -> ArmObservation:
        total = self.ended.get(version, Counts())
        for one in self.seen.values():
            if one.version == version:
                total = total + self._since_begin(one)
        counts = {float(bound): count for bound, count in total.buckets.items()}
        up_to = [counts.get(bound, 0.0) for bound in (*self.edges, inf)]
        return ArmObservation(
            version=version,
            rows=round(total.answered + total.errors),
            errors=round(total.errors),
            latency_p50_seconds=quantile(total.buckets, 0.5),
            latency_p99_seconds=quantile(total.buckets, 0.99),
            calls=round(total.requests),
            failed_calls=round(total.failed),
            latencies=tuple(round(count - below) for below, count in pairwise([0.0, *up_to]))
            if self.edges
            else (),
        )

    def _since_begin(self, one: ProcessCounts) -> Counts:
        begun = self.begun.get(one.process)
        return one.counts if begun is None else one.counts - begun.counts

    def to_json(self) -> dict[str, Any]:
        return {
            "since": None if self.since is None else self.since.isoformat(),
            "begun": [_process_json(one) for one in self.begun.values()],
            "seen": [_process_json(one) for one in self.seen.values()],
            "ended": {version: _counts_json(one) for version, one in self.ended.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StageCounts:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what ``to_json`` did not give."""
        since = value["since"]
        return cls(
            None if since is None else datetime.fromisoformat(since),
            dict(_processes(value["begun"])),
            dict(_processes(value["seen"])),
            {version: Counts(*one) for version, one in value["ended"].items()},
        )


def quantile(buckets: Mapping[str, float], share: float) -> float | None:
    """Seconds that ``share`` of the calls stayed within, by a line through the bucket they are in, as
    Prometheus' ``histogram_quantile`` draws it; None without a call. Beyond the last bound it is that one."""
    bounds = sorted((float(bound), count) for bound, count in buckets.items())
    if not bounds or bounds[-1][1] <= 0:
        return None
    wanted = share * bounds[-1][1]
    below, counted = 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted:
            if bound == inf:
                return below
            return below + (bound - below) * (wanted - counted) / (count - counted)
        below, counted = bound, count
    raise AssertionError("the last bucket holds all calls")


def _process_json(one: ProcessCounts) -> list[Any]:
    return [one.version, one.pod, one.process, _counts_json(one.counts)]


def _counts_json(one: Counts) -> list[Any]:
    return [one.answered, one.errors, one.requests, one.failed, dict(one.buckets)]


def _processes(value: Iterable[Any]) -> Iterator[tuple[str, ProcessCounts]]:
    for version, pod, process, counts in value:
        yield process, ProcessCounts(version, pod, process, Counts(*counts))
