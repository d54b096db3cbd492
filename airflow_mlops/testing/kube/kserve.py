"""KServe's controller with a script: Deployments, Services and a route for each InferenceService.

Its status tells what the real one's tells, lies included: ``Ready`` stays True of the revision before while
the next one is loading, ``observedGeneration`` is that of what lies below, and a failed load is left in the
status until there is another revision. In serverless mode it keeps revisions as Knative does, the newest
*ready* one being "latest"; Knative itself and its scaling are not there. ``holding`` keeps it from looking,
as for the Gateway. ``routes_canaries`` False is KServe 0.20, which makes canaries of Standard mode and routes
nothing to them.
"""

from __future__ import annotations

import threading
from typing import Any

from airflow_mlops.backends.kserve.manifests import DEPLOYMENT_MODE, INFERENCE_SERVICES, RUNTIMES
from airflow_mlops.backends.kube.api import (
    DEPLOYMENTS,
    HTTP_ROUTES,
    PODS,
    SERVICES,
    KubeApi,
    KubeRefused,
    Object,
)
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.testing.kube.deployments import is_ready, selected
from airflow_mlops.testing.kube.informer import Controller

REVISION = "serving.knative.dev/revision"
_SERVICE = "serving.kserve.io/inferenceservice"
_CONTAINER = "kserve-container"


class ScriptedKServe(Controller):
    """One controller for all InferenceServices; ``gateway`` is the name and namespace of theirs."""

    kinds = (INFERENCE_SERVICES, RUNTIMES, DEPLOYMENTS, HTTP_ROUTES, PODS)

    def __init__(
        self,
        api: KubeApi,
        *,
        gateway: tuple[str, str] = ("public", "default"),
        routes_canaries: bool = True,
    ) -> None:
        super().__init__(api)
        self.holding = threading.Event()
        self.routes_canaries = routes_canaries
        self._gateway = gateway

    def host(self, namespace: str, name: str) -> str:
        """The host that callers of an InferenceService name."""
        return f"{name}-{namespace}.example.com"

    def reconcile(self) -> None:
        if self.holding.is_set():
            return
        self.for_each(self.seen["InferenceService"].all(), self._sync)

    def _sync(self, known: Object) -> None:
        # Revisions are made by comparison, so an older spec than the present one would make one too many.
        metadata = known["metadata"]
        service = self.api.get(INFERENCE_SERVICES, metadata["namespace"], metadata["name"])
        if service is None:
            return
        mode = (service["metadata"].get("annotations") or {}).get(DEPLOYMENT_MODE, "Standard")
        if mode in ("Serverless", "Knative"):
            self._serverless(service)
        else:
            self._standard(service)

    def _serverless(self, service: Object) -> None:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        predictor = service["spec"]["predictor"]
        component = dict(((service.get("status") or {}).get("components") or {}).get("predictor") or {})
        made = self._deployments(service)
        template = {key: value for key, value in predictor.items() if key != "canaryTrafficPercent"}
        created = made[-1]["metadata"]["name"] if made else None
        if not made or made[-1]["metadata"]["annotations"]["test/of"] != repr(template):
            created = f"{name}-predictor-{len(made) + 1:05d}"
            self._make(service, created, predictor, {REVISION: created}, of=repr(template), number=len(made))
        component["latestCreatedRevision"] = created
        if created is not None and self._is_up(namespace, {REVISION: created}):
            component["latestReadyRevision"] = created
        newest, rolled_out = component.get("latestReadyRevision"), component.get("latestRolledoutRevision")
        traffic: list[Object] = []
        percent = predictor.get("canaryTrafficPercent")
        if newest is not None:
            share = 100 if percent is None or rolled_out is None else percent
            traffic = [{"latestRevision": True, "revisionName": newest, "percent": share}]
            if share < 100:
                before = {"latestRevision": False, "revisionName": rolled_out, "tag": "prev"}
                traffic.append({**before, "percent": 100 - share})
            shares: dict[str, int] = {}
            for one in traffic:
                shares[one["revisionName"]] = shares.get(one["revisionName"], 0) + one["percent"]
            if not self._route(service, shares):
                traffic = list(component.get("traffic") or ())
            elif share == 100 and rolled_out != newest:
                component["previousRolledoutRevision"] = rolled_out
                component["latestRolledoutRevision"] = newest
            elif share < 100 and rolled_out == newest == created and shares.get(newest) == 100:
                # All was given to the newest one, and is taken back: the one before is the way back.
                component["latestRolledoutRevision"] = component.get("previousRolledoutRevision") or newest
            self._rest(made, {*shares, created})
        component["traffic"] = traffic
        status = {
            "deploymentMode": "Knative",
            "observedGeneration": len(made),
            "components": {"predictor": component},
            "modelStatus": self._model_status(namespace, created, {REVISION: created or "?"}, newest),
            "conditions": [{"type": "Ready", "status": "True" if newest else "Unknown"}],
        }
        self._write(service, status)

    def _standard(self, service: Object) -> None:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        stable, canaries = service["spec"]["predictor"], service["spec"].get("canary") or []
        kept = {}
        for predictor in (stable, *(one["predictor"] for one in canaries)):
            kept[_service_name(name, predictor)] = {**stable, **predictor}
        for deployed in self._deployments(service):
            if deployed["metadata"]["name"] not in kept:
                self._remove(namespace, deployed["metadata"]["name"])
        for named, predictor in kept.items():
            self._make(service, named, predictor, {"app": f"isvc.{named}"}, of=repr(predictor), number=0)
        shares = {_service_name(name, stable): 100 - sum(one["trafficPercent"] for one in canaries)}
        for one in canaries:
            shares[_service_name(name, one["predictor"])] = one["trafficPercent"]
        if not self.routes_canaries:
            shares = {_service_name(name, stable): 100}
        self._route(service, shares)
        statuses = [
            {
                "name": one["predictor"]["name"],
                "ready": self._is_up(namespace, {"app": f"isvc.{_service_name(name, one['predictor'])}"}),
                "trafficPercent": one["trafficPercent"],
            }
            for one in canaries
        ]
        labels = {"app": f"isvc.{_service_name(name, stable)}"}
        up = self._is_up(namespace, labels)
        status = {
            "deploymentMode": "Standard",
            "observedGeneration": 1,
            "components": {"predictor": {}},
            "canaryStatuses": statuses,
            "modelStatus": self._model_status(namespace, None, labels, up or None),
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self._write(service, status)

    def _deployments(self, service: Object) -> list[Object]:
        """Those of an InferenceService, as they were made."""
        metadata = service["metadata"]
        found = [
            one
            for one in self.api.find(DEPLOYMENTS, metadata["namespace"], {_SERVICE: metadata["name"]})
            if one["metadata"]["annotations"]["test/owner"] == metadata["uid"]
        ]
        return sorted(found, key=lambda one: int(one["metadata"]["annotations"]["test/number"]))

    def _rest(self, made: list[Object], reached: set[Any]) -> None:
        """No pods for revisions that nobody can reach any more."""
        for one in made:
            if one["metadata"]["name"] not in reached and one["spec"]["replicas"]:
                metadata = one["metadata"]
                self.api.merge(
                    DEPLOYMENTS, metadata["namespace"], metadata["name"], {"spec": {"replicas": 0}}
                )

    def _make(
        self,
        service: Object,
        name: str,
        predictor: Object,
        labels: dict[str, str],
        *,
        of: str,
        number: int,
    ) -> None:
        """A Deployment with a Service, of a predictor's container over its runtime's."""
        metadata = service["metadata"]
        namespace, mark = metadata["namespace"], {_SERVICE: metadata["name"], **labels}
        runtime = self.seen["ServingRuntime"].get(namespace, predictor["model"]["runtime"])
        if runtime is None:
            return
        (base,) = runtime["spec"]["containers"]
        own = {
            k: v for k, v in predictor["model"].items() if k not in ("modelFormat", "runtime", "storageUri")
        }
        container = {**base, **own, "args": [*base.get("args", ()), *own.get("args", ())], "name": _CONTAINER}
        pod = {k: v for k, v in predictor.items() if k in ("serviceAccountName", "nodeSelector")}
        template = {
            "metadata": {"labels": {**predictor.get("labels", {}), **mark}},
            "spec": {**pod, "containers": [container]},
        }
        notes = {"test/of": of, "test/number": str(number), "test/owner": metadata["uid"]}
        self.api.apply(
            DEPLOYMENTS,
            namespace,
            {
                "metadata": {"name": name, "labels": {_SERVICE: metadata["name"]}, "annotations": notes},
                "spec": {
                    "replicas": predictor.get("minReplicas", 1),
                    "selector": {"matchLabels": mark},
                    "template": template,
                },
            },
        )
        target = container["ports"][0]["containerPort"]
        ports = [{"name": "http", "port": 80, "targetPort": target, "protocol": "TCP"}]
        body = {"metadata": {"name": name}, "spec": {"selector": mark, "ports": ports}}
        self.api.apply(SERVICES, namespace, body)

    def _remove(self, namespace: str, name: str) -> None:
        for kind in (DEPLOYMENTS, SERVICES):
            self.api.delete(kind, namespace, name)

    def _route(self, service: Object, shares: dict[str, int]) -> bool:
        """Split requests so; whether the Gateway has taken it."""
        metadata = service["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        backends = [
            {"group": "", "kind": "Service", "name": one, "port": 80, "weight": share}
            for one, share in shares.items()
        ]
        gateway = dict(zip(("name", "namespace"), self._gateway, strict=True))
        spec = {
            "parentRefs": [{"group": HTTP_ROUTES.group, "kind": "Gateway", **gateway}],
            "hostnames": [self.host(namespace, name)],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}],
        }
        route = self.api.apply(HTTP_ROUTES, namespace, {"metadata": {"name": name}, "spec": spec})
        parents = (route.get("status") or {}).get("parents") or []
        return any(
            one["type"] == "Accepted" and one.get("observedGeneration") == route["metadata"]["generation"]
            for parent in parents
            for one in parent["conditions"]
        )

    def _is_up(self, namespace: str, labels: dict[str, str]) -> bool:
        return any(map(is_ready, selected(self.seen["Pod"].all(), namespace, labels)))

    def _model_status(
        self, namespace: str, revision: str | None, labels: dict[str, str], serves: Any
    ) -> Object:
        """What is known of the newest version's load, by its pods."""
        for pod in selected(self.seen["Pod"].all(), namespace, labels):
            for one in (pod.get("status") or {}).get("containerStatuses") or ():
                if (one.get("state", {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff":
                    return {
                        "transitionStatus": "BlockedByFailedLoad",
                        "lastFailureInfo": {
                            "reason": "ModelLoadFailed",
                            "message": self._last_words(namespace, pod["metadata"]["name"]),
                            **({} if revision is None else {"modelRevisionName": revision}),
                        },
                    }
        return {"transitionStatus": "UpToDate" if serves else "InProgress"}

    def _last_words(self, namespace: str, pod: str) -> str:
        try:
            return self.api.logs(namespace, pod, container=_CONTAINER).strip()
        except (KubeRefused, BackendUnavailable):
            return ""

    def _write(self, service: Object, status: Object) -> None:
        if service.get("status") != status:
            metadata = service["metadata"]
            body = {**service, "status": status}
            self.api.replace(INFERENCE_SERVICES, metadata["namespace"], body, subresource="status")


def _service_name(service: str, predictor: Object) -> str:
    name = predictor.get("name")
    return f"{service}-{name}-predictor" if name else f"{service}-predictor"
