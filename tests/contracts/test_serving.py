"""What every serving target holds to."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.base import ServingEndpoint, ServingTarget
from airflow_mlops.backends.kserve.manifests import INFERENCE_SERVICES
from airflow_mlops.backends.kube.api import DEPLOYMENTS, HTTP_ROUTES, NAMESPACES, KubeApi
from airflow_mlops.backends.model_features import conformed
from airflow_mlops.backends.predictions import Piece, ScoreJob, Scorer
from airflow_mlops.backends.predictions_parquet import ParquetPredictions
from airflow_mlops.backends.serving_batch import BatchTarget
from airflow_mlops.backends.serving_embedded import EmbeddedTarget
from airflow_mlops.backends.serving_kserve import KServeTarget
from airflow_mlops.backends.serving_kubernetes import KubernetesTarget
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.config.parts.deploy_target_kserve import KServeTargetConfig
from airflow_mlops.config.parts.deploy_targets import (
    BatchTargetConfig,
    EmbeddedTargetConfig,
)
from airflow_mlops.core.partitions import partition_of
from airflow_mlops.core.values import ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.gateway.server import serve_in_thread
from airflow_mlops.gateway.settings import Settings
from airflow_mlops.testing.kube import Cluster, ScriptedKServe, cluster
from airflow_mlops.testing.serving import FIRST, ROW, SECOND, ServedModel, ServingContract, until

from .shelf import Constant, Shelf


def endpoint(url: str, token: str | None = "secret", model: str = "flights") -> ServingEndpoint:
    return ServingEndpoint("embedded", model, url, token)


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


@dataclass
class Served(ServedModel):
    """A target whose users ask a server of ours."""

    target: ServingTarget
    url: str
    columns: dict[str, Any] = field(default_factory=dict)
    modes: frozenset[str] = EmbeddedTargetConfig.modes

    def ask(self, count: int) -> list[dict[str, Any]]:
        rows = [{**ROW, "flight": number} for number in range(count)]
        answer = httpx.post(f"{self.url}/predict", json={"rows": rows})
        answers: list[dict[str, Any]] = answer.json()["predictions"]
        return answers


class Checked(Constant):
    """The same, and refuses rows that lack a column, as a loaded model does."""

    def predict(self, features: Any) -> Any:
        return super().predict(conformed(features, self.columns))


class Aliases:
    """A registry with an alias, and what of it a batch model is served by."""

    def __init__(self) -> None:
        self.champion = "1"

    def alias(self, name: str, alias: str) -> ModelRef | None:
        return ModelRef(name, self.champion) if alias == "champion" else None

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.champion = version

    def load(self, model_uri: str, *, trusted_types: Any = ()) -> Any:
        version = model_uri.rpartition("/")[2]
        Shelf().load(version)
        return Checked(version)


@dataclass
class ServedInBatches(Served):
    """A batch model's users ask by having a partition scored; each answer is a row of it."""

    store: Any = None
    days: Iterator[int] = field(default_factory=lambda: iter(range(1, 29)))

    def ask(self, count: int) -> list[dict[str, Any]]:
        traffic, now = self.target.traffic(), datetime.now(timezone.utc)
        assert traffic.champion is not None
        partition = partition_of(datetime(2026, 1, next(self.days), tzinfo=timezone.utc), "day")
        job = ScoreJob(
            model="flights",
            task="binary_classification",
            folder=f"predictions/{partition.name}",
            partition=partition,
            key="flight",
            time="at",
            keep=[],
            champion=Scorer(traffic.champion, Shelf().load(traffic.champion.version)),
            scored_at=now,
            challenger=traffic.challenger
            and Scorer(traffic.challenger, Shelf().load(traffic.challenger.version)),
            shadow_share=1.0,
        )
        rows = pd.DataFrame({"flight": range(count), "at": partition.window.start, **ROW})
        ParquetPredictions(self.store).score(job, [Piece(rows, rows[list(ROW)])])
        kept = pd.read_parquet(self.store.local_path(f"{job.folder}/predictions.parquet"))
        return [{"version": version} for version in kept["model_version"]]


@pytest.fixture(scope="module")
def stopping() -> Iterator[ThreadPoolExecutor]:
    """Ends gateways while the next test runs: an orderly end takes a fifth of a second."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture(
    params=[
        "embedded",
        "batch",
        pytest.param("isolated", marks=pytest.mark.slow),
        pytest.param("kubernetes", marks=pytest.mark.slow),
        pytest.param("kserve", marks=pytest.mark.slow),
        pytest.param("kserve_standard", marks=pytest.mark.slow),
        pytest.param("sagemaker", marks=pytest.mark.slow),
    ]
)
def served(request: pytest.FixtureRequest) -> Served:
    """A target of each kind, with version 1 as its champion."""
    found: Served = request.getfixturevalue(f"{request.param}_served")
    return found


@pytest.fixture
def embedded_served(tmp_path: Path, stopping: ThreadPoolExecutor) -> Iterator[Served]:
    settings = Settings(model="flights", store=tmp_path, token="secret", key_column="flight")
    running = ExitStack()
    url = running.enter_context(serve_in_thread(settings, Shelf()))
    try:
        while httpx.get(f"{url}/ready").status_code != 200:
            time.sleep(0.01)
        yield Served(EmbeddedTarget(endpoint(url)), url)
    finally:
        stopping.submit(running.close)


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same server with a process per version behind Envoy."""
    store = tmp_path_factory.mktemp("isolated")
    settings = Settings("flights", store, isolated=True, token="secret", key_column="flight")
    with serve_in_thread(settings, Shelf()) as url:
        until(lambda: httpx.get(f"{url}/ready"), lambda answer: answer.status_code == 200)
        yield url


@pytest.fixture
def isolated_served(isolated: str) -> Served:
    """The server as a test before has left it, with version 1 as its champion again."""
    target = EmbeddedTarget(endpoint(isolated))
    if (opened := target.traffic().rollout_id) is not None:
        target.roll_back(opened)
    target.promote("first", FIRST)
    return RoutedServed(target, isolated)


@pytest.fixture
def batch_served(tmp_path: Path) -> Served:
    store = LocalStore(tmp_path)
    target = BatchTarget(ServingEndpoint("batch", "flights"), store, Aliases())  # type: ignore[arg-type]  # the part of a registry that it asks
    return ServedInBatches(target, "", modes=BatchTargetConfig.modes, store=store)


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    from .sagemaker_standin import sagemaker

    with sagemaker() as stand_in:
        yield stand_in


@pytest.fixture
def sagemaker_served(aws: Any) -> Served:
    aws.reset()
    target = aws.target()
    target.promote("first", FIRST)
    return SageMakerServed(target, aws.url, aws=aws)


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in which version 1 has been promoted."""
    with cluster(tmp_path_factory.mktemp("kube"), {"model-server:1": [sys.executable]}) as running:
        kubernetes_target(running).promote("first", FIRST)
        yield running


@pytest.fixture
def kubernetes_served(kube: Cluster) -> Iterator[Served]:
    """The route is put back at the end; pods of a test before are taken over where they still run."""
    route = kube.api.get(HTTP_ROUTES, "default", "mlops-flights")
    assert route is not None
    yield RoutedServed(kubernetes_target(kube), kube.gateway.url)
    metadata = {name: route["metadata"][name] for name in ("name", "labels", "annotations")}
    kube.api.apply(HTTP_ROUTES, "default", {"metadata": metadata, "spec": route["spec"]})


class RoutedServed(Served):
    """A router whose users ask once a row: it splits requests."""

    def ask(self, count: int) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        with httpx.Client(base_url=self.url) as client:
            for number in range(count):
                answer = client.post("/predict", json={"rows": [{**ROW, "flight": number}]})
                assert answer.status_code == 200, answer.text
                answers += answer.json()["predictions"]
        return answers


def kubernetes_target(kube: Cluster) -> KubernetesTarget:
    settings = {
        "namespace": "default",
        "gateway": {"name": "public"},
        "image": "model-server:1",
        "command": [sys.executable, str(Path(__file__).with_name("shelf.py"))],
        "options": ["--key-column", "flight"],
        "env": {"MLFLOW_TRACKING_URI": "http://nowhere.invalid"},
        "previous": "keep",
        "timeout": "1 minute",
    }
    access = kube.access
    extra = {"ca_cert": access.ca_file}
    endpoint = ServingEndpoint("kubernetes", "flights", access.server, access.token, settings, extra)
    return KubernetesTarget(endpoint, poll_seconds=0.05)


@pytest.fixture(scope="module")
def kserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, ScriptedKServe]]:
    with cluster(tmp_path_factory.mktemp("kserve"), {"model-server:1": [sys.executable]}) as running:
        controller = ScriptedKServe(KubeApi(running.access, manager="kserve"))
        controller.start()
        yield running, controller
        controller.stop()


@pytest.fixture
def kserve_served(kserve: tuple[Cluster, ScriptedKServe], request: Any) -> Iterator[Served]:
    yield from kserve_in_a_namespace(*kserve, "serverless", request.node.name)


@pytest.fixture
def kserve_standard_served(kserve: tuple[Cluster, ScriptedKServe], request: Any) -> Iterator[Served]:
    yield from kserve_in_a_namespace(*kserve, "standard", request.node.name)


def kserve_in_a_namespace(
    kube: Cluster, controller: ScriptedKServe, mode: str, test: str
) -> Iterator[Served]:
    """An InferenceService of the test's own, with a server that starts at once in place of ours."""
    namespace = f"test-{abs(hash(test)) % 10**8}"
    kube.api.create(NAMESPACES, None, {**NAMESPACE, "metadata": {"name": namespace}})
    settings = {
        "namespace": namespace,
        "mode": mode,
        "image": "model-server:1",
        "command": [sys.executable, "-S", str(Path(__file__).parents[1] / "kube" / "model.py")],
        "timeout": "15 seconds",
    }
    access = kube.access
    endpoint = ServingEndpoint(
        "kserve", "flights", access.server, access.token, settings, {"ca_cert": access.ca_file}
    )
    target = KServeTarget(endpoint, poll_seconds=0.05)
    target.promote("first", FIRST)
    host = controller.host(namespace, "mlops-flights")
    yield KServeServed(target, kube.gateway.url, modes=KServeTargetConfig.modes, host=host)
    kube.api.delete(INFERENCE_SERVICES, namespace, "mlops-flights")
    for one in kube.api.find(DEPLOYMENTS, namespace):
        kube.api.delete(DEPLOYMENTS, namespace, one["metadata"]["name"])


@dataclass
class KServeServed(Served):
    """An InferenceService whose users ask once a row, by its host."""

    host: str = ""

    def ask(self, count: int) -> list[dict[str, Any]]:
        with httpx.Client(base_url=self.url, headers={"Host": self.host}) as client:
            found = [client.post("/predict", json={"rows": [{**ROW}]}).json() for _ in range(count)]
        return [{"version": one["version"], "prediction": one["predictions"][0]} for one in found]


@dataclass
class SageMakerServed(Served):
    """An endpoint whose users ask once a row, from one minute to the next: CloudWatch counts whole ones."""

    aws: Any = None

    def ask(self, count: int) -> list[dict[str, Any]]:
        self.aws.clock.to_the_next_minute()
        answers = [self.aws.answer("flights", [ROW]) for _ in range(count)]
        self.aws.clock.to_the_next_minute()
        return [{"version": version, "prediction": found[0]} for version, found in answers]


class TestEveryTarget(ServingContract):
    """All that ``served`` is made of."""

    def test_numbers_and_texts_of_numpy_are_sent_as_any_others(self, served: Served) -> None:
        rows = [{"temp": np.float64(1.5), "carrier": None}, {"temp": np.int64(3), "carrier": np.str_("CC")}]
        assert served.target.smoke(SECOND, rows) == [0.2] * 2


def test_a_batch_model_has_no_canary_and_counts_a_partition_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    target = BatchTarget(ServingEndpoint("batch", "flights"), store, Aliases())  # type: ignore[arg-type]  # see above
    with pytest.raises(RolloutRefused, match=r"no canary at weight 0\.5.*strategy: shadow or direct"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    target.set_traffic("r", SECOND, mode="shadow", weight=0.0)
    for days in ([1], [1], [2]):
        ServedInBatches(target, "", store=store, days=iter(days)).ask(30)
    seen = target.observe("r")
    assert seen.champion is not None
    assert seen.challenger is not None
    assert (seen.champion.rows, seen.challenger.rows, seen.challenger.errors) == (60, 60, 0)
    assert seen.challenger.mean_score == pytest.approx(0.2)
    assert target.roll_back("r").mode == "none"
    target.set_traffic("r2", SECOND, mode="shadow", weight=0.0)
    begun = target.observe("r2").challenger
    assert begun is not None
    assert begun.rows == 0


def test_a_rollout_that_the_store_cannot_tell_of_is_named(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("serving/flights/rollout.json", b"{}")
    target = BatchTarget(ServingEndpoint("batch", "flights"), store, Aliases())  # type: ignore[arg-type]  # see above
    with pytest.raises(BackendUnavailable, match=r"serving/flights/rollout\.json in the store"):
        target.traffic()


def test_a_target_that_is_away_says_where_and_what_to_look_at() -> None:
    target = EmbeddedTarget(endpoint("http://127.0.0.1:9", None))
    with pytest.raises(
        BackendUnavailable, match=r"http://127\.0\.0\.1:9 does not answer.*airflow-mlops serve"
    ):
        target.traffic()


def test_a_wrong_token_is_named_and_not_shown(embedded_served: Served) -> None:
    with pytest.raises(BackendUnavailable, match="refused the token") as caught:
        EmbeddedTarget(endpoint(embedded_served.url, "hush")).traffic()
    assert "hush" not in str(caught.value)


def test_a_gateway_of_another_model_is_noticed_before_anything_is_changed(embedded_served: Served) -> None:
    other, url = ModelRef("trains", "2"), embedded_served.url
    with pytest.raises(ModelRefused, match="serves flights, not trains"):
        EmbeddedTarget(endpoint(url)).set_traffic("r", other, mode="canary", weight=1.0)
    with pytest.raises(ModelRefused, match="serves flights version 1, not trains"):
        EmbeddedTarget(endpoint(url, model="trains")).traffic()
    assert embedded_served.target.traffic() == Traffic(champion=FIRST)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), "not this package's gateway"),
        (httpx.Response(200, json=[]), "not this package's gateway"),
        (httpx.Response(502, text="bad gateway"), "answered 502: bad gateway"),
        (httpx.Response(200, json={"champion": {"name": "flights", "version": "1"}}), "told to serve canary"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_can_be_retried(
    answer: httpx.Response, message: str
) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    target = EmbeddedTarget(endpoint("http://gateway", None), transport=transport)
    with pytest.raises(BackendUnavailable, match=message) as caught:
        target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    assert caught.value.retry_can_help
