"""A client of Prometheus' HTTP API: instant queries, each answer a number or a reason why there is none.

https://prometheus.io/docs/prometheus/latest/querying/api/ has the form of the answers.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import httpx

from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, NotMeasured

_LONGEST_URL = 2_000
_SERIES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one moment; a scalar has no labels. ``value`` may be NaN or infinite."""

    labels: Mapping[str, str]
    value: float
    at: datetime


class Prometheus:
    """Asks one Prometheus. Nothing is opened before the first query.

    Raises ``ConfigError`` for a query that it cannot read (a retry changes nothing), and
    ``BackendUnavailable`` where it is away, refuses the caller or fails on the query.
    """

    def __init__(self, endpoint: PrometheusEndpoint, *, transport: httpx.BaseTransport | None = None) -> None:
        self._endpoint = endpoint
        self._url = endpoint.url.rstrip("/")
        self._transport = transport

    def value(self, query: str, at: datetime | None = None) -> float:
        """The one finite number that the query gives. Raises ``NotMeasured`` for no series, for several,
        and for NaN and infinities, as a ratio over nothing is."""
        found = self.samples(query, at)
        if not found:
            raise NotMeasured(
                f"the query gives no data: {query}. Look whether the metric is scraped, and whether its "
                "labels are written as the server has them"
            )
        if len(found) > 1:
            labels = ", ".join(_shown(sample.labels) for sample in found[:_SERIES_SHOWN])
            more = ", ..." if len(found) > _SERIES_SHOWN else ""
            raise NotMeasured(
                f"the query gives {len(found)} series ({labels}{more}), not one number: {query}. Put "
                "sum(...) or avg(...) around it, or ask for the labels of one"
            )
        (sample,) = found
        if not math.isfinite(sample.value):
            raise NotMeasured(
                f"the query gives {sample.value}, as a division by zero does: {query}. Nothing may have been "
                "counted yet"
            )
        return sample.value

    def samples(self, query: str, at: datetime | None = None) -> list[Sample]:
        """Every series of the answer, now or at a moment; none where nothing matches."""
        data = self._data(query, at)
        match data.get("resultType"), data.get("result"):
            case "vector", list(series):
                return [self._sample(query, one) for one in series]
            case "scalar", [moment, text]:
                return [Sample({}, float(text), _moment(moment))]
            case "string" | "matrix" as kind, _:
                raise ConfigError(
                    f"the query gives a {kind}, not numbers of one moment: {query}. Ask for an instant "
                    "vector or a scalar"
                )
        raise self._not_prometheus("its answer has no result")

    def _sample(self, query: str, series: Any) -> Sample:
        match series:
            case {"metric": dict(labels), "value": [moment, text]}:
                return Sample(
                    {str(name): str(one) for name, one in labels.items()}, float(text), _moment(moment)
                )
            case {"histogram": _}:
                raise ConfigError(
                    f"the query gives a native histogram, not a number: {query}. Put "
                    "histogram_quantile(...), histogram_sum(...) or histogram_count(...) around it"
                )
        raise self._not_prometheus("its answer has a series without a value")

    def _data(self, query: str, at: datetime | None) -> Mapping[str, Any]:
        asked = {"query": query, "timeout": f"{self._endpoint.timeout_seconds:g}s"}
        if at is not None:
            asked["time"] = f"{at.timestamp():.3f}"
        response = self._ask(asked)
        answer = _json(response)
        if not isinstance(answer, dict) or "status" not in answer:
            raise self._refusal(response)
        if answer["status"] != "success":
            raise self._failed(query, response.status_code, answer)
        data = answer.get("data")
        if not isinstance(data, dict):
            raise self._not_prometheus("its answer has no data")
        return data

    def _ask(self, asked: Mapping[str, str]) -> httpx.Response:
        endpoint = self._endpoint
        auth = None if endpoint.login is None else httpx.BasicAuth(endpoint.login, endpoint.password or "")
        headers = dict(endpoint.headers)
        if endpoint.token is not None:
            headers["Authorization"] = f"Bearer {endpoint.token}"
        try:
            with httpx.Client(
                headers=headers,
                auth=auth,
                # The server gives up first, and then says why.
                timeout=endpoint.timeout_seconds + 2,
                verify=_trust(endpoint),
                transport=self._transport,
            ) as client:
                # A long query does not fit into an address; proxies that only read let no POST through.
                if len(asked["query"]) > _LONGEST_URL:
                    return client.post(f"{self._url}/api/v1/query", data=asked)
                return client.get(f"{self._url}/api/v1/query", params=asked)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise BackendUnavailable(
                f"Prometheus at {self._url} does not answer ({type(error).__name__}: {error}). Look whether "
                "it runs, and at host, port and scheme of the Airflow connection"
            ) from error

    def _failed(self, query: str, code: int, answer: Mapping[str, Any]) -> Exception:
        reason = f"{answer.get('errorType', 'error')}: {answer.get('error', 'no reason given')}"
        if code == 400:
            return ConfigError(f"Prometheus at {self._url} cannot read the query ({reason}): {query}")
        return BackendUnavailable(f"Prometheus at {self._url} failed on the query ({reason}): {query}")

    def _refusal(self, response: httpx.Response) -> BackendUnavailable:
        match response.status_code:
            case 401 | 403:
                return BackendUnavailable(
                    f"Prometheus at {self._url} refuses the caller ({response.status_code}). Put a token "
                    "into the password of the Airflow connection, or login and password for basic auth"
                )
            case 301 | 302 | 303 | 307 | 308:
                to = response.headers.get("location", "nowhere")
                return BackendUnavailable(
                    f"Prometheus at {self._url} sends the caller on to {to}: give the Airflow connection the "
                    "address behind the login, and its scheme"
                )
            case 200 | 404 | 405:
                return self._not_prometheus("there is no /api/v1/query")
            case code:
                return BackendUnavailable(f"Prometheus at {self._url} answered {code}: {response.text[:300]}")

    def _not_prometheus(self, why: str) -> BackendUnavailable:
        return BackendUnavailable(
            f"what answers at {self._url} is no Prometheus: {why}. Behind a proxy its path belongs into the "
            "host of the Airflow connection, as in https://metrics.example.com/prometheus"
        )


def _trust(endpoint: PrometheusEndpoint) -> ssl.SSLContext | bool:
    """What httpx checks the server against, and what the client shows of itself. Raises ``ConfigError`` for
    files that cannot be read."""
    if not endpoint.url.startswith("https:") or (
        endpoint.verify and endpoint.ca_file is None and endpoint.certificate_file is None
    ):
        return True
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        if endpoint.certificate_file is not None:
            context.load_cert_chain(endpoint.certificate_file, endpoint.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (endpoint.ca_file, endpoint.certificate_file, endpoint.key_file)))
        raise ConfigError(f"the certificates of Prometheus cannot be read ({files}): {error}") from error
    if not endpoint.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(float(seconds), timezone.utc)


def _shown(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
