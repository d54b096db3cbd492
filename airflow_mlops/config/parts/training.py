"""How a model is made."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import ClassPath, ImportPath, Params, Part


class Training(Part):
    """How a model is made: a function of yours, or a scikit-learn estimator by its path."""

    callable: ImportPath | None = Field(
        None, description="train(features, label, params, seed) -> fitted estimator."
    )
    estimator: ClassPath | None = Field(
        None,
        description="Full path of a scikit-learn estimator; encoders for categories and texts are added.",
    )
    params: Params = Field(default_factory=dict, description="Handed to the function or the estimator.")
    seed: int = Field(0, ge=0, description="Same seed, same data, same model.")
    trusted_types: tuple[ClassPath, ...] = Field(
        (),
        strict=False,
        description="Types beyond scikit-learn's own that may be loaded with the model (skops).",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.callable is None) == (self.estimator is None):
            raise ValueError("give either 'callable' or 'estimator'")
        return self
