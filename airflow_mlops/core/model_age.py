"""Age: for how long a champion has learned nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_mlops.core.causes import CauseEvent
from airflow_mlops.core.ledger import Entry, champion_at
from airflow_mlops.core.windows import Period, Window


def age_cause(entries: Sequence[Entry], age: Period, now: datetime) -> CauseEvent | None:
    """The champion is ``age`` old, or a multiple of it; None where it is younger, or there is none.

    It counts from the end of the rows that it was trained on, since what came later it cannot know; from its
    promotion where the ledger does not know its training. Each whole ``age`` that passes is a cause of its
    own, so that a champion which no challenger could beat is a cause again later, but not every minute.
    """
    champion = champion_at(entries, now)
    if champion is None:
        return None
    since = learned_until(entries, champion.subject) or champion.at
    times, due = _passed(since, age, now)
    if not times:
        return None
    days = (now - since) / timedelta(days=1)
    return CauseEvent(
        model=champion.model,
        cause="age",
        subject=f"age of version {champion.subject}: {times} x {age}",
        at=due,
        window=Window(since, due),
        version=champion.subject,
        scores={"age_days": round(days, 2)},
        reasons=(
            f"champion {champion.subject} has learned from rows up to {_day(since)}, {days:.1f} days ago; "
            f"{age} is its limit",
        ),
    )


def is_of_age(event: CauseEvent, age: Period) -> bool:
    """Whether a cause is of this limit, and not of another sensor's."""
    return event.subject.endswith(f" x {age}")


def learned_until(entries: Sequence[Entry], version: str) -> datetime | None:
    """The end of the window of rows that a version was trained and judged on."""
    for entry in entries:
        if entry.kind == "registered" and entry.subject == version and entry.window is not None:
            return entry.window.end
    return None


def _passed(since: datetime, age: Period, now: datetime) -> tuple[int, datetime]:
    """How many whole ages have passed, and when the last of them did."""
    if age.months:
        times, due = 0, since
        while (later := Period(months=age.months * (times + 1)).after(since)) <= now:
            times, due = times + 1, later
        return times, due
    times = max(0, int((now - since).total_seconds()) // age.seconds)
    return times, since + timedelta(seconds=times * age.seconds)


def _day(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes").removesuffix("+00:00").removesuffix("T00:00")
