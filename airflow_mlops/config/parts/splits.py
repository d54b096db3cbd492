"""How rows are set apart: the holdout that judges a model, and the folds of a cross-validation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from airflow_mlops.config.parts.base import Part, PeriodText
from airflow_mlops.core.folds import Folds
from airflow_mlops.core.windows import Period


class NewestHoldout(Part):
    """The newest slice of the window, which no model is trained on."""

    type: Literal["newest"] = Field("newest", description="By time, as the model will be used.")
    length: PeriodText = Field(description="How long the slice is, as in '14 days'.")

    @property
    def in_words(self) -> str:
        """Before "are held out"."""
        return f"the newest {self.length}"


class RandomHoldout(Part):
    """A share of all rows of the window, drawn by a hash of the group (else of the key): a row is on the same
    side in every run. For rows that do not follow one another in time."""

    type: Literal["random"]
    share: float = Field(gt=0, lt=1, description="How much of the rows, or of the groups, is held out.")

    @property
    def in_words(self) -> str:
        """Before "are held out"."""
        return f"a random {100 * self.share:g} %"


def _newest_unless_said(value: Any) -> Any:
    if isinstance(value, dict) and "type" not in value:
        return {"type": "newest", **value}
    return value


Holdout = Annotated[
    NewestHoldout | RandomHoldout, Field(discriminator="type"), BeforeValidator(_newest_unless_said)
]


class TimeFold(Part):
    """One fold: the newest slice of the training part, after all else of it."""

    type: Literal["time"]
    length: PeriodText | None = Field(
        None, description="How long the slice is; without it, the newest fifth of the rows."
    )
    gap: PeriodText | None = Field(
        None, description="Rows this long before the slice are left out: their labels were not known yet."
    )

    @property
    def plan(self) -> Folds:
        """The folds without the YAML."""
        return Folds(self.type, 1, _period(self.length), _period(self.gap))


class RollingOriginFolds(Part):
    """Slices one after the other up to the end of the training part, each judged by what came before it."""

    type: Literal["rolling_origin"]
    folds: int = Field(5, ge=2, le=50, description="How many slices.")
    length: PeriodText | None = Field(
        None, description="How long each slice is; without it, rows / (folds + 1) rows."
    )
    gap: PeriodText | None = Field(
        None, description="Rows this long before a slice are left out: their labels were not known yet."
    )

    @property
    def plan(self) -> Folds:
        """The folds without the YAML."""
        return Folds(self.type, self.folds, _period(self.length), _period(self.gap))


class KFolds(Part):
    """As many parts drawn at random (by ``training.seed``), each judged by the others; classes in equal
    shares. For rows that do not follow one another in time."""

    type: Literal["k_fold"]
    folds: int = Field(5, ge=2, le=50, description="How many parts.")

    @property
    def plan(self) -> Folds:
        """The folds without the YAML."""
        return Folds(self.type, self.folds)


FoldsConfig = Annotated[TimeFold | RollingOriginFolds | KFolds, Field(discriminator="type")]


def _period(text: str | None) -> Period | None:
    return None if text is None else Period.parse(text)
