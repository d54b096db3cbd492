"""How a challenger becomes the champion, and where both are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, StringConstraints, field_validator, model_validator
from pydantic_core import CoreSchema

from airflow_mlops.config.parts.asking import Approval
from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Part, PeriodText, Share
from airflow_mlops.core.windows import Period

_SHORTEST_MONTH_SECONDS = 28 * 86_400

TagName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w .:/-]{0,199}$")]
TagValue = Annotated[str, StringConstraints(max_length=1_000)]
Tags = dict[TagName, TagValue]


class VersionTags(Part):
    """Tags of a registered version in MLflow, by what has become of it. Each stage sets its own: a tag that
    all of them name, such as ``stage``, follows the version through its life."""

    challenger: Tags = Field(
        default_factory=dict, description="It passed its gates, as in {stage: staging-candidate}."
    )
    champion: Tags = Field(default_factory=dict, description="It was promoted.")
    replaced: Tags = Field(default_factory=dict, description="It was the champion until another followed.")
    rejected: Tags = Field(
        default_factory=dict, description="It was rolled back, refused by a person, or superseded."
    )

    @field_validator("challenger", "champion", "replaced", "rejected")
    @classmethod
    def _our_own_are_reserved(cls, tags: Tags) -> Tags:
        if taken := [name for name in tags if name.startswith(("mlops.", "mlflow."))]:
            raise Mistakes(
                *(((name,), f"{name!r} is a tag that this package or MLflow sets itself") for name in taken)
            )
        return tags


class TrackingConfig(Part):
    """Where runs and models are recorded."""

    conn_id: str = Field("mlflow_default", description="Airflow connection of the MLflow server.")
    version_tags: VersionTags = Field(default_factory=VersionTags)


class Shadow(Part):
    """The challenger answers copies of the requests; nobody sees its answers."""

    minimum_requests: int = Field(200, ge=1, description="Rows to see before a verdict.")
    minimum_duration: ExactPeriodText | None = Field(
        None,
        description="No verdict sooner, however many rows were seen; only proven errors end it at once.",
    )
    max_disagreement: Share = Field(
        0.5, description="Share of rows on which champion and challenger may differ."
    )


class Canary(Part):
    """The challenger answers a growing share of the rows."""

    steps: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.1, 0.5), min_length=1, strict=False, description="Shares of the rows, rising."
    )
    minimum_requests: int = Field(
        200, ge=1, description="Rows the challenger must answer at each step before a verdict."
    )
    minimum_duration: ExactPeriodText | None = Field(
        None, description="How long each step lasts at least; only proven errors end it sooner."
    )
    max_error_rate: Share = Field(0.01, description="Errors per row that are one too many.")
    max_latency_ratio: float = Field(
        3.0, gt=1, description="The challenger's p99 latency over the champion's."
    )

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if list(steps) != sorted(set(steps)):
            raise ValueError("steps must rise, as in [0.1, 0.5]")
        if len({f"{100 * step:g}" for step in steps}) < len(steps):
            raise ValueError("two steps are as good as equal, and would be one task")
        return steps


class ServingTargetConfig(Part):
    """Where the model answers requests."""

    type: Literal["embedded"] = Field("embedded", description="The model server of this package.")
    conn_id: str = Field("mlops_gateway_default", description="Airflow connection of the server.")


class Deploy(Part):
    """How a challenger becomes the champion. Presets of the level fill in what is left out."""

    target: ServingTargetConfig = Field(default_factory=lambda: ServingTargetConfig(type="embedded"))
    automatic: bool | None = Field(
        None, description="Start when a challenger is registered (levels 2 and 3), or by hand (1)."
    )
    approval: Approval | None = Field(
        None,
        description="A person must approve in Airflow before traffic moves (level 1): true, false, or who is "
        "asked and how.",
    )
    approval_timeout: PeriodText = Field(
        "7 days",
        description="No answer for so long is a rejection; approval.timeout goes before it.",
    )
    shadow: Shadow = Field(default_factory=Shadow)
    canary: Canary = Field(default_factory=Canary)
    poll_interval_seconds: float = Field(
        10.0, gt=0, description="How often a stage of the rollout is looked at."
    )
    deadline: PeriodText = Field("1 day", description="How long shadow and each canary step may take.")
    on_deadline: Literal["roll_back", "promote_if_unharmed"] = Field(
        "roll_back",
        description="A stage without a verdict in time: roll back, or go on unless harm is proven.",
    )

    @model_validator(mode="after")
    def _verdicts_before_the_deadline(self) -> Self:
        deadline = Period.parse(self.deadline)
        shortest = deadline.seconds + deadline.months * _SHORTEST_MONTH_SECONDS
        found: list[tuple[tuple[str | int, ...], str]] = [
            (
                (name, "minimum_duration"),
                f"minimum_duration ({minimum}) must be shorter than deploy.deadline ({deadline}), or no "
                "stage could end by a verdict; set a longer deadline",
            )
            for name, stage in (("shadow", self.shadow), ("canary", self.canary))
            if (minimum := stage.minimum_duration) is not None and Period.parse(minimum).seconds >= shortest
        ]
        if found:
            raise Mistakes(*found)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """As the file may spell it: ``approval`` may be a bare true or false."""
        schema = handler.resolve_ref_schema(handler(core))
        schema["properties"]["approval"]["anyOf"].insert(0, {"type": "boolean"})
        return schema
