"""A small cluster for tests: an API server, real or the stand-in, and what runs pods and routes requests."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_mlops.backends.kube.access import Access
from airflow_mlops.backends.kube.api import (
    CUSTOM_RESOURCES,
    GATEWAYS,
    HTTP_ROUTES,
    NAMESPACES,
    Kind,
    KubeApi,
    Object,
)
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.testing.kube import envtest
from airflow_mlops.testing.kube.deployments import DeploymentController
from airflow_mlops.testing.kube.gateway import ScriptedGateway
from airflow_mlops.testing.kube.kubelet import ProcessKubelet
from airflow_mlops.testing.kube.resources import shipped_definitions
from airflow_mlops.testing.kube.rights import ADMIN, User
from airflow_mlops.testing.kube.server import StandIn

GATEWAY = "public"
_KUBELET = "kubelet"
_ESTABLISHING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that runs. ``stand_in`` is None where the API server is a real one; ``gateway`` is the proxy
    of the Gateway ``public`` in the namespace ``default``; ``api`` may do everything."""

    access: Access
    api: KubeApi
    gateway: ScriptedGateway
    kubelet: ProcessKubelet
    stand_in: StandIn | None

    @property
    def server_said(self) -> str:
        """Which API server this is, for the output of tests."""
        if self.stand_in is None:
            return f"a real API server from {os.environ[envtest.ASSETS]}"
        return f"the stand-in ({envtest.ASSETS} is not set)"

    def access_of(self, token: str) -> Access:
        """Access of another user than the administrator."""
        access = self.access
        return Access(access.server, token, ca_file=access.ca_file)


@contextmanager
def cluster(
    folder: Path,
    images: Mapping[str, Sequence[str]],
    *,
    users: Mapping[str, User] | None = None,
    second: float = 0.05,
) -> Iterator[Cluster]:
    """A cluster for as long as the block lasts, with the Gateway API's definitions installed.

    ``images`` says which program on this machine stands for an image (see ``ProcessKubelet``), ``users`` who
    there is by token beside the administrator, ``second`` how long a second of probes and back-offs lasts.
    """
    admin = envtest.new_token()
    tokens = {admin: ADMIN, **(users or {})}
    programs = envtest.assets()
    with ExitStack() as running:
        if programs is None:
            stand_in = StandIn(tokens)
            access = Access(running.enter_context(stand_in.serving()), admin)
            addresses = None
        else:
            stand_in = None
            real = envtest.real_api_server(folder / "api-server", programs, tokens)
            url, certificate = running.enter_context(real)
            access = Access(url, admin, ca_file=certificate)
            addresses = _routable_addresses()
        api = KubeApi(access)
        running.callback(api.close)
        for definition in shipped_definitions():
            api.apply(CUSTOM_RESOURCES, None, definition)
        _wait_served(api, HTTP_ROUTES, GATEWAYS)
        gateway = ScriptedGateway(KubeApi(access, manager="scripted-gateway"))
        own = KubeApi(access, manager=_KUBELET)
        kubelet = ProcessKubelet(own, folder, images, second=second, addresses=addresses)
        deployments = DeploymentController(KubeApi(access, manager="deployment-controller"))
        for controller in (kubelet, deployments, gateway):
            controller.start()
            running.callback(controller.stop)
        _make_gateway(api)
        yield Cluster(access, api, gateway, kubelet, stand_in)


def _wait_served(api: KubeApi, *kinds: Kind) -> None:
    """A real API server takes a moment from a kind's definition to serving it."""
    deadline = time.monotonic() + _ESTABLISHING_SECONDS
    for kind in kinds:
        while True:
            try:
                api.find(kind, None)
                break
            except ConfigError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _make_gateway(api: KubeApi) -> None:
    if api.get(NAMESPACES, None, "default") is None:
        api.create(
            NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        )
    listener = {
        "name": "http",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    body: Object = {
        "metadata": {"name": GATEWAY, "namespace": "default"},
        "spec": {"gatewayClassName": ScriptedGateway.class_name, "listeners": [listener]},
    }
    api.apply(GATEWAYS, "default", body)


def _routable_addresses() -> Iterator[str]:
    """A real API server does not proxy to loopback, so each pod has an address of 198.18/15 (RFC 2544, never
    routed) on this machine's loopback device. Needs root and ``ip``; the addresses go with the machine."""
    for number in itertools.count():
        address = f"198.18.{number // 250}.{number % 250 + 1}"
        subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)
        yield address
