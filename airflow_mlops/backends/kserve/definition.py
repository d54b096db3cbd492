"""Whether the KServe of a cluster can do what is asked of it, by the schema of its InferenceService."""

from __future__ import annotations

from typing import Any

from airflow_mlops.backends.kserve.settings import Mode
from airflow_mlops.backends.kube.api import Object
from airflow_mlops.exceptions import ConfigError

DEFINITION = "inferenceservices.serving.kserve.io"
ROUTED_SINCE = (
    "Standard mode splits requests by spec.canary since KServe 0.21 (0.20 knows the field and routes nothing "
    "by it): upgrade KServe with its definitions, set deploy.target.mode to serverless, or use a target of "
    "type kubernetes"
)


def check_definition(definition: Object | None, mode: Mode) -> None:
    """Raises ``ConfigError`` that says which release is needed. A definition without a schema (KServe's
    minimal one) tells nothing, and the status has to."""
    if definition is None:
        raise ConfigError(
            f"the cluster has no {DEFINITION}: install KServe there, or use a target of type kubernetes"
        )
    served = {one["name"]: one for one in definition["spec"]["versions"] if one.get("served")}
    if "v1beta1" not in served:
        raise ConfigError(
            f"the cluster serves {DEFINITION} as {', '.join(sorted(served)) or 'nothing'}, not as v1beta1: "
            "upgrade KServe to 0.7 or later"
        )
    spec = _field(served["v1beta1"].get("schema", {}).get("openAPIV3Schema", {}), "spec")
    if spec is None or "properties" not in spec:
        return
    if mode == "serverless" and _field(spec, "predictor", "canaryTrafficPercent") is None:
        raise ConfigError(
            "the cluster's InferenceService has no spec.predictor.canaryTrafficPercent: upgrade KServe "
            "to 0.7 or later"
        )
    if mode == "standard" and (_field(spec, "canary") is None or _field(spec, "predictor", "name") is None):
        raise ConfigError(
            "the cluster's InferenceService has no spec.canary, and in Standard mode its KServe takes no "
            f"notice of canaryTrafficPercent. {ROUTED_SINCE}"
        )


def _field(schema: Any, *path: str) -> Any:
    for name in path:
        schema = (schema or {}).get("properties", {}).get(name)
    return schema
