"""Where runs and models are recorded, and how a version is tagged there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from airflow_mlops.config.parts.base import Mistakes, Part, Shape

TagName = Annotated[str, Shape(r"^[A-Za-z0-9][\w .:/-]{0,199}$")]
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
        default_factory=dict,
        description="It was rolled back, refused by a person, superseded, or taken out as champion.",
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
