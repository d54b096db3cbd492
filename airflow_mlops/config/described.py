"""What operators and sensors ask of a model that they are handed as an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from airflow_mlops.config.models import ModelConfig


@runtime_checkable
class Described(Protocol):
    """Knows its configuration and digest: a ``Model``, or what ``load_model`` gives."""

    @property
    def config(self) -> ModelConfig:
        """All settings."""

    @property
    def digest(self) -> str:
        """The sha256 of what they say."""
