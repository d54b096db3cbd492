"""A Gateway controller with a script: it accepts HTTPRoutes, says so in their status, and really routes.

``holding`` keeps it from looking at what changes, as a controller that is away or behind does: the status
then stays at the generation before, which is what a client must not take for an answer.
"""

from __future__ import annotations

import threading
from typing import Any

from airflow_mlops.backends.kube.api import GATEWAYS, HTTP_ROUTES, PODS, SERVICES, KubeApi, Object
from airflow_mlops.testing.kube.deployments import is_ready, selected
from airflow_mlops.testing.kube.informer import Controller
from airflow_mlops.testing.kube.objects import now
from airflow_mlops.testing.kube.proxy import Backend, Proxy, Route

CONTROLLER = "airflow-mlops.test/gateway"


class ScriptedGateway(Controller):
    """One proxy for all Gateways of the class ``scripted``."""

    kinds = (GATEWAYS, HTTP_ROUTES, SERVICES, PODS)
    class_name = "scripted"

    def __init__(self, api: KubeApi) -> None:
        super().__init__(api)
        self.holding = threading.Event()
        self._proxy = Proxy()

    @property
    def url(self) -> str:
        """Where the users' requests go."""
        return self._proxy.url

    def start(self) -> None:
        self._proxy.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._proxy.stop()

    def reconcile(self) -> None:
        if self.holding.is_set():
            return
        for gateway in self.seen["Gateway"].all():
            if gateway["spec"]["gatewayClassName"] == self.class_name:
                self._accept_gateway(gateway)
        routes, statuses = [], []
        for route in self.seen["HTTPRoute"].all():
            parents = [self._parent(route, one) for one in route["spec"].get("parentRefs") or ()]
            parents = [one for one in parents if one is not None]
            if any(_holds(one, "Accepted") for one in parents):
                routes += self._routes(route)
            statuses.append((route, parents))
        # The data plane first: whoever reads the status may send requests at once.
        self._proxy.routes = tuple(routes)
        for route, parents in statuses:
            self._write(route, parents)

    def _accept_gateway(self, gateway: Object) -> None:
        generation = gateway["metadata"]["generation"]
        before = (gateway.get("status") or {}).get("conditions") or ()
        conditions = [
            _condition(before, kind, True, kind, "", generation) for kind in ("Accepted", "Programmed")
        ]
        status = {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}], "conditions": conditions}
        if gateway.get("status") != status:
            metadata = gateway["metadata"]
            self.api.merge(
                GATEWAYS, metadata["namespace"], metadata["name"], {"status": status}, subresource="status"
            )

    def _parent(self, route: Object, reference: Object) -> Object | None:
        """What the status says about one parent; None if that is no Gateway of ours."""
        namespace = route["metadata"]["namespace"]
        gateway = self.seen["Gateway"].get(reference.get("namespace", namespace), reference["name"])
        if gateway is None or gateway["spec"]["gatewayClassName"] != self.class_name:
            return None
        generation = route["metadata"]["generation"]
        before = _conditions_before(route, reference)
        refused = _not_accepted(gateway, reference, namespace)
        missing = self._unresolved(route)
        return {
            "parentRef": reference,
            "controllerName": CONTROLLER,
            "conditions": [
                _condition(before, "Accepted", refused is None, *(refused or ("Accepted", "")), generation),
                _condition(
                    before, "ResolvedRefs", missing is None, *(missing or ("ResolvedRefs", "")), generation
                ),
            ],
        }

    def _unresolved(self, route: Object) -> tuple[str, str] | None:
        for reference in _references(route):
            namespace = reference.get("namespace", route["metadata"]["namespace"])
            if reference.get("kind", "Service") != "Service":
                return "InvalidKind", f"{reference['kind']} is no kind to route to"
            if namespace != route["metadata"]["namespace"]:
                return "RefNotPermitted", f"no ReferenceGrant lets this route use Services of {namespace}"
            if self.seen["Service"].get(namespace, reference["name"]) is None:
                return "BackendNotFound", f'Service "{reference["name"]}" not found'
        return None

    def _routes(self, route: Object) -> list[Route]:
        return [
            Route(
                tuple(route["spec"].get("hostnames") or ()),
                tuple((one["path"]["type"], one["path"]["value"]) for one in rule["matches"]),
                tuple(self._backend(route, one) for one in rule.get("backendRefs") or ()),
                tuple(
                    self._backend(route, one["requestMirror"]["backendRef"])
                    for one in rule.get("filters") or ()
                    if one["type"] == "RequestMirror"
                ),
            )
            for rule in route["spec"]["rules"]
        ]

    def _backend(self, route: Object, reference: Object) -> Backend:
        namespace = reference.get("namespace", route["metadata"]["namespace"])
        service = self.seen["Service"].get(namespace, reference["name"])
        addresses: tuple[str, ...] = ()
        if service is not None:
            port = _target_port(service, reference["port"])
            pods = selected(self.seen["Pod"].all(), namespace, service["spec"]["selector"])
            addresses = tuple(
                f"{pod['status']['podIP']}:{_port_of(pod, port)}" for pod in pods if is_ready(pod)
            )
        return Backend(reference["name"], reference.get("weight", 1), addresses)

    def _write(self, route: Object, parents: list[Any]) -> None:
        others = [
            one
            for one in (route.get("status") or {}).get("parents") or ()
            if one["controllerName"] != CONTROLLER
        ]
        status = {"parents": [*others, *parents]}
        if status["parents"] != ((route.get("status") or {}).get("parents") or []):
            metadata = route["metadata"]
            self.api.merge(
                HTTP_ROUTES, metadata["namespace"], metadata["name"], {"status": status}, subresource="status"
            )


def _not_accepted(gateway: Object, reference: Object, namespace: str) -> tuple[str, str] | None:
    section = reference.get("sectionName")
    listeners = [one for one in gateway["spec"]["listeners"] if section in (None, one["name"])]
    if not listeners:
        return "NoMatchingParent", f"the Gateway has no listener {section}"
    same = namespace == gateway["metadata"]["namespace"]
    if not same and all(one["allowedRoutes"]["namespaces"]["from"] != "All" for one in listeners):
        return "NotAllowedByListeners", f"no listener takes routes of namespace {namespace}"
    return None


def _references(route: Object) -> list[Object]:
    found: list[Object] = []
    for rule in route["spec"]["rules"]:
        found += rule.get("backendRefs") or []
        found += [one["requestMirror"]["backendRef"] for one in rule.get("filters") or ()]
    return found


def _target_port(service: Object, port: int) -> Any:
    for one in service["spec"].get("ports") or ():
        if one["port"] == port:
            return one.get("targetPort", port)
    return port


def _port_of(pod: Object, port: Any) -> int:
    """A named port of a pod's containers, or the number itself."""
    for container in pod["spec"]["containers"]:
        for one in container.get("ports") or ():
            if one.get("name") == port:
                return int(one["containerPort"])
    return int(port)


def _conditions_before(route: Object, reference: Object) -> Any:
    for one in (route.get("status") or {}).get("parents") or ():
        if one["controllerName"] == CONTROLLER and one["parentRef"] == reference:
            return one["conditions"]
    return ()


def _holds(parent: Any, kind: str) -> bool:
    return any(one["type"] == kind and one["status"] == "True" for one in parent["conditions"])


def _condition(before: Any, kind: str, holds: bool, reason: str, message: str, generation: int) -> Object:
    status = "True" if holds else "False"
    since = next(
        (one["lastTransitionTime"] for one in before if (one["type"], one["status"]) == (kind, status)), now()
    )
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }
