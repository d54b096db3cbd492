"""Who is told what, and when again: the same finding is told once until it ends or changes.

What was told before is read off the ledger's own ``alerted`` entries, so the choice holds over retries, other
runs and restarts. An alert that was sent but not written down, because the task died in between, is sent
again: told twice is better than never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from airflow_mlops.core.ledger import Entry, in_order
from airflow_mlops.core.news import EVENTS, EventName, News, news
from airflow_mlops.core.values import Severity
from airflow_mlops.core.windows import Period

Because = Literal["new", "changed", "still", "over"]
FRESH = Period.parse("2 days")
"""What is older is history, and told to nobody: whoever adds a route is not told of the last year."""


@dataclass(frozen=True, slots=True)
class Route:
    """Who is told of what. ``to`` names receivers; ``events`` are all, if None."""

    to: tuple[str, ...]
    at_least: Severity = "info"
    events: frozenset[EventName] | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """All routes of a model. What lasts is told again ``repeat_after`` (never, if None); ``severity`` says
    another one than the table's; its end is told to those who were told of it, if ``tell_over``."""

    routes: tuple[Route, ...]
    repeat_after: Period | None = None
    severity: Mapping[EventName, Severity] = field(default_factory=dict)
    tell_over: bool = True

    def severity_of(self, event: EventName) -> Severity:
        return self.severity.get(event, EVENTS[event].severity)


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell one receiver, and why now."""

    news: News
    to: str
    severity: Severity
    because: Because

    @property
    def id(self) -> str:
        """The same where it is sent again, so that a receiver can leave out the second."""
        return f"{self.news.entry.id}-{self.news.event}-{self.because}"


def alerts(entries: Iterable[Entry], routing: Routing, now: datetime) -> list[Alert]:
    """What is to be told now, the worst first; nothing that ``entries`` say was told."""
    entries = list(entries)
    told = _told(entries)
    fresh = [item for item in news(entries) if item.entry.at >= FRESH.before(now)]
    found = [
        Alert(item, to, routing.severity_of(item.event), because)
        for item in fresh
        for to in _receivers(item, routing)
        if (because := _because(item, told.get((item.subject, to), ()), routing, now)) is not None
    ]
    return sorted(found, key=lambda alert: (_RANKS[alert.severity], alert.news.entry.at))


def told_entry(alert: Alert, *, at: datetime, dag_id: str, run_id: str) -> Entry:
    """What is written down once an alert was sent."""
    item = alert.news
    return Entry(
        model=item.entry.model,
        kind="alerted",
        subject=item.subject,
        stage=f"{alert.id} {alert.to}",
        at=at,
        dag_id=dag_id,
        run_id=run_id,
        version=item.entry.version,
        reasons=(f"told {alert.to}: {item.headline} ({alert.severity}, {alert.because})",),
        window=item.entry.window,
        data={
            "event": item.event,
            "to": alert.to,
            "severity": alert.severity,
            "because": alert.because,
            "about": sorted(item.about),
        },
    )


def mute(routes: Sequence[Route], severity: Mapping[EventName, Severity]) -> list[tuple[int, EventName]]:
    """Events that a route names and can never tell, being below what it asks for: route and event."""
    routing = Routing(tuple(routes), severity=severity)
    return [
        (index, event)
        for index, route in enumerate(routes)
        for event in sorted(route.events or ())
        if _RANKS[routing.severity_of(event)] > _RANKS[route.at_least]
    ]


def _told(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """What each receiver was told of each finding, oldest first."""
    known: dict[tuple[str, str], list[Entry]] = {}
    for entry in in_order(entry for entry in entries if entry.kind == "alerted"):
        known.setdefault((entry.subject, str(entry.data["to"])), []).append(entry)
    return known


def _receivers(item: News, routing: Routing) -> list[str]:
    """Each once, however many routes lead there."""
    rank = _RANKS[routing.severity_of(item.event)]
    return list(
        dict.fromkeys(
            to
            for route in routing.routes
            if rank <= _RANKS[route.at_least] and (route.events is None or item.event in route.events)
            for to in route.to
        )
    )


def _because(item: News, told: Sequence[Entry], routing: Routing, now: datetime) -> Because | None:
    """Why it is told now; None where it is not. An end that nobody was told of ends a finding as well."""
    lasts = EVENTS[item.event].lasts
    if item.over:
        knows = bool(told) and told[-1].data["because"] != "over"
        return "over" if knows and routing.tell_over and EVENTS[item.event].over else None
    if not lasts:
        return None if told else "new"
    told = [entry for entry in told if entry.at >= item.began]
    if not told:
        return "new"
    if item.about - {part for entry in told for part in entry.data["about"]}:
        return "changed"
    if routing.repeat_after is not None and now >= routing.repeat_after.after(told[-1].at):
        return "still"
    return None


_RANKS: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(get_args(Severity))}
