"""What CloudWatch counted of an endpoint's variants since a stage began."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_mlops.backends.sagemaker.session import Aws
from airflow_mlops.core.values import ArmObservation

_DAY_SECONDS = 86_400
_COUNTS = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
_PERCENTILES = ("p50", "p99")
_EDGES_PER_DECADE, _DECADES = 8, 5
LATENCY_EDGES: tuple[float, ...] = tuple(
    round(0.0005 * 10 ** (place / _EDGES_PER_DECADE), 6) for place in range(_EDGES_PER_DECADE * _DECADES + 1)
)
"""Seconds between which latencies are counted, from half a millisecond to 50 seconds, a third apart. Each
costs a metric a look and arm."""


def _between() -> tuple[str, ...]:
    micro = [str(round(edge * 1_000_000)) for edge in LATENCY_EDGES]
    return tuple(f"TC({low}:{high})" for low, high in zip(["", *micro], [*micro, ""], strict=True))


_BETWEEN = _between()


@dataclass(frozen=True, slots=True)
class Metrics:
    """One endpoint's metrics. A row is a request here: SageMaker does not look into them.

    CloudWatch keeps a minute as one number, so only whole minutes of the stage are counted, and what they
    had is known a minute or two later. Latencies are counted between edges by the statistic TC (a trimmed
    count): counts of minutes add up, and percentiles do not.
    """

    aws: Aws
    endpoint: str
    client_errors: bool
    now: Callable[[], datetime]

    def arms(self, variants: Mapping[str, str], since: datetime) -> dict[str, ArmObservation]:
        """By version; ``variants`` says which variant serves it."""
        start, end = _counted(since, self.now())
        if end <= start:
            return {version: ArmObservation(version, 0, 0) for version in variants}
        queries = {
            _identified(index, metric, stat): _query(self.endpoint, name, metric, stat, start, end)
            for index, name in enumerate(variants.values())
            for metric, stat in _asked()
        }
        found = self._fetched(queries, start, end)
        return {version: self._arm(version, index, found) for index, version in enumerate(variants)}

    def _arm(self, version: str, index: int, found: Mapping[str, list[float]]) -> ArmObservation:
        count = {metric: round(math.fsum(found[_identified(index, metric, "Sum")])) for metric in _COUNTS}
        rows, refused = count["Invocations"], count["Invocation4XXErrors"]
        # What broke without an answer of HTTP (a timeout, a dead container) is a model error alone.
        failed = max(count["Invocation5XXErrors"], count["InvocationModelErrors"] - refused)
        errors = failed + refused if self.client_errors else failed
        between = (found[_identified(index, "ModelLatency", stat)] for stat in _BETWEEN)
        counted = tuple(round(math.fsum(values)) for values in between)
        latency = {stat: _seconds(index, stat, found) for stat in _PERCENTILES}
        return ArmObservation(
            version,
            # A model error may be counted in the minute after its request.
            max(rows, errors),
            errors,
            latency_p50_seconds=latency["p50"],
            latency_p99_seconds=latency["p99"],
            latencies=counted if any(counted) else (),
        )

    def _fetched(
        self, queries: Mapping[str, Mapping[str, Any]], start: datetime, end: datetime
    ) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {identity: [] for identity in queries}
        more: dict[str, str] = {}
        while True:
            page = self.aws.call(
                "cloudwatch",
                "get_metric_data",
                MetricDataQueries=[{"Id": identity, **query} for identity, query in queries.items()],
                StartTime=start,
                EndTime=end,
                **more,
            )
            for result in page["MetricDataResults"]:
                found[result["Id"]] += result.get("Values", [])
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}


def _asked() -> list[tuple[str, str]]:
    latency = [("ModelLatency", stat) for stat in (*_PERCENTILES, "SampleCount", *_BETWEEN)]
    return [*((metric, "Sum") for metric in _COUNTS), *latency]


def _query(
    endpoint: str, variant: str, metric: str, stat: str, start: datetime, end: datetime
) -> dict[str, Any]:
    dimensions = [
        {"Name": "EndpointName", "Value": endpoint},
        {"Name": "VariantName", "Value": variant},
    ]
    # Percentiles of minutes cannot be put together, so the whole stage is one period, up to a day.
    whole = min(int((end - start).total_seconds()), _DAY_SECONDS)
    shortest = min(_grain(start, end), whole)
    return {
        "MetricStat": {
            "Metric": {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions},
            "Period": shortest if stat == "Sum" or stat in _BETWEEN else whole,
            "Stat": stat,
        }
    }


def _seconds(index: int, stat: str, found: Mapping[str, list[float]]) -> float | None:
    """A percentile of the model's own latency. A stage of several days has one a day, of which the mean is
    taken, weighted by requests."""
    values = found[_identified(index, "ModelLatency", stat)]
    counts = found[_identified(index, "ModelLatency", "SampleCount")]
    if not values or len(values) != len(counts) or not sum(counts):
        return None
    mean = math.fsum(value * count for value, count in zip(values, counts, strict=True)) / math.fsum(counts)
    return mean / 1_000_000  # CloudWatch has it in microseconds


def _identified(index: int, metric: str, stat: str) -> str:
    return f"a{index}_{metric}_{re.sub('[^A-Za-z0-9]+', '_', stat)}"


def _counted(since: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The part of a stage that CloudWatch has in whole: minutes, or longer where it began long ago."""
    grain = _grain(since, now)
    start, end = math.ceil(since.timestamp() / grain), math.floor(now.timestamp() / grain)
    zone = since.tzinfo
    return datetime.fromtimestamp(start * grain, zone), datetime.fromtimestamp(end * grain, zone)


def _grain(since: datetime, now: datetime) -> int:
    """Seconds of what CloudWatch keeps as one number: a minute for 15 days, then 5, and hours after 63."""
    days = (now - since).days
    return 60 if days < 15 else 300 if days < 63 else 3_600
