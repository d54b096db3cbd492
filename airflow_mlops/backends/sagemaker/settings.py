"""One model's endpoint in SageMaker, as its YAML says, and the names that follow from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.values import ModelRef
from airflow_mlops.core.windows import Period

_LONGEST_NAME = 63
_VERSION = re.compile(r"-v([A-Za-z0-9]+)-[0-9a-f]{8}$")


@dataclass(frozen=True, slots=True)
class Guardrails:
    """How AWS moves the traffic in an update, in its own terms."""

    alarms: tuple[str, ...]
    shift: Literal["all_at_once", "canary", "linear"]
    percent: int
    wait: timedelta
    bake: timedelta
    timeout: timedelta

    def deployment(self) -> dict[str, Any]:
        """The API's ``DeploymentConfig``."""
        routing: dict[str, Any] = {
            "Type": self.shift.upper(),
            "WaitIntervalInSeconds": int(self.wait.total_seconds()),
        }
        size = {"Type": "CAPACITY_PERCENT", "Value": self.percent}
        if self.shift == "canary":
            routing["CanarySize"] = size
        elif self.shift == "linear":
            routing["LinearStepSize"] = size
        return {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": int(self.bake.total_seconds()),
                "MaximumExecutionTimeoutInSeconds": int(self.timeout.total_seconds()),
            },
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in self.alarms]},
        }


@dataclass(frozen=True, slots=True)
class Settings:
    """``deploy.target`` of type ``sagemaker``, without its connection."""

    model: str
    endpoint: str
    role: str
    image: str
    model_data: str
    instance_type: str
    instance_count: int
    environment: Mapping[str, str]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    client_errors: bool
    guardrails: Guardrails | None
    timeout: timedelta

    @classmethod
    def read(cls, model: str, settings: Mapping[str, Any]) -> Settings:
        """From the settings of a ``ServingEndpoint``: the YAML's keys as JSON has them."""
        told = {**settings, "model": model, "timeout": _length(settings["timeout"])}
        for name in ("subnets", "security_groups"):
            told[name] = tuple(settings[name])
        guarded = settings["guardrails"]
        if guarded is not None:
            lengths = {name: _length(guarded[name]) for name in ("wait", "bake", "timeout")}
            told["guardrails"] = Guardrails(**{**guarded, **lengths, "alarms": tuple(guarded["alarms"])})
        return cls(**told)

    @property
    def patience(self) -> timedelta:
        """How long a change may take."""
        return self.timeout + (self.guardrails.timeout if self.guardrails else timedelta(0))

    def model_name(self, candidate: ModelRef) -> str:
        """A version's name in SageMaker. It is another where anything is that the container gets to see:
        a model there cannot be changed."""
        seen = [
            candidate.name,
            candidate.version,
            self.role,
            self.image,
            self.model_data,
            dict(self.environment),
            [*self.subnets, *self.security_groups],
        ]
        return _named(f"{candidate.name}-v{candidate.version}", seen)


def config_name(endpoint: str, content: Mapping[str, Any]) -> str:
    """The name of an endpoint configuration is that of its content, so that making it twice is one."""
    return _named(endpoint, dict(content))


def version_of(model_name: str) -> str | None:
    """The version behind a name that ``model_name`` made; None for any other."""
    match = _VERSION.search(model_name)
    return None if match is None else match[1]


def _named(text: str, content: Any) -> str:
    suffix = f"-{content_hash(content)[:8]}"
    head, dash, version = text.rpartition("-v")
    room = _LONGEST_NAME - len(suffix)
    if dash and len(text) > room:  # the version stays whole
        text = f"{head[: room - len(version) - 2]}-v{version}"
    return re.sub(r"[^A-Za-z0-9]+", "-", text[:room]).strip("-") + suffix


def _length(text: str) -> timedelta:
    return timedelta(seconds=Period.parse(text).seconds)
