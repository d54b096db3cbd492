"""What Envoy is told: its own start, the versions' processes, and the routes between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlops.core.values import RolloutMode
from airflow_mlops.gateway.settings import Settings, Tls

KEY_HEADER = "x-split-key"
FALL_BACK_HEADER = "x-mlops-fall-back"
ROUTES = "split"
CONTROL = "control"
_TYPES = "type.googleapis.com/envoy"
# Weights are parts of this; a hash's remainder by it says whose a key is.
_WHOLE = 1_000_000
# uvicorn ends a connection that has been idle for five seconds; Envoy must do so first.
_IDLE = "3s"


@dataclass(frozen=True, slots=True)
class Split:
    """Who answers: names of clusters, None where there is none."""

    champion: str | None = None
    challenger: str | None = None
    mode: RolloutMode = "none"
    weight: float = 0.0
    rollout_id: str | None = None


def bootstrap(settings: Settings, folder: Path, port: int) -> dict[str, Any]:
    """The public listener, its routes and clusters in files of ``folder``, the admin on a socket there."""
    return {
        "node": {"id": settings.model, "cluster": "airflow-mlops"},
        "admin": {"address": _pipe(folder / "admin.sock")},
        "dynamic_resources": {"cds_config": _watched(folder / "clusters.json")},
        "static_resources": {"listeners": [_listener(settings, folder, port)]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_TYPES}.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": settings.max_connections,
                    },
                }
            ]
        },
    }


def clusters(
    version: str, addresses: Mapping[str, Path], split: Split, *, max_requests: int
) -> dict[str, Any]:
    """One cluster a process. A canary has one more, for requests that its challenger fails on: the champion
    comes second in it."""
    found = [_cluster(name, address, max_requests) for name, address in sorted(addresses.items())]
    if split.mode == "canary" and split.champion is not None and split.challenger is not None:
        found.append(_with_fall_back(split.challenger, split.champion))
    return {"version_info": version, "resources": found}


def routes(version: str, addresses: Mapping[str, Path], split: Split) -> dict[str, Any]:
    """Predictions by the split; each version's own metrics; all else to the control process."""
    found = [{"match": {"path": path}, "route": _answered_by(split)} for path in ("/predict", "/invocations")]
    for name in sorted(addresses.keys() - {CONTROL}):
        action = {"cluster": name, "prefix_rewrite": "/metrics"}
        found.append({"match": {"path": f"/versions/{name.removeprefix('v')}/metrics"}, "route": action})
    # Loading a version may take as long as the caller waits.
    found.append({"match": {"prefix": "/"}, "route": {"cluster": CONTROL, "timeout": "0s"}})
    resource = {
        "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": found}],
    }
    return {"version_info": version, "resources": [resource]}


def _answered_by(split: Split) -> dict[str, Any]:
    if split.champion is None:
        return {"cluster": CONTROL, "timeout": "0s"}
    alone: dict[str, Any] = {
        "cluster": split.champion,
        "timeout": "0s",
        "retry_policy": {"retry_on": "connect-failure,reset-before-request", "num_retries": 1},
    }
    if split.challenger is None:
        return alone
    if split.mode == "shadow":
        return {**alone, "request_mirror_policies": [{"cluster": split.challenger}]}
    theirs = round(split.weight * _WHOLE)
    # The challenger first: a key that is below its weight stays there while the weight rises.
    shares = [(_fall_back_name(split.challenger), theirs), (split.champion, _WHOLE - theirs)]
    weighted = [{"name": name, "weight": share} for name, share in shares if share]
    return {
        "weighted_clusters": {"use_hash_policy": True, "clusters": weighted},
        "hash_policy": [_by_key(split.rollout_id or "")],
        "timeout": "0s",
        "retry_policy": _to_the_champion(),
    }


def _by_key(salt: str) -> dict[str, Any]:
    # Salted with the rollout, so that no key is the guinea pig of every one. Without the header: by chance.
    salted = {"pattern": {"regex": "^"}, "substitution": re.sub(r"[^\w.:-]", "_", salt) + ":"}
    return {"header": {"header_name": KEY_HEADER, "regex_rewrite": salted}, "terminal": True}


def _to_the_champion() -> dict[str, Any]:
    return {
        "retry_on": "connect-failure,reset,retriable-headers",
        "retriable_headers": [{"name": FALL_BACK_HEADER, "present_match": True}],
        "num_retries": 1,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{_TYPES}.extensions.retry.priority.previous_priorities.v3"
                ".PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }


def _fall_back_name(challenger: str) -> str:
    return f"{challenger}-else-champion"


def _with_fall_back(challenger: str, champion: str) -> dict[str, Any]:
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": _fall_back_name(challenger),
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{_TYPES}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": [challenger, champion],
            },
        },
    }


def _cluster(name: str, address: Path, max_requests: int) -> dict[str, Any]:
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 2 * max_requests)
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [{**limits, "max_retries": max_requests}]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _pipe(address)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": _IDLE},
            }
        },
    }


def _listener(settings: Settings, folder: Path, port: int) -> dict[str, Any]:
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "preserve_external_request_id": True,
        # Or a caller's own id would come back with a digit changed, and its label never be found.
        "request_id_extension": {
            "typed_config": {
                "@type": f"{_TYPES}.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,
            }
        },
        "request_headers_timeout": f"{settings.head_seconds}s",
        "stream_idle_timeout": "0s",
        "rds": {"route_config_name": ROUTES, "config_source": _watched(folder / "routes.json")},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain: dict[str, Any] = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    if settings.tls is not None:
        chain["transport_socket"] = _tls(settings.tls)
    address = {"address": settings.host, "port_value": port}
    return {"name": "public", "address": {"socket_address": address}, "filter_chains": [chain]}


def _tls(tls: Tls) -> dict[str, Any]:
    own = {"certificate_chain": _file(tls.cert), "private_key": _file(tls.key)}
    common: dict[str, Any] = {"tls_certificates": [own]}
    if tls.client_ca is not None:
        common["validation_context"] = {"trusted_ca": _file(tls.client_ca)}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": common,
            "require_client_certificate": tls.client_ca is not None,
        },
    }


def _file(path: Path) -> dict[str, str]:
    return {"filename": str(path.absolute())}


def _pipe(path: Path) -> dict[str, Any]:
    return {"pipe": {"path": str(path)}}


def _watched(path: Path) -> dict[str, Any]:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}
