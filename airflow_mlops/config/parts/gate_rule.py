"""What every gate has in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Mistakes, Part
from airflow_mlops.core.gates.bounds import DecideBy


class GateRule(Part):
    """One thing that a challenger must prove."""

    type: str
    name: str | None = Field(
        None, min_length=1, max_length=100, description="What reports call this gate; its type, if left out."
    )

    @property
    @abstractmethod
    def in_words(self) -> str:
        """The rule in a line, for the DAG's page."""

    @property
    def judges_first(self) -> bool:
        """Whether it is enough to hold a first model to, which has no champion to beat."""
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads beside the model's own."""
        return ()

    @property
    def called(self) -> str:
        """What a person calls it."""
        return self.name or self.type.replace("_", " ")


class BoundedGate(GateRule):
    """A gate on numbers that are measured for it alone: each must lie within the bounds, where there are any.

    A subclass gives ``type`` (its measurement is the part ``gate.<type>`` of the backends' catalogue), its
    own settings, and defaults for the bounds.
    """

    minimum: float | None = Field(None, description="Each measured number must be at least this.")
    maximum: float | None = Field(None, description="Each measured number must be at most this.")
    decide_by: DecideBy = Field(
        "interval",
        description="interval asks for proof and may be inconclusive; value goes by the number alone; "
        "proven_harm fails only what is proven to be beyond the bound.",
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        refuse_crossed_bounds(self.minimum, self.maximum)
        return self

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """What the measured numbers are held to: at least, at most."""
        return self.minimum, self.maximum

    @property
    def against_champion(self) -> bool:
        """Whether there is nothing to measure without a champion."""
        return False

    @property
    def in_words(self) -> str:
        """Its name and its bounds."""
        return f"{self.called}: {bounds_in_words(*self.bounds)}"


class MeasuredGate(BoundedGate):
    """A bounded gate that has nothing to judge by but its bounds."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        refuse_no_bound(self.minimum, self.maximum)
        return self


def refuse_no_bound(minimum: float | None, maximum: float | None) -> None:
    """Raises ``ValueError`` where there is neither."""
    if minimum is None and maximum is None:
        raise ValueError("give 'minimum' or 'maximum'")


def refuse_crossed_bounds(minimum: float | None, maximum: float | None) -> None:
    """Raises ``Mistakes`` where nothing lies between the two."""
    if minimum is not None and maximum is not None and minimum > maximum:
        raise Mistakes((("minimum",), "'minimum' is above 'maximum': nothing can pass"))


def bounds_in_words(minimum: float | None, maximum: float | None) -> str:
    """``at least 0.1 and at most 0.2``."""
    said = [
        f"{words} {bound:g}"
        for words, bound in (("at least", minimum), ("at most", maximum))
        if bound is not None
    ]
    return " and ".join(said)
