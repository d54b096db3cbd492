"""The KServe target beyond the contract: in which order it writes, what it believes, and what it refuses."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.kserve.definition import DEFINITION, check_definition
from airflow_mlops.backends.kserve.judging import failure, unready_revision, unrouted_revision
from airflow_mlops.backends.kserve.manifests import INFERENCE_SERVICES, Manifests, replacing
from airflow_mlops.backends.kserve.settings import KServeSettings
from airflow_mlops.backends.kserve.state import read
from airflow_mlops.backends.kube.api import PODS, Kind, KubeApi
from airflow_mlops.backends.serving_kserve import KServeTarget
from airflow_mlops.core.values import ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, ModelRefused, RolloutRefused
from airflow_mlops.testing.kube import ScriptedKServe
from airflow_mlops.testing.kube.resources import shipped_definitions

FIRST, SECOND, THIRD = (ModelRef("flights", version) for version in "123")
NAME = "mlops-flights"


@pytest.fixture(scope="module")
def controller(kube) -> Iterator[ScriptedKServe]:
    made = ScriptedKServe(KubeApi(kube.access, manager="kserve"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def make(kube, namespace, controller) -> Iterator[Callable[..., KServeTarget]]:
    def target(token: str | None = None, **settings: Any) -> KServeTarget:
        told = {
            "namespace": namespace,
            "image": "tiny:1",
            "command": [sys.executable, "-S", str(Path(__file__).with_name("model.py"))],
            "timeout": "20 seconds",
            **settings,
        }
        access, extra = kube.access, {"ca_cert": kube.access.ca_file}
        endpoint = ServingEndpoint("kserve", "flights", access.server, token or access.token, told, extra)
        return KServeTarget(endpoint, poll_seconds=0.02)

    yield target
    controller.holding.clear()
    controller.routes_canaries = True
    kube.api.delete(INFERENCE_SERVICES, namespace, NAME)


@pytest.fixture
def shares(kube, namespace, controller) -> Callable[[], set[str]]:
    """Which versions answer forty requests."""
    host = controller.host(namespace, NAME)

    def ask() -> set[str]:
        with httpx.Client(base_url=kube.gateway.url, headers={"Host": host}) as client:
            return {
                client.post("/predict", json={"rows": [{"temp": 1}]}).json()["version"] for _ in range(40)
            }

    return ask


def spec(api: KubeApi, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(INFERENCE_SERVICES, namespace, NAME)["spec"]
    return found


# Serverless


@pytest.mark.slow
def test_a_way_back_never_gives_the_challenger_a_request_while_the_champion_comes_up_again(
    make, api, namespace, shares
) -> None:
    target = make()
    target.promote("first", FIRST)
    baseline = spec(api, namespace)["predictor"]
    target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    assert shares() == {"2"}
    seen: list[int | None] = []
    change = target._service.change

    def noted(make_change: Any) -> Any:
        found = change(make_change)
        seen.append(found.predictor.get("canaryTrafficPercent"))
        return found

    target._service.change = noted
    assert target.roll_back("r") == Traffic(FIRST)
    assert seen == [0, 0, None]
    assert shares() == {"1"}
    assert spec(api, namespace)["predictor"] == baseline
    annotations = api.get(INFERENCE_SERVICES, namespace, NAME)["metadata"]["annotations"]
    assert not {"airflow-mlops/rollout", "airflow-mlops/baseline"} & annotations.keys()


@pytest.mark.slow
def test_a_version_and_its_share_of_nought_are_one_write_and_nothing_is_believed_before_its_revision(
    make, api, namespace, controller
) -> None:
    target = make(timeout="1 second")
    target.promote("first", FIRST)
    before = api.get(INFERENCE_SERVICES, namespace, NAME)["metadata"]["generation"]
    controller.holding.set()
    with pytest.raises(BackendUnavailable, match="KServe has made no revision of it yet"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.1)
    found = api.get(INFERENCE_SERVICES, namespace, NAME)
    assert found["status"]["conditions"] == [{"type": "Ready", "status": "True"}]
    assert found["metadata"]["generation"] == before + 1
    assert found["spec"]["predictor"]["canaryTrafficPercent"] == 0
    assert target.traffic() == Traffic(FIRST)
    controller.holding.clear()
    another = make()
    assert another.set_traffic("r", SECOND, mode="canary", weight=0.1).weight == 0.1
    assert make().traffic() == Traffic(FIRST, SECOND, "canary", 0.1, "r")


@pytest.mark.slow
def test_a_failed_load_is_refused_with_its_words_and_holds_up_no_other_version(make, shares) -> None:
    target = make()
    target.promote("first", FIRST)
    for _ in range(2):
        with pytest.raises(ModelRefused, match="there is no version 404"):
            target.set_traffic("r", ModelRef("flights", "404"), mode="canary", weight=0.5)
    assert shares() == {"1"}
    assert target.set_traffic("s", SECOND, mode="canary", weight=0.5).challenger == SECOND


@pytest.mark.slow
def test_the_rights_of_the_manifest_are_those_that_are_used(kube, make, api, namespace, repository) -> None:
    text = (repository / "docker" / "kubernetes" / "rbac-kserve.yaml").read_text()
    _, role, binding, cluster_role, cluster_binding = yaml.safe_load_all(text.replace("models", namespace))
    for one, plural in ((role, "roles"), (binding, "rolebindings")):
        api.create(Kind(one["apiVersion"], one["kind"], plural), namespace, one)
    for one, plural in ((cluster_role, "clusterroles"), (cluster_binding, "clusterrolebindings")):
        api.create(Kind(one["apiVersion"], one["kind"], plural, namespaced=False), None, one)
    granted = {
        (group, resource, verb)
        for rule in (*role["rules"], *cluster_role["rules"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    already = len(kube.stand_in.acts) if kube.stand_in is not None else 0
    worker = make("worker-token", mode="standard")
    worker.promote("first", FIRST)
    worker.smoke(SECOND, [{"temp": 1}])
    worker.set_traffic("r", SECOND, mode="canary", weight=0.5)
    worker.observe("r")
    worker.roll_back("r")
    with pytest.raises(ModelRefused, match="there is no version 404"):
        worker.promote("s", ModelRef("flights", "404"))
    if kube.stand_in is not None:
        used = {
            act.right
            for user, act in list(kube.stand_in.acts)[already:]
            if user.name == "system:serviceaccount:airflow:worker"
        }
        assert used == granted


# Standard mode


@pytest.mark.slow
def test_a_promotion_in_standard_mode_moves_the_predictor_and_keeps_its_pods(
    make, api, namespace, shares
) -> None:
    target = make(mode="standard")
    target.promote("first", FIRST)
    target.set_traffic("r", SECOND, mode="canary", weight=0.25)
    (canary,) = spec(api, namespace)["canary"]
    assert (canary["trafficPercent"], canary["predictor"]["name"]) == (25, "v2")
    assert shares() == {"1", "2"}
    pods = {one["metadata"]["uid"] for one in api.find(PODS, namespace, {"airflow-mlops/version": "2"})}
    assert target.promote("r", SECOND) == Traffic(SECOND)
    assert spec(api, namespace)["predictor"] == canary["predictor"]
    assert spec(api, namespace)["canary"] == []
    assert shares() == {"2"}
    assert {
        one["metadata"]["uid"] for one in api.find(PODS, namespace, {"airflow-mlops/version": "2"})
    } == pods


@pytest.mark.slow
def test_a_kserve_that_makes_canaries_and_routes_nothing_to_them_is_told_which_release_does(
    make, controller
) -> None:
    target = make(mode="standard", timeout="2 seconds")
    target.promote("first", FIRST)
    controller.routes_canaries = False
    with pytest.raises(BackendUnavailable, match=r"the HTTPRoute gives 100 % to .*since KServe 0\.21"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    with pytest.raises(
        ConfigError, match=r"in KServe's mode Standard, and deploy\.target\.mode is serverless"
    ):
        make().traffic()


# What needs no cluster


def definition() -> dict[str, Any]:
    (found,) = (one for one in shipped_definitions() if one["metadata"]["name"] == DEFINITION)
    return copy.deepcopy(found)


def test_older_kserves_are_refused_with_the_release_that_is_needed() -> None:
    check_definition(definition(), "standard")
    old = definition()
    properties = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del properties["canary"]
    check_definition(old, "serverless")
    with pytest.raises(ConfigError, match=r"no spec\.canary.*no notice of canaryTrafficPercent.*0\.21"):
        check_definition(old, "standard")
    del properties["predictor"]["properties"]["canaryTrafficPercent"]
    with pytest.raises(ConfigError, match=r"upgrade KServe to 0\.7"):
        check_definition(old, "serverless")
    old["spec"]["versions"][0]["name"] = "v1alpha2"
    with pytest.raises(ConfigError, match="as v1alpha2, not as v1beta1"):
        check_definition(old, "serverless")
    with pytest.raises(ConfigError, match="install KServe"):
        check_definition(None, "serverless")


def test_a_definition_without_a_schema_is_left_to_the_status() -> None:
    minimal = definition()
    minimal["spec"]["versions"][0]["schema"] = {
        "openAPIV3Schema": {"properties": {"spec": {"x-kubernetes-preserve-unknown-fields": True}}}
    }
    check_definition(minimal, "standard")


def seen(traffic: list[dict[str, Any]], created: str = "r2", ready: str = "r2", before: str = "r1") -> Any:
    component = {"latestCreatedRevision": created, "latestReadyRevision": ready, "traffic": traffic}
    return read(
        {
            "metadata": {"annotations": {"airflow-mlops/revision-before": before}},
            "status": {
                "observedGeneration": 99,
                "conditions": [{"type": "Ready", "status": "True"}],
                "components": {"predictor": component},
            },
        }
    )


def test_ready_and_a_high_generation_are_no_proof() -> None:
    assert unready_revision(seen([], created="r1", ready="r1")) == "KServe has made no revision of it yet"
    assert unready_revision(seen([], ready="r1")) == "revision r2 is not ready"
    assert unready_revision(seen([])) is None


def test_shares_are_those_of_the_status_by_revision() -> None:
    split = [
        {"latestRevision": True, "revisionName": "r2", "percent": 10},
        {"latestRevision": False, "revisionName": "r1", "percent": 90, "tag": "prev"},
    ]
    assert unrouted_revision(seen(split), 10, "r1") is None
    assert "10 % to r2" in str(unrouted_revision(seen(split), 20, "r1"))
    assert "90 % to r1" in str(unrouted_revision(seen(split), 10, "r0"))
    assert unrouted_revision(seen([{"latestRevision": True, "percent": 100}]), 100, None) is None
    assert "nothing" in str(unrouted_revision(seen([]), 100, None))


def test_a_failure_is_told_in_kserves_words() -> None:
    status = {
        "transitionStatus": "InvalidSpec",
        "lastFailureInfo": {"reason": "NoSupportingRuntime", "message": "no runtime"},
    }
    assert failure(status) == "InvalidSpec (NoSupportingRuntime: no runtime)"
    assert failure({"transitionStatus": "InProgress"}) is None
    assert failure(None) is None


def test_a_patch_takes_away_what_is_gone() -> None:
    old = {"labels": {"a": "1", "b": "2"}, "nodeSelector": {"disk": "fast"}, "args": [1, 2]}
    assert replacing(old, {"labels": {"a": "1"}, "args": [3]}) == {
        "labels": {"a": "1", "b": None},
        "nodeSelector": None,
        "args": [3],
    }


def test_image_and_storage_uri_are_filled_in_for_each_version() -> None:
    settings = KServeSettings(
        model="flights",
        namespace="models",
        image="registry/{model}:{version}",
        storage_uri="s3://models/{model}/{version}",
    )
    model = Manifests(settings).predictor("7")["model"]
    assert model["image"] == "registry/flights:7"
    assert model["storageUri"] == "s3://models/flights/7"
    (container,) = Manifests(settings).runtime()["spec"]["containers"]
    assert "image" not in container  # one for all versions there is not
    assert model["args"][:4] == ["--model", "flights", "--version", "7"]


def test_shadows_and_broken_percents_are_refused_before_anything_is_asked() -> None:
    settings = {"namespace": "models", "image": "image:1"}
    target = KServeTarget(ServingEndpoint("kserve", "flights", "http://127.0.0.1:9", None, settings))
    with pytest.raises(RolloutRefused, match=r"no shadow: set shadow: \{enabled: false\}"):
        target.set_traffic("r", SECOND, mode="shadow", weight=0.0)
    with pytest.raises(RolloutRefused, match=r"whole percents, and 0\.125 is none"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.125)
