"""Where a Prometheus is, and how one shows who one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PrometheusEndpoint:
    """A Prometheus, or another program that answers its queries (Thanos, Mimir, VictoriaMetrics).

    ``token`` is a bearer token; ``login`` and ``password`` are for basic auth. ``ca_file`` holds the
    authorities to trust instead of the system's, ``certificate_file`` and ``key_file`` what the client shows
    of itself. ``headers`` go with each query, such as ``X-Scope-OrgID`` of a tenant.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool = True
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 10.0
