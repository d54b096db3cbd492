"""When monitoring may start a training run."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from airflow_mlops.config.parts.base import Mistakes, Part, PeriodText
from airflow_mlops.core.retraining import Policy, Quiet
from airflow_mlops.core.windows import Period

Cause = Literal["decay", "drift", "age", "code", "config"]
Held = Literal["schedule", "new_data"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"^([01]?[0-9]|2[0-3]):([0-5][0-9]) ?- ?([01]?[0-9]|2[0-4]):([0-5][0-9])$")


def _hours(text: str) -> str:
    match = _HOURS.match(text.strip())
    if match is None or (match[3] == "24" and match[4] != "00"):
        raise ValueError(f"{text!r} is not a stretch of a day such as '08:00-18:00' or '22:00-06:00'")
    start, end = f"{int(match[1]):02}:{match[2]}", f"{int(match[3]):02}:{match[4]}"
    return f"{start}-{end}"


class QuietHours(Part):
    """Hours in which no training begins by itself."""

    hours: Annotated[str, AfterValidator(_hours)] = Field(
        description="From when to when, on the clock of schedule.timezone; over midnight where the end is "
        "before the start, and then of the day on which it starts."
    )
    days: tuple[Weekday, ...] = Field(
        WEEKDAYS, strict=False, min_length=1, description="On which weekdays; on all, if not given."
    )

    @property
    def as_quiet(self) -> Quiet:
        """As the policy reads it."""
        start, end = (
            60 * int(hour) + int(minute) for hour, minute in (one.split(":") for one in self.hours.split("-"))
        )
        return Quiet(start, end, frozenset(WEEKDAYS.index(day) for day in self.days))


class Breaker(Part):
    """When monitoring stops to ask, because retraining does not help."""

    after: int = Field(
        3,
        ge=0,
        description="So many retrainings in a row that did not help: held by the gates, rolled back, ended "
        "without a verdict, or the cause was still there after the promotion. 0: never.",
    )
    rest: PeriodText = Field(
        "30 days", description="Then one more may try after this; a training by hand closes it at once."
    )


class Retraining(Part):
    """When monitoring may start a training run (level 3)."""

    enabled: bool | None = Field(None, description="On at level 3, off below.")
    causes: tuple[Cause, ...] = Field(
        ("drift", "decay", "age", "config"),
        strict=False,
        min_length=1,
        description="What may start training; left out, all that monitor can see, but for code. age: see "
        "maximum_age. config: other data, training, tuning or task than the champion's. code: another source "
        "of the package that holds training.callable.",
    )
    k: int | None = Field(
        None,
        ge=1,
        description="So many of the last n windows must show drift or decay, the latest too. If not given: 2 "
        "where monitor.window is shorter than a week, else 1.",
    )
    n: int | None = Field(
        None,
        ge=1,
        description="How many windows k is counted among, the latest included. If not given: 3 where "
        "monitor.window is shorter than a week, else 1.",
    )
    minimum_rows: int = Field(
        200,
        ge=0,
        description="Rows served since the last training's data; with fewer there is little to learn.",
    )
    cooldown: PeriodText = Field(
        "7 days", description="No request sooner than this after the last training, whatever that was for."
    )
    budget: int = Field(12, ge=1, description="Requests allowed per budget_period.")
    budget_period: PeriodText = Field("365 days", description="The stretch that the budget is for.")
    maximum_age: PeriodText | None = Field(
        None, description="The champion's data may be so old; then age is a cause. No limit if not given."
    )
    breaker: Breaker = Field(default_factory=Breaker)
    patience: PeriodText = Field(
        "2 days",
        description="A training that has no verdict after this is taken for dead, and no longer waited for.",
    )
    quiet: tuple[QuietHours, ...] = Field(
        (),
        strict=False,
        description="Hours in which no retraining begins: what is asked for then begins at their end.",
    )
    hold_back: tuple[Held, ...] = Field(
        (),
        strict=False,
        description="Causes that start training by themselves, and are to keep the cool-down too: a run that "
        "comes too soon is skipped.",
    )

    @model_validator(mode="after")
    def _k_of_n(self) -> Self:
        if self.k is not None and self.n is not None and self.k > self.n:
            raise Mistakes((("k",), f"k ({self.k}) cannot be larger than n ({self.n})"))
        return self

    @model_validator(mode="after")
    def _some_hour_is_not_quiet(self) -> Self:
        try:
            self.policy().quiet_until(datetime(2026, 1, 1, tzinfo=timezone.utc))
        except ValueError as error:
            raise Mistakes((("quiet",), str(error))) from error
        return self

    def policy(self, zone: str = "UTC") -> Policy:
        """As ``core.retraining`` reads it; quiet hours are on the clock of ``zone``."""
        k, n = self.k or min(1, self.n or 1), self.n or self.k or 1
        return Policy(
            enabled=bool(self.enabled),
            causes=self.causes,
            k=k,
            n=n,
            cooldown=Period.parse(self.cooldown),
            budget=self.budget,
            budget_period=Period.parse(self.budget_period),
            minimum_rows=self.minimum_rows,
            breaker=self.breaker.after,
            breaker_rest=Period.parse(self.breaker.rest),
            patience=Period.parse(self.patience),
            maximum_age=None if self.maximum_age is None else Period.parse(self.maximum_age),
            quiet=tuple(one.as_quiet for one in self.quiet),
            timezone=zone,
            hold_back=frozenset(self.hold_back),
        )
