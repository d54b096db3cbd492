"""A gate of the user's own: a function that looks at the model and its answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import ImportPath, Params, Shape
from airflow_mlops.config.parts.gate_rule import BoundedGate, bounds_in_words


class CustomGate(BoundedGate):
    """A function of yours, or of an installed package, gives a verdict, or numbers to hold to bounds."""

    type: Literal["custom"]
    callable: ImportPath | None = Field(
        None, description="package.module:function, called as function(evidence, **params)."
    )
    gate: Annotated[str, Shape(r"^[A-Za-z_][\w.-]{0,63}$")] | None = Field(
        None,
        description="Name of an installed package's gate: its entry point gate.<name> of the group "
        "airflow_mlops.backends.",
    )
    params: Params = Field(default_factory=dict, description="Keyword arguments for the function.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.callable is None) == (self.gate is None):
            raise ValueError(
                "give either 'callable' (a function's path) or 'gate' (an installed gate's name)"
            )
        return self

    @property
    def called(self) -> str:
        own = self.gate or str(self.callable).rpartition(":")[2]
        return self.name or own.replace("_", " ")

    @property
    def in_words(self) -> str:
        source = self.callable or f"gate.{self.gate}"
        bounds = bounds_in_words(*self.bounds) or "passes"
        return f"{self.called}: `{source}` {bounds}"
