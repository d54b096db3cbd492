"""SageMaker for tests: moto's server over HTTP, and what moto 5.2 does not do of it.

moto keeps models, configurations, endpoints, tags, buckets and metrics. Added here, each as AWS documents it:
UpdateEndpoint (moto answers 500), shadow variants (it drops them), statuses that take a few looks, refusal of
a name that is taken, tags that replace each other, invocations that reach a variant by weight and are counted
in CloudWatch, and CloudWatch's percentiles and trimmed counts. botocore checks all requests and parses all
answers.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any
from unittest.mock import patch

import yaml
from moto import mock_aws
from moto.cloudwatch.models import MetricDatum, Statistics, cloudwatch_backends
from moto.core.responses import ActionResult
from moto.moto_api._internal.models import moto_api_backend
from moto.s3.models import s3_backends
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse
from moto.server import ThreadedMotoServer

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.sagemaker.session import Aws
from airflow_mlops.backends.serving_sagemaker import SageMakerTarget
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.config.parts.deploy_target_sagemaker import SageMakerTargetConfig
from airflow_mlops.core.values import ModelRef, RunRef
from airflow_mlops.exceptions import ModelRefused

REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"
BUCKET, IMAGE = "models-of-flights", f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mlflow-pyfunc:3.17.2"
LOOKS = 3

Rows = list[dict[str, Any]]
Answers = Callable[[str, Rows], list[Any]]


def tenths(version: str, rows: list[dict[str, Any]]) -> list[Any]:
    """Predicts a version's number over ten, where the row has a temperature."""
    if any("temp" not in row for row in rows):
        raise Refused("Model is missing inputs ['temp'].")
    return [[1 - int(version) / 10, int(version) / 10] for _ in rows]


class Registry:
    """What the target needs of MLflow: versions 1 to 3, each with the two files of a model."""

    def files_of(self, model_uri: str) -> ModelFiles:
        version = model_uri.rpartition("/")[2]
        if version not in ("1", "2", "3"):
            raise ModelRefused(f"there is no version {version}")
        flavors = {"python_function": {"python_version": "3.12.1"}, "sklearn": {"sklearn_version": "1.9.1"}}
        return ModelFiles(yaml.safe_dump({"flavors": flavors}).encode(), f"version {version}".encode())

    def run_of(self, model: ModelRef) -> RunRef:
        return RunRef(f"run-{model.version}", "", "", "")

    def tags_of(self, run_id: str) -> dict[str, str]:
        return {"mlops.task": "binary_classification"}


@dataclass
class Clock:
    """Time that passes as it does, and at once where somebody sleeps."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def to_the_next_minute(self) -> None:
        self.sleep(60.001 - self.now().timestamp() % 60)


class Refused(Exception):
    """What a container raises to answer 400, or any other number."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Recorded(Aws):
    """Keeps which of AWS's actions were asked for, by botocore's names."""

    def __init__(self, access: Mapping[str, Any], sleep: Callable[[float], None], asked: set[str]) -> None:
        super().__init__(access, sleep)
        self._asked = asked

    def _ask(self, service: str, operation: str, expected: str | None, told: Mapping[str, Any]) -> Any:
        name = self.client(service).meta.method_to_api_mapping[operation]
        self._asked.add(f"{service.removesuffix('-runtime')}:{name}")
        return super()._ask(service, operation, expected, told)


@dataclass
class StandIn:
    """The server, and what shall happen there."""

    url: str
    clock: Clock
    answers: Answers
    looks: int = LOOKS
    latency: dict[str, float] = field(default_factory=dict)
    ends_badly: list[str] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    chance: Random = field(default_factory=lambda: Random(7))
    _clients: Aws | None = None

    def target(self, *, model: str = "flights", access: dict[str, Any] | None = None, **changed: Any) -> Any:
        """A target at this server, as the hook would make it, the YAML's keys changed."""
        said = {"endpoint": "flights", "role": ROLE, "image": IMAGE, "model_data": f"s3://{BUCKET}/models"}
        config = SageMakerTargetConfig(type="sagemaker", **{**said, **changed})
        extra = {"region": REGION, "access_key": "key", "secret_key": "secret", "url": self.url or None}
        endpoint = ServingEndpoint(
            "sagemaker",
            model,
            settings=config.model_dump(mode="json", exclude={"type", "conn_id", "region"}),
            extra={**extra, **(access or {})},
        )
        aws = self._recorded(endpoint) if access else self._clients
        if aws is None:  # boto3 takes a second to make its clients
            aws = self._clients = self._recorded(endpoint)
        return SageMakerTarget(endpoint, Registry(), aws=aws, now=self.clock.now, sleep=self.clock.sleep)

    @contextmanager
    def without_http(self) -> Iterator[None]:
        """The same moto in this process, for many calls: four times as fast."""
        with mock_aws():
            before, self.url = (self.url, self._clients), ""
            self._clients = None
            yield
        self.url, self._clients = before

    def _recorded(self, endpoint: ServingEndpoint) -> Aws:
        return Recorded(endpoint.extra, self.clock.sleep, self.asked)

    def reset(self) -> None:
        moto_api_backend.reset()
        s3_backends[ACCOUNT]["aws"].create_bucket(BUCKET, REGION)
        self.latency.clear()
        self.ends_badly.clear()
        self.updates.clear()
        self.looks = LOOKS
        self.chance = Random(7)

    def next_change_fails(self, reason: str) -> None:
        """A creation that fails, or an update that SageMaker takes back."""
        self.ends_badly.append(reason)

    def endpoint(self, name: str) -> FakeEndpoint:
        return _sagemaker().endpoints[name]

    def answer(
        self, name: str, rows: list[dict[str, Any]], target: str | None = None
    ) -> tuple[str, list[Any]]:
        """A version and its answers: of the variant that was asked for, or of one by weight. Shadows see it
        as well."""
        endpoint = self.endpoint(name)
        config = _sagemaker().endpoint_configs[endpoint.endpoint_config_name]
        weights = {
            one["VariantName"]: one.get("CurrentWeight") or 0.0 for one in endpoint.production_variants
        }
        variant = target or self.chance.choices(list(weights), list(weights.values()))[0]
        models = {one["VariantName"]: one["ModelName"] for one in config.production_variants}
        for shadow in getattr(config, "shadow_production_variants", None) or ():
            with suppress(Refused):
                self._ask(name, shadow["VariantName"], shadow["ModelName"], rows)
        return self._ask(name, variant, models[variant], rows)

    def _ask(
        self, endpoint: str, variant: str, model: str, rows: list[dict[str, Any]]
    ) -> tuple[str, list[Any]]:
        match = re.search(r"-v(\w+)-", model)
        assert match is not None
        version = match[1]
        counted = {"Invocations": 1.0, "ModelLatency": self.latency.get(version, 0.004) * 1_000_000}
        try:
            return version, self.answers(version, rows)
        except Refused as refused:
            kind = "Invocation4XXErrors" if refused.status < 500 else "Invocation5XXErrors"
            counted |= {kind: 1.0, "InvocationModelErrors": 1.0}
            raise
        finally:
            for metric, value in counted.items():
                dimensions = {"EndpointName": endpoint, "VariantName": variant}
                said = [{"Name": name, "Value": one} for name, one in dimensions.items()]
                moment = self.clock.now().replace(tzinfo=None)  # as moto keeps it
                datum = MetricDatum("AWS/SageMaker", metric, value, said, moment)
                cloudwatch_backends[ACCOUNT][REGION].metric_data.append(datum)


@contextmanager
def sagemaker(answers: Answers = tenths) -> Iterator[StandIn]:
    """A running server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        stand_in = StandIn(f"http://{host}:{port}", Clock(), answers)
        with _gaps_filled(stand_in):
            yield stand_in
    finally:
        server.stop()


def _sagemaker() -> SageMakerModelBackend:
    from moto.sagemaker.models import sagemaker_backends

    return sagemaker_backends[ACCOUNT][REGION]


@contextmanager
def _gaps_filled(stand_in: StandIn) -> Iterator[None]:
    real = {name: getattr(SageMakerModelBackend, name) for name in ("create_model", "create_endpoint")}
    real_config = SageMakerResponse.create_endpoint_config
    real_weights = SageMakerModelBackend.update_endpoint_weights_and_capacities
    real_statistic = Statistics.get_statistics_for_type

    def create_model(self: SageMakerModelBackend, model_name: str, **told: Any) -> Any:
        if model_name in self._models:
            raise ValidationError(f'Cannot create already existing model "{model_name}".')
        return real["create_model"](self, model_name=model_name, **told)

    def create_endpoint_config(self: SageMakerResponse) -> Any:
        name = self._get_param("EndpointConfigName")
        backend = self.sagemaker_backend
        if name in backend.endpoint_configs:
            raise ValidationError(f'Cannot create already existing endpoint configuration "{name}".')
        answer = real_config(self)
        shadows = self._get_param("ShadowProductionVariants")
        backend.validate_production_variants(shadows or [])
        backend.endpoint_configs[name].shadow_production_variants = shadows
        return answer

    def create_endpoint(
        self: SageMakerModelBackend, endpoint_name: str, endpoint_config_name: str, tags: Any
    ) -> FakeEndpoint:
        if endpoint_name in self.endpoints:
            raise ValidationError(f'Cannot create already existing endpoint "{endpoint_name}".')
        endpoint = real["create_endpoint"](self, endpoint_name, endpoint_config_name, tags)
        _begin(endpoint, "Creating", endpoint_config_name)
        return endpoint

    def update_endpoint(self: SageMakerResponse) -> ActionResult:
        told = json.loads(self.body)
        backend = self.sagemaker_backend
        endpoint = backend.endpoints.get(told["EndpointName"])
        if endpoint is None:
            raise ValidationError(f'Could not find endpoint "{told["EndpointName"]}".')
        if endpoint.endpoint_status != "InService":
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if told["EndpointConfigName"] not in backend.endpoint_configs:
            raise ValidationError(f'Could not find endpoint configuration "{told["EndpointConfigName"]}".')
        stand_in.updates.append(told)
        _begin(endpoint, "Updating", told["EndpointConfigName"])
        return ActionResult({"EndpointArn": endpoint.arn})

    def weights(self: SageMakerModelBackend, endpoint_name: str, **told: Any) -> str:
        endpoint = self.endpoints[endpoint_name]
        if endpoint.endpoint_status != "InService":
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        before = [dict(one) for one in endpoint.production_variants]
        arn: str = real_weights(self, endpoint_name, **told)
        after = endpoint.production_variants
        for one, was in zip(after, before, strict=True):  # moto forgets the instances that are not told
            one |= {key: value for key, value in was.items() if key.endswith("Count")}
            one |= {key: _in_four_bytes(one[key]) for key in ("CurrentWeight", "DesiredWeight")}
        endpoint.production_variants = before
        _begin(endpoint, "Updating", endpoint.endpoint_config_name)
        endpoint.becoming["variants"] = after  # type: ignore[attr-defined]
        return arn

    def describe_endpoint(self: SageMakerModelBackend, endpoint_name: str) -> dict[str, Any]:
        endpoint = self.endpoints.get(endpoint_name)
        if endpoint is None:
            raise ValidationError(f'Could not find endpoint "{endpoint_name}".')
        _go_on(self, endpoint)
        return {key: value for key, value in endpoint.response_object.items() if key != "Becoming"}

    def add_tags(self: SageMakerModelBackend, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        resource = self._get_resource_from_arn(arn)
        keys = {tag["Key"] for tag in tags}
        resource.tags = [*(tag for tag in resource.tags if tag["Key"] not in keys), *tags]
        found: list[dict[str, str]] = resource.tags
        return found

    def _begin(endpoint: FakeEndpoint, status: str, config: str) -> None:
        endpoint.endpoint_status = status
        endpoint.failure_reason = None
        reason = stand_in.ends_badly.pop(0) if stand_in.ends_badly else None
        endpoint.becoming = {"config": config, "looks": stand_in.looks, "reason": reason}  # type: ignore[attr-defined]

    def _go_on(backend: SageMakerModelBackend, endpoint: FakeEndpoint) -> None:
        becoming = getattr(endpoint, "becoming", None)
        if becoming is None:
            return
        becoming["looks"] -= 1
        if becoming["looks"] > 0:
            return
        endpoint.becoming = None  # type: ignore[attr-defined]
        endpoint.failure_reason = becoming["reason"]
        if becoming["reason"] is not None:
            # An update that fails leaves the endpoint in service, as it was.
            endpoint.endpoint_status = "Failed" if endpoint.endpoint_status == "Creating" else "InService"
            return
        endpoint.endpoint_status = "InService"
        endpoint.endpoint_config_name = becoming["config"]
        config = backend.endpoint_configs[becoming["config"]]
        fresh = becoming.get("variants") or [_summary(one) for one in config.production_variants]
        endpoint.production_variants = fresh
        shadows = getattr(config, "shadow_production_variants", None) or []
        endpoint.shadow_production_variants = [_summary(one) for one in shadows] or None  # type: ignore[attr-defined]

    def invoke_endpoint(self: SageMakerRuntimeResponse) -> Any:
        name = self.path.split("/")[2]
        body = self.raw_body if isinstance(self.raw_body, bytes) else self.body
        rows = json.loads(body)["dataframe_records"]
        try:
            version, answers = stand_in.answer(
                name, rows, self.headers.get("X-Amzn-SageMaker-Target-Variant")
            )
        except Refused as refused:
            told = {
                "OriginalStatusCode": refused.status,
                "OriginalMessage": str(refused),
                "Message": "failed",
            }
            return 424, {"x-amzn-errortype": "ModelError"}, json.dumps(told)
        headers = {"Content-Type": "application/json", "x-Amzn-Invoked-Production-Variant": version}
        return 200, headers, json.dumps({"predictions": answers})

    def statistic(self: Statistics, stat: str) -> Any:
        values = sorted(self.metric_single_values_list)
        if stat.startswith("TC("):
            low, high = stat[3:-1].split(":")
            inside = [one for one in values if float(low or 0) < one <= float(high or math.inf)]
            return float(len(inside))
        if not stat.startswith("p"):
            return real_statistic(self, stat)
        return values[max(0, math.ceil(float(stat[1:]) / 100 * len(values)) - 1)]

    with (
        patch.object(SageMakerModelBackend, "create_model", create_model),
        patch.object(SageMakerModelBackend, "create_endpoint", create_endpoint),
        patch.object(SageMakerModelBackend, "describe_endpoint", describe_endpoint),
        patch.object(SageMakerModelBackend, "update_endpoint_weights_and_capacities", weights),
        patch.object(SageMakerModelBackend, "add_tags", add_tags),
        patch.object(SageMakerResponse, "create_endpoint_config", create_endpoint_config),
        patch.object(SageMakerResponse, "update_endpoint", update_endpoint, create=True),
        patch.object(SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint),
        patch.object(Statistics, "get_statistics_for_type", statistic),
    ):
        yield


def _in_four_bytes(weight: float) -> float:
    """As SageMaker keeps a weight: 0.1 comes back as 0.10000000149."""
    kept: float = struct.unpack("f", struct.pack("f", weight))[0]
    return kept


def _summary(entry: dict[str, Any]) -> dict[str, Any]:
    weight, count = entry.get("InitialVariantWeight", 1.0), entry["InitialInstanceCount"]
    return {
        "VariantName": entry["VariantName"],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }
