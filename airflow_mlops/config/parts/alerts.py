"""Who is told when a task fails, a run is late, or the loop finds something."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Part, PeriodText
from airflow_mlops.core.news import EventName
from airflow_mlops.core.values import Severity

ConnId = Annotated[str, Field(min_length=1, max_length=200, description="Airflow connection, by its id.")]


class WebhookAlert(Part):
    """A JSON object, posted to the address of an HTTP connection; its password is sent as a bearer token."""

    type: Literal["webhook"]
    conn_id: ConnId
    endpoint: str = Field("", description="Path below the connection's address.")

    @field_validator("endpoint")
    @classmethod
    def _below_the_address(cls, endpoint: str) -> str:
        if "://" in endpoint:
            raise ValueError(f"{endpoint!r} is an address, which belongs into the connection; give a path")
        return endpoint


class SlackWebhookAlert(Part):
    """A line in a Slack channel; needs apache-airflow-providers-slack."""

    type: Literal["slack_webhook"]
    conn_id: ConnId


class SmtpAlert(Part):
    """An e-mail; needs apache-airflow-providers-smtp."""

    type: Literal["smtp"]
    conn_id: ConnId
    to: tuple[Annotated[str, Field(min_length=3)], ...] = Field(
        strict=False, min_length=1, description="Addresses that it goes to."
    )
    from_email: str | None = Field(None, description="The sender; that of the connection, if not given.")


Alert = Annotated[WebhookAlert | SlackWebhookAlert | SmtpAlert, Field(discriminator="type")]


class Deadline(Part):
    """How long a run of each DAG may take from when it is queued; then those in ``on_failure`` are told."""

    train: ExactPeriodText | None = Field(None, description="Of a training run.")
    deploy: ExactPeriodText | None = Field(None, description="Of a rollout, waits included.")
    score: ExactPeriodText | None = Field(None, description="Of a scoring run, all its partitions.")
    monitor: ExactPeriodText | None = Field(None, description="Of a monitoring run.")


class AlertRoute(Part):
    """Who is told of which findings. A receiver that several routes lead to is told once."""

    events: tuple[EventName, ...] | None = Field(
        None, strict=False, min_length=1, description="Which findings; all of them, if not given."
    )
    at_least: Severity | None = Field(
        None,
        description="Nothing below this severity; warning, if left out, and info where 'events' are named.",
    )
    to: tuple[Alert, ...] = Field(strict=False, min_length=1, description="Who is told.")

    @property
    def floor(self) -> Severity:
        """The severity in force."""
        return self.at_least or ("warning" if self.events is None else "info")


class Alerts(Part):
    """Who is told when a task has failed for good, a run is not over in time, or the loop finds something."""

    on_failure: tuple[Alert, ...] = Field(
        (), strict=False, description="Told once for each task that fails after its last retry."
    )
    deadline: Deadline = Field(default_factory=Deadline)
    routes: tuple[AlertRoute, ...] = Field(
        (),
        strict=False,
        description="Told of drift, decay, a held challenger and whatever else the loop finds, by a task at "
        "the end of the run that found it.",
    )
    repeat_after: PeriodText | None = Field(
        "7 days", description="A finding that lasts is told again after so long; never, if null."
    )
    severity: dict[EventName, Severity] = Field(
        default_factory=dict, description="Another severity for a finding."
    )
    tell_over: bool = Field(
        True, description="Whoever was told of drift, decay, a fault or a held challenger is told of its end."
    )

    @model_validator(mode="after")
    def _somebody_is_told(self) -> Self:
        given = [name for name in Deadline.model_fields if getattr(self.deadline, name) is not None]
        if given and not self.on_failure:
            raise Mistakes(
                *((("deadline", name), "nobody would be told: give alerts.on_failure") for name in given)
            )
        return self
