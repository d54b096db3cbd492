"""The Kubernetes target beyond the contract: what it writes, waits for, keeps, and lets stand."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.kube.api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HTTP_ROUTES,
    PODS,
    SERVICES,
    Kind,
    KubeApi,
)
from airflow_mlops.backends.serving_kubernetes import KubernetesTarget
from airflow_mlops.core.values import ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, ModelRefused, RolloutRefused

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = (ModelRef("flights", version) for version in "123")
ROUTE = "mlops-flights"


@pytest.fixture
def endpoint(kube, namespace) -> Callable[..., ServingEndpoint]:
    def make(
        token: str | None = None, extra: dict[str, Any] | None = None, **settings: Any
    ) -> ServingEndpoint:
        told = {
            "namespace": namespace,
            "gateway": {"name": "public", "namespace": "default"},
            "hostname": f"{namespace}.example",
            "image": "tiny:1",
            "command": [sys.executable, "-S", str(Path(__file__).with_name("model.py"))],
            "timeout": "30 seconds",
            **settings,
        }
        more = {"ca_cert": kube.access.ca_file, **(extra or {})}
        return ServingEndpoint(
            "kubernetes", "flights", kube.access.server, token or kube.access.token, told, more
        )

    return make


@pytest.fixture
def make(endpoint) -> Callable[..., KubernetesTarget]:
    return lambda *args, **settings: KubernetesTarget(endpoint(*args, **settings), poll_seconds=0.02)


@pytest.fixture
def target(make) -> KubernetesTarget:
    """A target that serves version 1."""
    made = make()
    made.promote("first", FIRST)
    return made


@pytest.fixture
def ask(kube, namespace) -> Iterator[Callable[[int], list[httpx.Response]]]:
    with httpx.Client(base_url=kube.gateway.url, headers={"Host": f"{namespace}.example"}) as client:
        yield lambda count: [client.post("/predict", json={"rows": [{"temp": 1}]}) for _ in range(count)]


def deployments(api: KubeApi, namespace: str) -> dict[str, int]:
    return {
        one["metadata"]["name"].removeprefix(f"{ROUTE}-"): one["spec"]["replicas"]
        for one in api.find(DEPLOYMENTS, namespace)
    }


# What is written


def test_nothing_is_served_before_the_first_promotion(make) -> None:
    target = make()
    assert target.traffic() == Traffic(None)
    with pytest.raises(RolloutRefused, match="first model is promoted at once"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.5)


def test_a_candidate_is_deployed_without_a_weight_and_without_waiting(
    target, api, namespace, eventually
) -> None:
    first = target.deploy("r", SECOND)
    assert "mlops-flights-v2" in first.said
    assert eventually(lambda: target.deploy("r", SECOND).ready)
    assert target.traffic() == Traffic(FIRST)
    (rule,) = api.get(HTTP_ROUTES, namespace, ROUTE)["spec"]["rules"]
    assert [one["name"] for one in rule["backendRefs"]] == ["mlops-flights-v1"]


def test_the_route_holds_small_weights_and_only_what_callers_need(target, api, namespace) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=0.1)
    route = api.get(HTTP_ROUTES, namespace, ROUTE)
    (rule,) = route["spec"]["rules"]
    assert {one["name"]: one["weight"] for one in rule["backendRefs"]} == {
        "mlops-flights-v1": 9,
        "mlops-flights-v2": 1,
    }
    paths = {one["path"]["value"] for one in rule["matches"]}
    assert "/predict" in paths
    assert not any(path.startswith(("/admin", "/metrics")) for path in paths)
    assert route["metadata"]["annotations"]["airflow-mlops/rollout"] == "r"


def test_a_weight_is_read_back_from_the_route_not_from_the_request(target, api, namespace) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=0.1)
    rules = api.get(HTTP_ROUTES, namespace, ROUTE)["spec"]["rules"]
    for backend in rules[0]["backendRefs"]:
        backend["weight"] = 1
    KubeApi(target._api._access, manager="kubectl-edit").merge(
        HTTP_ROUTES, namespace, ROUTE, {"spec": {"rules": rules}}
    )
    assert target.traffic().weight == 0.5
    assert target.observe("r").weight == 0.5


def test_anothers_route_is_not_overwritten_but_a_rollback_takes_it_back(
    target, api, other, namespace
) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=0.1)
    rules = api.get(HTTP_ROUTES, namespace, ROUTE)["spec"]["rules"]
    rules[0]["backendRefs"][1]["weight"] = 9
    other.merge(HTTP_ROUTES, namespace, ROUTE, {"spec": {"rules": rules}})
    with pytest.raises(RolloutRefused, match=r"HTTPRoute .*somebody else: \.spec\.rules .*somebody-else"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.2)
    assert target.traffic().weight == 0.5
    assert target.roll_back("r") == Traffic(FIRST)


def test_a_route_that_leads_elsewhere_is_named(target, api, other, namespace) -> None:
    rules = api.get(HTTP_ROUTES, namespace, ROUTE)["spec"]["rules"]
    rules[0]["backendRefs"][0]["name"] = "something-else"
    other.merge(HTTP_ROUTES, namespace, ROUTE, {"spec": {"rules": rules}})
    with pytest.raises(ConfigError, match="routes to something-else, which serves no version of this model"):
        target.traffic()


def test_the_rollout_is_found_by_another_process_with_its_beginning(target, make) -> None:
    opened = target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    since = target.observe("r").since
    another = make()
    assert another.traffic() == opened
    assert another.set_traffic("r", SECOND, mode="canary", weight=0.5) == opened
    assert another.observe("r").since == since


def test_what_the_yaml_says_of_the_pods_is_in_the_deployment(make, api, namespace) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tracking"},
        "stringData": {"T": "x"},
    }
    api.create(Kind("v1", "Secret", "secrets"), namespace, secret)
    target = make(
        replicas=2,
        resources={"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
        env={"MLFLOW_TRACKING_URI": "http://mlflow"},
        secrets=["tracking"],
        claim="inference-log",
        options=["--key-column", "flight"],
        arguments=["--threads", "2"],
        service_account="model",
        node_selector={"disk": "fast"},
        pod_annotations={"prometheus.io/scrape": "true"},
        image_pull_secrets=["registry"],
    )
    target.promote("first", FIRST)
    found = api.get(DEPLOYMENTS, namespace, "mlops-flights-v1")["spec"]
    pod = found["template"]["spec"]
    (server,) = pod["containers"]
    assert found["replicas"] == 2
    assert server["args"][:4] == ["--model", "flights", "--version", "1"]
    assert server["args"][-4:] == ["--key-column", "flight", "--threads", "2"]
    assert server["env"] == [{"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow"}]
    assert server["envFrom"] == [{"secretRef": {"name": "tracking"}}]
    assert server["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}
    assert pod["volumes"] == [{"name": "store", "persistentVolumeClaim": {"claimName": "inference-log"}}]
    assert (pod["serviceAccountName"], pod["nodeSelector"]) == ("model", {"disk": "fast"})
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert found["template"]["metadata"]["annotations"]["prometheus.io/scrape"] == "true"


def test_a_value_that_the_cluster_refuses_is_the_configurations_fault(make) -> None:
    with pytest.raises(ConfigError, match=r"the cluster refuses Deployment .*deploy\.target"):
        make(node_selector={"disk": 1}).promote("first", FIRST)


def test_a_namespace_that_is_nowhere_said_is_asked_for(make) -> None:
    with pytest.raises(ConfigError, match=r"set deploy\.target\.namespace"):
        make(namespace=None)


# What is waited for


def test_a_version_that_ends_is_refused_at_once_with_its_last_words(target) -> None:
    with pytest.raises(ModelRefused, match=r"Version 404 .*CrashLoopBackOff.*exit code 1.*no version 404"):
        target.set_traffic("r", ModelRef("flights", "404"), mode="canary", weight=0.5)
    assert target.traffic() == Traffic(FIRST)


def test_an_image_that_cannot_be_pulled_is_refused_at_once(make) -> None:
    with pytest.raises(ModelRefused, match=r'ImagePullBackOff \(Back-off pulling image "nowhere:1"\)'):
        make(image="nowhere:1").promote("first", FIRST)


def test_a_mended_image_is_not_refused_for_the_pods_of_the_broken_one(make) -> None:
    with pytest.raises(ModelRefused):
        make(image="nowhere:1").promote("first", FIRST)
    assert make().promote("first", FIRST) == Traffic(FIRST)


def test_a_version_that_does_not_come_up_in_time_says_how_far_it_is(kube, make) -> None:
    kube.kubelet.holding.set()
    try:
        with pytest.raises(BackendUnavailable, match=r"not up after 1 seconds: 0 of 1 replicas"):
            make(timeout="1 second").promote("first", FIRST)
    finally:
        kube.kubelet.holding.clear()
    assert make().promote("first", FIRST) == Traffic(FIRST)


def test_a_gateway_that_is_behind_is_waited_for_and_then_named(kube, target, make) -> None:
    target.deploy("r", SECOND)
    target.smoke(SECOND, [{"temp": 1}])
    hurried = make(timeout="1 second")
    kube.gateway.holding.set()
    try:
        with pytest.raises(BackendUnavailable, match="Gateway default/public has not said Accepted yet"):
            hurried.set_traffic("r", SECOND, mode="canary", weight=0.5)
        since = target.observe("r").since
    finally:
        kube.gateway.holding.clear()
    assert target.set_traffic("r", SECOND, mode="canary", weight=0.5).weight == 0.5
    assert target.observe("r").since == since


def test_a_gateway_that_refuses_says_why(make) -> None:
    target = make(gateway={"name": "public", "namespace": "default", "listener": "https"}, timeout="1 second")
    with pytest.raises(
        BackendUnavailable, match=r"Accepted is False \(NoMatchingParent: .*no listener https"
    ):
        target.promote("first", FIRST)


def test_a_challenger_that_needs_more_than_callers_send_is_refused(target) -> None:
    with pytest.raises(ModelRefused, match="needs wind, which requests to version 1 do not carry"):
        target.set_traffic("r", ModelRef("flights", "8"), mode="shadow", weight=0.0)
    assert target.traffic() == Traffic(FIRST)


# What is counted


def test_errors_are_counted_and_what_came_before_the_stage_is_not(target, ask) -> None:
    ask(20)
    target.set_traffic("r", ModelRef("flights", "7"), mode="canary", weight=1.0)
    assert {answer.status_code for answer in ask(10)} == {500}
    seen = target.observe("r")
    assert (seen.champion.rows, seen.challenger.rows, seen.challenger.errors) == (0, 10, 10)
    assert (seen.challenger.calls, seen.challenger.failed_calls) == (10, 10)
    assert (seen.disagreements, seen.latency_edges) == (None, (0.01,))


def test_counts_survive_our_process_and_the_end_of_a_pod(
    target, make, ask, api, namespace, eventually
) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    ask(7)
    assert make().observe("r").challenger.rows == 7
    (pod,) = api.find(PODS, namespace, {"airflow-mlops/version": "2"})
    api.delete(PODS, namespace, pod["metadata"]["name"], grace_seconds=0)
    eventually(lambda: target.deploy("r", SECOND).ready)
    target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    eventually(lambda: {answer.status_code for answer in ask(1)} == {200})
    before = make().observe("r").challenger.rows
    assert before >= 8
    ask(3)
    seen = make().observe("r").challenger
    assert seen.rows == before + 3
    assert 0 < seen.latency_p99_seconds <= 0.01


def test_a_new_stage_counts_anew(target, ask) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    ask(5)
    target.set_traffic("r", SECOND, mode="canary", weight=0.0)
    assert target.observe("r").challenger.rows == 0


def test_a_stage_whose_counters_are_lost_begins_to_count_and_goes_on(target, ask, api, namespace) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    ask(5)
    api.delete(CONFIG_MAPS, namespace, ROUTE)
    assert target.observe("r").challenger.rows == 0
    ask(2)
    assert target.observe("r").challenger.rows == 2


def test_a_challenger_that_comes_down_in_the_stage_is_refused(
    target, make, api, namespace, eventually
) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    make(image="nowhere:1").deploy("r", SECOND)

    def observed() -> str:
        try:
            target.observe("r")
        except ModelRefused as error:
            return str(error)
        return ""

    assert "ImagePullBackOff" in eventually(observed)


class Prometheus(BaseHTTPRequestHandler):
    """Scrapes the pods when it is asked, and answers as Prometheus does."""

    api: KubeApi
    namespace: str

    def do_GET(self) -> None:
        from airflow_mlops.backends.kube.counts import samples_of

        result = []
        for pod in self.api.find(PODS, self.namespace):
            name = pod["metadata"]["name"]
            page = self.api.ask_pod(self.namespace, name, 8800, "GET", "/metrics").text
            for metric, labels, value in samples_of(page):
                labels = {"__name__": metric, **labels, "pod": name, "namespace": self.namespace}
                result.append({"metric": labels, "value": [0, str(value)]})
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def test_counts_come_from_prometheus_where_it_is_named(make, target, ask, api, namespace) -> None:
    Prometheus.api, Prometheus.namespace = api, namespace
    server = HTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        by_prometheus = make(extra={"prometheus": {"url": url}})
        by_prometheus.set_traffic("r", SECOND, mode="canary", weight=1.0)
        ask(6)
        assert by_prometheus.observe("r").challenger.rows == 6
    finally:
        server.shutdown()
        server.server_close()


def test_a_prometheus_that_is_away_is_named(make, target) -> None:
    by_prometheus = make(extra={"prometheus": {"url": "http://127.0.0.1:9"}})
    with pytest.raises(BackendUnavailable, match=r"Prometheus at http://127\.0\.0\.1:9 .*prometheus_conn_id"):
        by_prometheus.set_traffic("r", SECOND, mode="canary", weight=0.5)
    assert target.traffic() == Traffic(FIRST)


# What is kept


@pytest.mark.parametrize(
    ("previous", "left"), [("scale_down", {"v1": 0}), ("keep", {"v1": 1}), ("remove", {})]
)
def test_the_champion_before_is_dealt_with_as_the_policy_says(make, api, namespace, previous, left) -> None:
    target = make(previous=previous)
    target.promote("first", FIRST)
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    target.promote("r", SECOND)
    assert deployments(api, namespace) == {"v2": 1, **left}
    services = {one["metadata"]["name"] for one in api.find(SERVICES, namespace)}
    assert services == {f"{ROUTE}-{version}" for version in ("v2", *left)}
    target.promote("back", FIRST)
    assert target.traffic() == Traffic(FIRST)
    assert deployments(api, namespace)["v1"] == 1


def test_only_one_champion_before_is_kept(make, api, namespace) -> None:
    target = make(previous="keep")
    for version in (FIRST, SECOND, THIRD):
        target.promote("r", version)
    assert deployments(api, namespace) == {"v2": 1, "v3": 1}


def test_a_rolled_back_challenger_is_removed_and_so_is_one_that_never_got_a_weight(
    target, api, namespace, eventually
) -> None:
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    target.deploy("r", SECOND)
    assert target.roll_back("r") == Traffic(FIRST)
    assert deployments(api, namespace) == {"v1": 1}
    target.deploy("s", THIRD)
    target.roll_back("another")
    assert deployments(api, namespace) == {"v1": 1, "v3": 1}
    target.roll_back("s")
    assert deployments(api, namespace) == {"v1": 1}


def test_replicas_are_an_autoscalers_where_they_are_null(make, other, api, namespace) -> None:
    target = make(replicas=None)
    target.promote("first", FIRST)
    scaled = {"spec": {"replicas": 2}}
    other.merge(DEPLOYMENTS, namespace, "mlops-flights-v1", scaled)
    target.promote("first", FIRST)
    assert deployments(api, namespace) == {"v1": 2}


def test_replicas_that_somebody_else_sets_are_not_taken_from_him(target, other, namespace) -> None:
    other.merge(DEPLOYMENTS, namespace, "mlops-flights-v1", {"spec": {"replicas": 2}})
    with pytest.raises(RolloutRefused, match=r"\.spec\.replicas .*replicas: null"):
        target.promote("first", FIRST)


# What it may do


def test_the_rights_of_the_manifest_are_those_that_are_used(kube, make, api, namespace, repository) -> None:
    text = (repository / "docker" / "kubernetes" / "rbac.yaml").read_text().replace("models", namespace)
    account, role, binding = yaml.safe_load_all(text)
    assert (account["metadata"]["namespace"], account["metadata"]["name"]) == ("airflow", "worker")
    for one, plural in ((role, "roles"), (binding, "rolebindings")):
        api.create(Kind(one["apiVersion"], one["kind"], plural), namespace, one)
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    worker = make("worker-token")
    worker.promote("first", FIRST)
    worker.deploy("r", SECOND)
    worker.smoke(SECOND, [{"temp": 1}])
    worker.set_traffic("r", SECOND, mode="canary", weight=0.5)
    worker.observe("r")
    worker.roll_back("r")
    with pytest.raises(ModelRefused, match="there is no version 404"):
        worker.promote("s", ModelRef("flights", "404"))
    worker.promote("t", SECOND)
    if kube.stand_in is not None:
        used = {
            act.right
            for user, act in kube.stand_in.acts
            if user.name == "system:serviceaccount:airflow:worker" and act.namespace == namespace
        }
        assert used == granted
