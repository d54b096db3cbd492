"""What people set: which causes may start training, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from airflow_mlops.core.windows import Period

Cause = Literal["schedule", "new_data", "by_hand", "decay", "drift", "age", "code", "config"]
"""Why a model is trained. The first three start the train DAG by themselves; the others are what monitoring
sees, and start it only where the policy says so."""

SEEN: tuple[Cause, ...] = ("decay", "drift", "age", "code", "config")
"""What monitoring can see. Of several at once the first is the one that is named."""

CHANGED: frozenset[Cause] = frozenset({"code", "config"})
"""What a person has changed: no new rows are needed for it, and it closes an open circuit breaker."""

_WEEK = 7
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which no training begins by itself: minutes since midnight on these weekdays (Monday is 0).

    Hours that end before they begin go over midnight, and belong to the day on which they begin; ends that
    are equal are the whole day.
    """

    start_minute: int
    end_minute: int
    days: frozenset[int] = frozenset(range(_WEEK))

    def __post_init__(self) -> None:
        if not (0 <= self.start_minute < _DAY_MINUTES and 0 <= self.end_minute <= _DAY_MINUTES):
            raise ValueError("quiet hours are minutes of a day, from 0 to 1440")
        if not self.days or not self.days <= frozenset(range(_WEEK)):
            raise ValueError("quiet hours need weekdays, from 0 (Monday) to 6")

    def until(self, local: datetime) -> datetime | None:
        """When these hours are over, on the wall clock of ``local``; None where it is not in them."""
        for back in (0, 1):
            day = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=back)
            if day.weekday() not in self.days:
                continue
            start = day + timedelta(minutes=self.start_minute)
            length = (self.end_minute - self.start_minute) % _DAY_MINUTES or _DAY_MINUTES
            end = start + timedelta(minutes=length)
            if start <= local < end:
                return end
        return None


@dataclass(frozen=True, slots=True)
class Policy:
    """When monitoring may ask for training.

    ``k`` bad windows among the ``n`` latest, the latest one included; ``causes`` are those that count;
    ``minimum_rows`` served since the last training's data; no request sooner than ``cooldown`` after the
    last training, whatever that was for; at most ``budget`` requests in any ``budget_period``; none after
    ``breaker`` trainings in a row that did not help, until ``breaker_rest`` has passed since the last of
    them (0: never mind). A training that has come to no verdict after ``patience`` is taken for dead, and
    people are called to a rollout of which nothing was heard for ``silence``. The champion's data may be
    ``maximum_age`` old. ``quiet`` hours are on the wall clock of ``timezone``.

    ``hold_back`` names causes that start training by themselves and must keep the cool-down too.
    """

    enabled: bool
    causes: tuple[Cause, ...] | frozenset[Cause]
    k: int
    n: int
    cooldown: Period
    budget: int
    budget_period: Period
    minimum_rows: int = 0
    breaker: int = 0
    breaker_rest: Period = Period(seconds=30 * 86_400)  # noqa: RUF009 (frozen)
    patience: Period = Period(seconds=2 * 86_400)  # noqa: RUF009 (frozen)
    silence: Period = Period(seconds=3 * 86_400)  # noqa: RUF009 (frozen)
    maximum_age: Period | None = None
    quiet: tuple[Quiet, ...] = ()
    timezone: str = "UTC"
    hold_back: frozenset[Cause] = field(default=frozenset())

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n:
            raise ValueError(f"{self.k} of {self.n} windows cannot be: k must be from 1 to n")
        for name in ("budget", "minimum_rows", "breaker"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be zero or more")
        if unseen := sorted(set(self.causes) - set(SEEN)):
            raise ValueError(f"monitoring cannot see {', '.join(unseen)}; it sees {', '.join(SEEN)}")

    def quiet_until(self, moment: datetime) -> datetime | None:
        """The first moment after ``moment`` that is not quiet, in UTC; None where that is not quiet itself.

        Raises ``ValueError`` where the quiet hours leave nothing of a week.
        """
        zone = ZoneInfo(self.timezone)
        local = moment.astimezone(zone)
        latest = local + timedelta(days=_WEEK + 1)
        found = local
        while ends := [end for quiet in self.quiet if (end := quiet.until(found)) is not None]:
            found = max(ends)
            if found > latest:
                raise ValueError("the quiet hours leave no hour of the week in which training may begin")
        return None if found == local else found.astimezone(ZoneInfo("UTC"))
