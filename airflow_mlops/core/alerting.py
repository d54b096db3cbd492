"""Who is told what, and when again: the same finding is told once until it ends or changes.

What was told before is read off the ledger's own ``alerted`` entries, so the choice holds over retries, other
runs and restarts. An alert that was sent but not written down, because the task died in between, is sent
again: told twice is better than never. Who could not be reached for days is told of what was missed in one
message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args

from airflow_mlops.core.ledger import Entry, in_order
from airflow_mlops.core.news import EVENTS, EventName, News, news
from airflow_mlops.core.values import Severity
from airflow_mlops.core.windows import Period

Because = Literal["new", "changed", "still", "over", "missed"]
FRESH = Period.parse("2 days")
"""What was older when a receiver was last reached, or first tried, is history and told to nobody: whoever
adds a route is not told of the last year."""
_UNREACHED = "unreached"


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
    """One thing to tell one receiver, and why now. Where it is ``missed``, all that was, oldest first, and
    ``news`` is the newest of it."""

    news: News
    to: str
    severity: Severity
    because: Because
    missed: tuple[Alert, ...] = ()

    @property
    def id(self) -> str:
        """The same where it is sent again, so that a receiver can leave out the second."""
        return f"{self.news.entry.id}-{self.news.event}-{self.because}"

    @property
    def headline(self) -> str:
        """A line about it, the model's name first."""
        if not self.missed:
            return self.news.headline
        model, since = self.news.entry.model, f"{self.missed[0].news.entry.at:%Y-%m-%d}"
        newest = self.news.headline.removeprefix(f"{model}: ")
        return f"{model}: {len(self.missed)} findings were not told here since {since}, newest: {newest}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words and numbers; of what was missed the worst first."""
        if not self.missed:
            return self.news.reasons
        ordered = sorted(self.missed, key=lambda one: _RANKS[one.severity])
        return tuple(f"{one.news.entry.at:%Y-%m-%d %H:%M} [{one.severity}] {one.headline}" for one in ordered)


def alerts(entries: Iterable[Entry], routing: Routing, now: datetime) -> list[Alert]:
    """What is to be told now: first what somebody has missed, for whoever is reached again has missed nothing
    more from then on, and then the worst first; nothing that ``entries`` say was told."""
    entries = list(entries)
    told, reached = _told(entries), last_reached(entries)
    fresh: list[Alert] = []
    missed: dict[str, list[Alert]] = {}
    for item in news(entries):
        for to in _receivers(item, routing):
            because = _because(item, told.get((item.subject, to), ()), routing, now)
            if because is None:
                continue
            alert = Alert(item, to, routing.severity_of(item.event), because)
            if item.entry.at >= FRESH.before(now):
                fresh.append(alert)
            elif because != "still" and to in reached and item.entry.at >= FRESH.before(reached[to]):
                missed.setdefault(to, []).append(alert)
    fresh.sort(key=lambda alert: (_RANKS[alert.severity], alert.news.entry.at))
    return [*(_at_once(of_one) for of_one in missed.values()), *fresh]


def last_reached(entries: Iterable[Entry]) -> dict[str, datetime]:
    """When each receiver was last told something; of who never was, when it was first tried."""
    return {str(entry.data["to"]): entry.at for entry in in_order(entries) if entry.kind == "alerted"}


def _at_once(missed: Sequence[Alert]) -> Alert:
    """In one message, unless there is only one anyway."""
    if len(missed) == 1:
        return missed[0]
    missed = sorted(missed, key=lambda alert: alert.news.entry.at)
    worst = min((alert.severity for alert in missed), key=_RANKS.__getitem__)
    return Alert(missed[-1].news, missed[-1].to, worst, "missed", tuple(missed))


def told_entries(alert: Alert, *, at: datetime, dag_id: str, run_id: str) -> list[Entry]:
    """What is written down once an alert was sent: an entry for each finding in it."""
    return [_entry(one, at, dag_id, run_id) for one in alert.missed or (alert,)]


def unreached_entry(alert: Alert, *, at: datetime, dag_id: str, run_id: str) -> Entry:
    """What is written down where a receiver that never was told anything cannot be: from then on it misses
    what it is not told. Of one that was told before, the ledger knows since when."""
    entry = _entry(alert, at, dag_id, run_id)
    said = f"could not reach {alert.to}: it is told of what it misses once it can be"
    data = {**entry.data, "because": _UNREACHED, "about": []}
    return replace(entry, stage=f"{_UNREACHED} {alert.to}", reasons=(said,), data=data)


def was_told(entry: Entry) -> bool:
    """Whether an ``alerted`` entry says that somebody was reached."""
    return entry.data.get("because") != _UNREACHED


def _entry(alert: Alert, at: datetime, dag_id: str, run_id: str) -> Entry:
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
    for entry in in_order(entry for entry in entries if entry.kind == "alerted" and was_told(entry)):
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
