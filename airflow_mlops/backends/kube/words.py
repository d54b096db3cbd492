"""Names that several of these modules know, and a refusal of the API server in this package's errors."""

from __future__ import annotations

from airflow_mlops.backends.kube.api import KubeRefused
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, MlopsError, RolloutRefused

# The server's container of a pod, and the annotation that says which of our templates the pod is of.
CONTAINER, TEMPLATE = "server", "airflow-mlops/template"


def refused(error: KubeRefused, what: str) -> MlopsError:
    """``what`` is the object that was written. Fields of another owner refuse the rollout, a wrong value is
    the configuration's fault, and a write that came second can be repeated."""
    if error.owners:
        return RolloutRefused(
            f"{what} has fields of somebody else: {'; '.join(error.owners)}. Let go of them there "
            "(`kubectl apply --server-side` without them), or leave them out of deploy.target: `replicas: "
            "null` leaves the number of replicas to an autoscaler."
        )
    if error.code == 409:
        return BackendUnavailable(f"{what} was changed at the same moment: {error.message}")
    return ConfigError(f"the cluster refuses {what}: {error.message}. Correct deploy.target")
