"""Amazon SageMaker as the place where a model answers, and AWS's own guardrails for its updates."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Part, Shape
from airflow_mlops.config.parts.target_modes import TargetMode
from airflow_mlops.core.windows import Period

_LONGEST_WAIT_SECONDS = 3_600
_TIMEOUT_SECONDS = (600, 28_800)
_LARGEST_CANARY_PERCENT, _SMALLEST_LINEAR_PERCENT = 50, 10
# The candidate's own endpoint is named after the live one.
_LONGEST_ENDPOINT = 63 - len("-candidate")


class SageMakerGuardrails(Part):
    """SageMaker moves the traffic in one blue/green update and goes back by itself where an alarm sounds."""

    alarms: tuple[Annotated[str, StringConstraints(min_length=1, max_length=255)], ...] = Field(
        min_length=1,
        max_length=10,
        strict=False,
        description="CloudWatch alarms of this account and region; any that sounds rolls the update back.",
    )
    shift: Literal["all_at_once", "canary", "linear"] = Field(
        "canary",
        description="How the traffic moves: at once, a first share and then the rest, or in equal shares.",
    )
    percent: int = Field(
        10, ge=1, le=100, description="A canary's first share, 50 at most; a linear shift's step, 10 to 50."
    )
    wait: ExactPeriodText = Field("5 minutes", description="Between two shifts, an hour at most.")
    bake: ExactPeriodText = Field(
        "10 minutes",
        description="How long the old instances stay, and the alarms are watched, after the last shift; an "
        "hour at most.",
    )
    timeout: ExactPeriodText = Field(
        "2 hours", description="When SageMaker gives the update up: 10 minutes to 8 hours."
    )

    @model_validator(mode="after")
    def _as_aws_takes_it(self) -> Self:
        found: list[tuple[tuple[str | int, ...], str]] = []
        for name in ("wait", "bake"):
            if Period.parse(getattr(self, name)).seconds > _LONGEST_WAIT_SECONDS:
                found.append(((name,), "SageMaker waits an hour at most; write 60 minutes or less"))
        if not _TIMEOUT_SECONDS[0] <= Period.parse(self.timeout).seconds <= _TIMEOUT_SECONDS[1]:
            found.append((("timeout",), "must be from 10 minutes to 8 hours"))
        elif self.seconds >= Period.parse(self.timeout).seconds:
            found.append((("timeout",), "is shorter than all waits and the bake together; raise it"))
        if self.shift != "all_at_once" and self.percent > _LARGEST_CANARY_PERCENT:
            found.append((("percent",), f"a {self.shift} shift moves 50 percent at most"))
        if self.shift == "linear" and self.percent < _SMALLEST_LINEAR_PERCENT:
            found.append((("percent",), "a linear shift moves 10 percent at least"))
        if found:
            raise Mistakes(*found)
        return self

    @property
    def seconds(self) -> int:
        """How long the shifts and the bake take, beside bringing instances up."""
        waits = {"all_at_once": 0, "canary": 1, "linear": -(-100 // self.percent) - 1}[self.shift]
        return waits * Period.parse(self.wait).seconds + Period.parse(self.bake).seconds


class SageMakerTargetConfig(Part):
    """A real-time endpoint of Amazon SageMaker. Each version is one of its variants."""

    type: Literal["sagemaker"]
    conn_id: str | None = Field(
        "aws_default",
        description="Airflow connection of type aws; null takes what the worker's environment offers.",
    )
    region: Annotated[str, Shape(r"^[a-z]{2}(-[a-z]+)+-\d+$")] | None = Field(
        None, description="By default the connection's."
    )
    endpoint: Annotated[
        str,
        Shape(r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$"),
        StringConstraints(max_length=_LONGEST_ENDPOINT),
    ] = Field(description="Name of the endpoint. It is made with the first model.")
    role: Annotated[str, Shape(r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")] = Field(
        description="ARN of the role that SageMaker runs the models under: it reads image and model."
    )
    image: Annotated[str, Shape(r"^\S+$"), StringConstraints(max_length=255)] = Field(
        description="Image that answers /ping and /invocations for an MLflow model in /opt/ml/model."
    )
    model_data: Annotated[str, Shape(r"^s3://[^/]+(/[^/]+)*$")] = Field(
        description="Where versions are put as model.tar.gz: s3://bucket/prefix, in the endpoint's region."
    )
    instance_type: Annotated[str, Shape(r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")] = Field(
        "ml.m5.large", description="What each version runs on."
    )
    instance_count: int = Field(1, ge=1, description="Instances that a version begins with.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="What the container finds in its environment; no secrets."
    )
    subnets: tuple[str, ...] = Field((), strict=False, description="Private subnets that the models run in.")
    security_groups: tuple[str, ...] = Field((), strict=False, description="Those of the subnets.")
    client_errors: bool = Field(
        False, description="Whether an answer of 4xx is an error of the version, and not of who asked."
    )
    guardrails: SageMakerGuardrails | None = Field(
        None,
        description="Let SageMaker move the traffic, for strategy blue_green and direct; left out, it is "
        "moved by variant weights as this package judges.",
    )
    timeout: ExactPeriodText = Field(
        "1 hour", description="How long a change is waited for; with guardrails, beside their timeout."
    )

    @model_validator(mode="after")
    def _network_is_whole(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            missing = "subnets" if self.security_groups else "security_groups"
            raise Mistakes(((missing,), "subnets and security_groups go together; say both or neither"))
        return self

    @property
    def modes(self) -> frozenset[TargetMode]:
        """Variant weights can do all; a guarded update has no share that we could hold, and no shadow."""
        return frozenset({"blue_green"} if self.guardrails is not None else {"shadow", "canary"})
