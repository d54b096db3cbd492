"""What the loop may do about its own failures."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import Part


class Healing(Part):
    """What the loop may do by itself about a task that failed, data that were refused, a champion that
    decayed."""

    enabled: bool | None = Field(None, description="On at level 3, off below.")
    retries: int = Field(
        3,
        ge=0,
        le=20,
        description="Retries where a service or machine was at fault, each after twice the wait; never of "
        "data or code. execution.retries, where that is more.",
    )
    fall_back: bool = Field(
        True,
        description="Train on the last snapshot that passed its validation where the run's own is refused; "
        "the ledger and the model card say so.",
    )
    roll_back: bool = Field(
        False,
        description="Put the champion before this one back where decay is proven: once, until another "
        "version is promoted, and never one that decayed too.",
    )
    stop_after: int | None = Field(
        3,
        ge=2,
        le=100,
        description="Runs in a row in which one step failed the same way before automatic runs are held and "
        "people are told; never, if null.",
    )
