"""Pods that run, Deployments that roll, and a Gateway that routes: the same on either API server."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from airflow_mlops.backends.kube.api import (
    DEPLOYMENTS,
    HTTP_ROUTES,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    KubeRefused,
)

pytestmark = pytest.mark.slow


def service(name: str) -> dict:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}


def route(
    namespace: str, weights: dict[str, int], mirror: str | None = None, gateway: str = "public"
) -> dict:
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
    rule: dict = {"backendRefs": backends}
    if mirror is not None:
        backend = {"name": mirror, "port": 80}
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]
    parent = {"name": gateway, "namespace": "default"}
    spec = {"parentRefs": [parent], "hostnames": [f"{namespace}.example"], "rules": [rule]}
    return {"metadata": {"name": "shop"}, "spec": spec}


def ready(api, namespace, name, replicas=1):
    def look():
        found = api.get(DEPLOYMENTS, namespace, name)
        status = found.get("status", {})
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        whole = (
            status.get("updatedReplicas") == status.get("replicas") == status.get("readyReplicas") == replicas
        )
        return found if seen and whole else None

    return look


def pods(api, namespace, name):
    return api.find(PODS, namespace, {"app": name})


def condition(api, namespace, kind):
    """The route's condition at its own generation, or None."""
    found = api.get(HTTP_ROUTES, namespace, "shop")
    for parent in (found.get("status") or {}).get("parents", ()):
        for one in parent["conditions"]:
            if one["type"] == kind and one["observedGeneration"] == found["metadata"]["generation"]:
                return one
    return None


def test_a_pod_runs_its_words_and_variables_and_answers_through_the_api_server(
    api, namespace, deployment, eventually
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"TOKEN": "hush"},
    }
    api.create(SECRETS, namespace, secret)
    body = deployment(
        "shop",
        args=["$(WHO)", "0.0.0.0", "8800"],
        envFrom=[{"secretRef": {"name": "s"}}],
        env=[
            {"name": "WHO", "value": "flights"},
            {"name": "WHERE", "value": "/data/kept"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    api.apply(DEPLOYMENTS, namespace, body)
    eventually(ready(api, namespace, "shop"))
    (pod,) = pods(api, namespace, "shop")
    name = pod["metadata"]["name"]
    said = api.ask_pod(namespace, name, 8800, "GET", "/metrics").json()
    assert (said["name"], said["env"]["TOKEN"], said["env"]["POD"]) == ("flights", "hush", name)
    assert said["env"]["WHERE"].endswith("/volumes/data/kept")
    assert pod["status"]["phase"] == "Running"
    assert api.logs(namespace, name, container="server") == "flights starts\n"


def test_a_pod_that_ends_at_once_crash_loops_and_leaves_its_last_words(
    api, namespace, deployment, eventually
) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("broken"))

    def waiting():
        for pod in pods(api, namespace, "broken"):
            for one in pod.get("status", {}).get("containerStatuses", ()):
                if one["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff":
                    return pod["metadata"]["name"], one
        return None

    name, status = eventually(waiting)
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], status["ready"]) == (1, "Error", False)
    assert "there is no such model" in api.logs(namespace, name, container="server", lines=1)


def test_an_image_that_nobody_has_is_backed_off_from(api, namespace, deployment, eventually) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("shop", image="nowhere:1"))

    def reason():
        states = [
            one["state"].get("waiting", {}).get("reason")
            for pod in pods(api, namespace, "shop")
            for one in pod.get("status", {}).get("containerStatuses", ())
        ]
        return "ImagePullBackOff" in states

    assert eventually(reason)


def test_a_missing_secret_keeps_a_pod_from_starting_until_it_is_there(
    api, namespace, deployment, eventually
) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("shop", envFrom=[{"secretRef": {"name": "late"}}]))

    def message():
        for pod in pods(api, namespace, "shop"):
            for one in pod.get("status", {}).get("containerStatuses", ()):
                if one["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError":
                    return one["state"]["waiting"]["message"]
        return None

    assert eventually(message) == 'secret "late" not found'
    api.create(SECRETS, namespace, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}})
    eventually(ready(api, namespace, "shop"))


def test_a_new_template_is_rolled_out_and_zero_replicas_leave_no_pod(
    api, namespace, deployment, eventually
) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("shop", 2))
    eventually(ready(api, namespace, "shop", 2))
    before = {pod["metadata"]["name"] for pod in pods(api, namespace, "shop")}
    api.apply(DEPLOYMENTS, namespace, deployment("shop", 2, env=[{"name": "NEW", "value": "1"}]))
    found = eventually(ready(api, namespace, "shop", 2))
    assert found["status"]["observedGeneration"] == 2
    eventually(lambda: not before & {pod["metadata"]["name"] for pod in pods(api, namespace, "shop")})
    api.apply(DEPLOYMENTS, namespace, deployment("shop", 0, env=[{"name": "NEW", "value": "1"}]))
    eventually(lambda: not pods(api, namespace, "shop"))


def test_a_deployment_that_is_deleted_takes_its_pods_with_it(api, namespace, deployment, eventually) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("shop"))
    eventually(ready(api, namespace, "shop"))
    address = pods(api, namespace, "shop")[0]["status"]["podIP"]
    api.delete(DEPLOYMENTS, namespace, "shop")
    eventually(lambda: not pods(api, namespace, "shop"))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{address}:8800/ready", trust_env=False)


def test_a_deployment_that_may_have_no_pods_keeps_no_other_waiting(
    api, namespace, deployment, eventually
) -> None:
    gone = f"{namespace}-gone"
    api.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": gone}})
    api.apply(DEPLOYMENTS, gone, deployment("orphan", 0))
    api.delete(NAMESPACES, None, gone)
    api.merge(DEPLOYMENTS, gone, "orphan", {"spec": {"replicas": 1}})
    api.apply(DEPLOYMENTS, namespace, deployment("shop"))
    try:
        eventually(ready(api, namespace, "shop"))
    finally:
        api.delete(DEPLOYMENTS, gone, "orphan")


@pytest.mark.parametrize(("script", "outcome"), [("echo done", "Succeeded"), ("echo gone; exit 3", "Failed")])
def test_a_pod_that_never_restarts_ends_with_what_became_of_it(
    api, namespace, eventually, script, outcome
) -> None:
    container = {"name": "main", "image": "tiny:1", "command": ["/bin/sh", "-c", script]}
    spec = {"restartPolicy": "Never", "containers": [container]}
    api.create(
        PODS, namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "once"}, "spec": spec}
    )
    eventually(lambda: api.get(PODS, namespace, "once")["status"]["phase"] in ("Succeeded", "Failed"))
    assert api.get(PODS, namespace, "once")["status"]["phase"] == outcome
    assert api.logs(namespace, "once", container="main") == f"{script.split(';')[0][5:]}\n"


@pytest.fixture
def shop(api, namespace, deployment, eventually):
    """Two versions behind Services of their own."""
    for name in ("first", "second"):
        api.apply(DEPLOYMENTS, namespace, deployment(name))
        api.apply(SERVICES, namespace, service(name))
    for name in ("first", "second"):
        eventually(ready(api, namespace, name))


def test_a_route_splits_by_weight_and_is_accepted_at_its_generation(
    kube, api, namespace, shop, eventually
) -> None:
    def ask(count: int) -> Counter[str]:
        with httpx.Client(base_url=kube.gateway.url, headers={"Host": f"{namespace}.example"}) as client:
            return Counter(client.get("/predict").json()["name"] for _ in range(count))

    for weights, some in (({"first": 1}, {"first"}), ({"first": 0, "second": 1}, {"second"})):
        api.apply(HTTP_ROUTES, namespace, route(namespace, weights))
        accepted = eventually(lambda: condition(api, namespace, "Accepted"))
        assert (accepted["status"], accepted["reason"]) == ("True", "Accepted")
        assert set(ask(10)) == some
    api.apply(HTTP_ROUTES, namespace, route(namespace, {"first": 3, "second": 1}))
    eventually(lambda: condition(api, namespace, "ResolvedRefs"))
    assert 20 < ask(200)["second"] < 85


def test_a_mirror_sees_every_request_and_answers_none(kube, api, namespace, shop, eventually) -> None:
    api.apply(HTTP_ROUTES, namespace, route(namespace, {"first": 1}, mirror="second"))
    eventually(lambda: condition(api, namespace, "Accepted"))
    (pod,) = pods(api, namespace, "second")

    def seen() -> int:
        asked: int = api.ask_pod(namespace, pod["metadata"]["name"], 8800, "GET", "/metrics").json()["asked"]
        return asked

    before = seen()
    with httpx.Client(base_url=kube.gateway.url, headers={"Host": f"{namespace}.example"}) as client:
        assert {client.get("/predict").json()["name"] for _ in range(20)} == {"first"}
    assert eventually(lambda: seen() - before == 20)


def test_a_route_to_a_service_that_is_not_there_says_so(api, namespace, eventually) -> None:
    api.apply(HTTP_ROUTES, namespace, route(namespace, {"nobody": 1}))
    found = eventually(lambda: condition(api, namespace, "ResolvedRefs"))
    assert (found["status"], found["reason"]) == ("False", "BackendNotFound")


def test_a_route_of_another_gateway_gets_no_status(kube, api, namespace, shop, eventually) -> None:
    api.apply(HTTP_ROUTES, namespace, route(namespace, {"first": 1}, gateway="elsewhere"))
    api.apply(SERVICES, namespace, service("third"))
    assert httpx.get(kube.gateway.url, headers={"Host": f"{namespace}.example"}).status_code == 404
    assert "status" not in api.get(HTTP_ROUTES, namespace, "shop")


def test_a_controller_that_is_behind_leaves_the_status_at_the_generation_before(
    kube, api, namespace, shop, eventually
) -> None:
    api.apply(HTTP_ROUTES, namespace, route(namespace, {"first": 1}))
    eventually(lambda: condition(api, namespace, "Accepted"))
    kube.gateway.holding.set()
    try:
        api.apply(HTTP_ROUTES, namespace, route(namespace, {"second": 1}))
        assert condition(api, namespace, "Accepted") is None
    finally:
        kube.gateway.holding.clear()
    eventually(lambda: condition(api, namespace, "Accepted"))


def test_the_log_of_a_container_that_is_not_there_is_a_bad_request(
    api, namespace, deployment, eventually
) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("shop"))
    eventually(ready(api, namespace, "shop"))
    (pod,) = pods(api, namespace, "shop")
    with pytest.raises(KubeRefused) as caught:
        api.logs(namespace, pod["metadata"]["name"], container="other")
    assert caught.value.code == 400
