"""Who is asked in Airflow, and how long an answer may take."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from airflow_mlops.config.parts.alerts import Alert
from airflow_mlops.config.parts.base import Part, PeriodText

UserId = Annotated[str, Field(min_length=1, max_length=200)]


class Question(Part):
    """Who may answer a question about a model, who may not, and who is told that it is asked."""

    users: tuple[UserId, ...] = Field(
        (),
        strict=False,
        description="Only these may answer, by their ids in Airflow's auth manager. If empty, whoever may "
        "run the DAG.",
    )
    four_eyes: bool = Field(
        False, description="Who started the run, or the training behind it, cannot say yes to it."
    )
    timeout: PeriodText | None = Field(
        None, description="No answer for so long is a no; deploy.approval_timeout, if left out."
    )
    notify: tuple[Alert, ...] = Field(
        (), strict=False, description="Told each time the question is asked, with a link to the form."
    )


class Approval(Question):
    """A person's yes before traffic moves. A bare true or false says only whether it is ``required``."""

    required: bool = Field(True, description="A person must approve in Airflow before traffic moves.")

    def __bool__(self) -> bool:
        return self.required

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, value: Any) -> Any:
        if isinstance(value, (bool, dict, cls)):
            return {"required": value} if isinstance(value, bool) else value
        raise ValueError("write true, false, or a mapping such as {users: [ada], four_eyes: true}")

    @model_serializer(mode="wrap")
    def _as_short_as_written(self, dump: SerializerFunctionWrapHandler) -> Any:
        """A bare true stays one: policies compare with it, and digests of older files keep their value."""
        return self.required if self == Approval(required=self.required) else dump(self)
