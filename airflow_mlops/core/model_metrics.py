"""What is measured of a model, as numbers by name, and what its ledger gives of them.

The names are Prometheus' (https://prometheus.io/docs/practices/naming): base units, ``_total`` for what only
grows, ``_timestamp_seconds`` for moments, of which an age is made by ``time() - x``. Nothing is counted in a
process: counters are the ledger's entries, so that they survive every restart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from airflow_mlops.core.alerting import was_told
from airflow_mlops.core.ledger import (
    Entry,
    champion_at,
    in_order,
    open_rollout,
    pending_challengers,
    pending_requests,
)
from airflow_mlops.core.news import EVENTS, LOOKS, EventName, news, refusal_of
from airflow_mlops.core.standing import standing_of


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: what it is, and its labels beside the model's name."""

    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. ``labels`` are in the family's order; ``name`` is without any prefix."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "champion_info": Family("gauge", "The version that is champion, as a label", ("version",)),
        "champion_version": Family("gauge", "Number of the version that is champion"),
        "champion_since_timestamp_seconds": Family("gauge", "When the champion became that"),
        "monitored_timestamp_seconds": Family("gauge", "When a window was last looked at"),
        "window_end_timestamp_seconds": Family("gauge", "End of the latest window that was looked at"),
        "window_seconds": Family("gauge", "Length of that window"),
        "window_rows": Family("gauge", "Rows that were served in that window"),
        "drifted_columns_ratio": Family("gauge", "Share of the columns that have drifted, 0 to 1"),
        "prediction_drift_psi": Family("gauge", "How far the predictions have moved from the holdout's, PSI"),
        "drifted": Family("gauge", "1 where the latest window that could be compared has drifted, else 0"),
        "decayed": Family("gauge", "1 where the latest window with enough labels has decayed, else 0"),
        "upstream_fault": Family("gauge", "1 where the latest window's data came in broken, else 0"),
        "observed_metric": Family("gauge", "The metric on the labels that have landed", ("metric",)),
        "promised_metric": Family("gauge", "The metric that was promised at promotion", ("metric",)),
        "estimated_metric": Family(
            "gauge", "The metric that is estimated without labels, which decides nothing", ("metric",)
        ),
        "label_coverage_ratio": Family("gauge", "Share of the window's answers that have a label, 0 to 1"),
        "label_coverage_expected_ratio": Family(
            "gauge", "Share of its answers that usually has a label at that age, 0 to 1"
        ),
        "circuit_breaker_open": Family("gauge", "1 while the policy's circuit breaker is open, else 0"),
        "retrain_requests_pending": Family("gauge", "Requests for training that no run has taken"),
        "challengers_pending": Family("gauge", "Challengers that no rollout has taken"),
        "rollout_open": Family("gauge", "1 while a challenger is being rolled out, else 0"),
        "rollout_since_timestamp_seconds": Family("gauge", "When the open rollout began"),
        "rollout_stages": Family("gauge", "Stages of the open rollout, by how they stand", ("state",)),
        "windows_monitored_total": Family("counter", "Windows that were looked at"),
        "rows_monitored_total": Family("counter", "Rows in those windows"),
        "challengers_gated_total": Family("counter", "Challengers that were judged by gates", ("outcome",)),
        "versions_registered_total": Family("counter", "Versions that were registered", ("role",)),
        "retrains_requested_total": Family("counter", "Trainings that monitoring asked for", ("cause",)),
        "retrains_refused_total": Family(
            "counter", "Trainings that the policy refused", ("cause", "refusal")
        ),
        "rollouts_total": Family("counter", "Rollouts that have ended", ("outcome",)),
        "reversals_total": Family("counter", "Champions that were replaced by an earlier one"),
        "alerts_total": Family("counter", "Alerts that were told", ("event", "severity")),
    }
)


def ledger_samples(entries: Iterable[Entry]) -> list[Sample]:
    """Every number that a model's ledger gives. What is not known is left out, never zero."""
    entries = in_order(entries)
    return [*_champion(entries), *_windows(entries), *_standing(entries), *_counted(entries)]


def _champion(entries: Sequence[Entry]) -> Iterator[Sample]:
    reign = champion_at(entries)
    if reign is None:
        return
    yield Sample("champion_info", 1, (reign.subject,))
    if reign.subject.isdigit():
        yield Sample("champion_version", int(reign.subject))
    yield Sample("champion_since_timestamp_seconds", reign.at.timestamp())


def _windows(entries: Sequence[Entry]) -> Iterator[Sample]:
    looks = [entry for entry in entries if entry.kind in LOOKS and entry.window is not None]
    by_window = sorted(looks, key=lambda one: (one.window.end if one.window else one.at, one.at))
    monitored = [entry for entry in by_window if entry.kind == "monitored"]
    if monitored and (window := monitored[-1].window) is not None:
        yield Sample("monitored_timestamp_seconds", max(entry.at for entry in monitored).timestamp())
        yield Sample("window_end_timestamp_seconds", window.end.timestamp())
        yield Sample("window_seconds", (window.end - window.start).total_seconds())
        yield Sample("upstream_fault", bool(monitored[-1].data.get("upstream_fault")))
    for name, key in _OF_A_WINDOW.items():
        values = [entry.data[key] for entry in by_window if entry.data.get(key) is not None]
        if values:
            yield Sample(name, float(values[-1]))
    events: tuple[tuple[str, EventName], ...] = (("drifted", "drift"), ("decayed", "decay"))
    for name, event in events:
        said = [one for entry in by_window if (one := EVENTS[event].says(entry)) is not None]
        if said:
            yield Sample(name, said[-1])
    for name, key in _METRICS.items():
        metrics = [pair for entry in by_window if (pair := _metric(entry, key)) is not None]
        if metrics:
            metric, value = metrics[-1]
            yield Sample(name, value, (metric,))


def _metric(entry: Entry, key: str) -> tuple[str, float] | None:
    """A window's metric by its name. That of a window which was scored again stands in its score alone."""
    score = entry.data.get("score") or {}
    metric = str(entry.data.get("metric") or score.get("metric"))
    match entry.data.get(key, score.get(key)):
        case {"value": int() | float() as number} | [int() | float() as number, *_]:
            return metric, float(number)
        case int() | float() as number:
            return metric, float(number)
    return None


def _standing(entries: Sequence[Entry]) -> Iterator[Sample]:
    is_open = {item.event for item in news(entries) if not item.over}
    yield Sample("circuit_breaker_open", "circuit_breaker_open" in is_open)
    yield Sample("retrain_requests_pending", len(pending_requests(entries)))
    yield Sample("challengers_pending", len(pending_challengers(entries)))
    rollout = open_rollout(entries)
    yield Sample("rollout_open", rollout is not None)
    if rollout is None:
        return
    yield Sample("rollout_since_timestamp_seconds", rollout.at.timestamp())
    standing = standing_of(entries, rollout.subject)
    yield Sample("rollout_stages", len(set(standing.required) & standing.passed), ("passed",))
    yield Sample("rollout_stages", len(standing.failed), ("failed",))
    yield Sample("rollout_stages", len(set(standing.missing) - set(standing.failed)), ("missing",))


def _counted(entries: Sequence[Entry]) -> Iterator[Sample]:
    """Zero is counted as well where a family has no label: a rate needs a first value."""
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for name, family in FAMILIES.items():
        if family.kind == "counter" and not family.labels:
            counts[name, ()] = 0
    rows: dict[str, float] = {}
    for entry in entries:
        if entry.kind == "monitored":
            rows[entry.subject] = float(entry.data.get("rows") or 0)  # a window may be looked at again
        elif (found := _count(entry)) is not None:
            counts[found] += 1
    counts["windows_monitored_total", ()] = len(rows)
    counts["rows_monitored_total", ()] = int(sum(rows.values()))
    for (name, labels), count in counts.items():
        yield Sample(name, count, labels)


def _count(entry: Entry) -> tuple[str, tuple[str, ...]] | None:
    data = entry.data
    match entry.kind:
        case "gated":
            return "challengers_gated_total", (str(data.get("outcome")),)
        case "registered":
            return "versions_registered_total", (str(data.get("role")),)
        case "retrain_requested":
            return "retrains_requested_total", (str(data.get("cause")),)
        case "retrain_refused":
            return "retrains_refused_total", (str(data.get("cause")), refusal_of(entry.reasons))
        case "promoted" | "rolled_back" | "rejected":
            return "rollouts_total", (entry.kind,)
        case "reversed":
            return "reversals_total", ()
        case "alerted" if was_told(entry):
            return "alerts_total", (str(data.get("event")), str(data.get("severity")))
        case _:
            return None


_METRICS: Mapping[str, str] = MappingProxyType(
    {"observed_metric": "observed", "promised_metric": "promise", "estimated_metric": "estimated"}
)
_OF_A_WINDOW: Mapping[str, str] = MappingProxyType(
    {
        "window_rows": "rows",
        "drifted_columns_ratio": "drift_share",
        "prediction_drift_psi": "prediction_psi",
        "label_coverage_ratio": "coverage",
        "label_coverage_expected_ratio": "expected_coverage",
    }
)
