"""A small Kubernetes for tests: a stand-in of its API server, and programs that run pods and route requests.

    with cluster(tmp_path, images={"shop/model:1": ["python", "server.py"]}) as kube:
        kube.api.apply(DEPLOYMENTS, "default", {...})
        httpx.get(kube.gateway.url)

``cluster`` takes a real ``kube-apiserver`` where ``KUBEBUILDER_ASSETS`` names a folder with one. Needs
``airflow-mlops[testing]``.
"""

from __future__ import annotations

from airflow_mlops.testing.kube.cluster import Cluster, cluster
from airflow_mlops.testing.kube.gateway import ScriptedGateway
from airflow_mlops.testing.kube.kserve import ScriptedKServe
from airflow_mlops.testing.kube.kubelet import ProcessKubelet
from airflow_mlops.testing.kube.rights import User
from airflow_mlops.testing.kube.server import StandIn

__all__ = ["Cluster", "ProcessKubelet", "ScriptedGateway", "ScriptedKServe", "StandIn", "User", "cluster"]
