"""Versions as SageMaker models: uploaded and made once, and asked to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from airflow_mlops.backends.plain_json import plain_rows
from airflow_mlops.backends.sagemaker import artifact
from airflow_mlops.backends.sagemaker.session import Aws
from airflow_mlops.backends.sagemaker.settings import Settings
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import ModelRefused


class Models:
    """The versions of one model."""

    def __init__(self, aws: Aws, settings: Settings, tracking: Tracking) -> None:
        self._aws = aws
        self._settings = settings
        self._tracking = tracking

    def ensure(self, candidate: ModelRef) -> str:
        """The name of the version's SageMaker model. Where there is none yet, the version is packed, put into
        the bucket and made. Raises ``ModelRefused`` for a version that the registry does not have."""
        name = self._settings.model_name(candidate)
        if self._aws.call_unless("could not find", "sagemaker", "describe_model", ModelName=name) is None:
            self._make(name, self._upload(candidate), candidate)
        return name

    def predict(
        self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]], *, endpoint: str, variant: str
    ) -> list[Any]:
        """What one variant answers to these rows, whatever its weight. Raises ``ModelRefused`` with the
        place of the container's log, where it does not answer them."""
        answer = self._aws.call(
            "sagemaker-runtime",
            "invoke_endpoint",
            EndpointName=endpoint,
            TargetVariant=variant,
            ContentType="application/json",
            Accept="application/json",
            Body=artifact.request(plain_rows(rows)),
        )
        found = artifact.answers(answer["Body"].read(), artifact.task_of(candidate, self._tracking))
        if len(found) != len(rows):
            raise ModelRefused(f"the model's container gave {len(found)} answers to {len(rows)} rows")
        return found

    def _upload(self, candidate: ModelRef) -> str:
        """The address of the version's archive, which is put there again if it is there already: that asks
        for no right but to put."""
        where = urlsplit(self._settings.model_data)
        prefix = f"{where.path.strip('/')}/".lstrip("/")
        key = f"{prefix}{candidate.name}/{candidate.version}/model.tar.gz"
        body = artifact.archive(candidate, self._tracking)
        self._aws.call("s3", "put_object", Bucket=where.netloc, Key=key, Body=body)
        return f"s3://{where.netloc}/{key}"

    def _make(self, name: str, address: str, candidate: ModelRef) -> None:
        told: dict[str, Any] = {
            "ModelName": name,
            "ExecutionRoleArn": self._settings.role,
            "PrimaryContainer": {
                "Image": self._settings.image,
                "ModelDataUrl": address,
                "Environment": {
                    # What MLflow's image asks for when it is started by SageMaker.
                    "MLFLOW_DEPLOYMENT_FLAVOR_NAME": "python_function",
                    "SERVING_ENVIRONMENT": "SageMaker",
                    **self._settings.environment,
                },
            },
            "Tags": [
                {"Key": "airflow-mlops:model", "Value": candidate.name},
                {"Key": "airflow-mlops:version", "Value": candidate.version},
            ],
        }
        if self._settings.subnets:
            told["VpcConfig"] = {
                "Subnets": list(self._settings.subnets),
                "SecurityGroupIds": list(self._settings.security_groups),
            }
        self._aws.call_unless("already exist", "sagemaker", "create_model", **told)
