"""Who is told what, and when again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlops.core.alerting import (
    FRESH,
    Alert,
    Route,
    Routing,
    alerts,
    mute,
    told_entries,
    unreached_entry,
)
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.news import EVENTS, news
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.notifications.shown import shown

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
WEEK = Period.parse("7 days")
ALL = Routing((Route(("ops",)),), WEEK)


def window(day: int, **found: Any) -> Entry:
    end = START + day * DAY
    clean = {"drifted": False, "decayed": False, "upstream_fault": None, "drift_share": 0.1, "action": "keep"}
    return Entry(
        model="churn",
        kind="monitored",
        subject=end.isoformat(),
        at=end + timedelta(hours=1),
        dag_id="churn.monitor",
        run_id=f"day {day}",
        version=found.pop("version", "3"),
        window=Window(end - DAY, end),
        data={**clean, **found},
    )


class Story:
    """A ledger over days; ``look`` is what the task at the end of a day's run does."""

    def __init__(self, routing: Routing = ALL) -> None:
        self.routing = routing
        self.entries: list[Entry] = []

    def look(self, day: int, *entries: Entry, most: int | None = None) -> list[str]:
        """Why each alert was told; the task is killed once ``most`` were."""
        self.entries += entries
        now = START + day * DAY + timedelta(hours=2)
        told = alerts(self.entries, self.routing, now)[:most]
        for one in told:
            self.entries += told_entries(one, at=now, dag_id="churn.monitor", run_id=f"day {day}")
        return [f"{one.news.event} {one.because} {one.to}" for one in told]

    def fail(self, day: int, *entries: Entry) -> None:
        """As ``look``, while nobody can be reached."""
        self.entries += entries
        now = START + day * DAY + timedelta(hours=2)
        for one in alerts(self.entries, self.routing, now):
            if not any(entry.kind == "alerted" for entry in self.entries):
                self.entries.append(unreached_entry(one, at=now, dag_id="churn.monitor", run_id=f"day {day}"))


def test_a_finding_is_told_once_when_it_changes_and_when_it_is_over() -> None:
    story = Story()
    assert story.look(1, window(1, drifted=True, drifted_columns=["age"])) == ["drift new ops"]
    assert story.look(1) == []
    assert story.look(2, window(2, drifted=True, drifted_columns=["age"])) == []
    assert story.look(3, window(3, drifted=True, drifted_columns=["plan"])) == ["drift changed ops"]
    assert story.look(4, window(4, drifted=True, drifted_columns=["age", "plan"])) == []
    assert story.look(5, window(5)) == ["drift over ops"]
    assert story.look(6, window(6)) == []
    assert story.look(7, window(7, drifted=True, drifted_columns=["age"])) == ["drift new ops"]


def test_a_finding_of_another_champion_is_another_one() -> None:
    story = Story()
    story.look(1, window(1, decayed=True))
    assert story.look(2, window(2, decayed=True, version="4")) == ["decay changed ops"]


def test_what_lasts_is_told_again_after_a_while_and_only_as_long_as_somebody_looks() -> None:
    story = Story()
    story.look(1, window(1, drifted=True))
    assert [story.look(day, window(day, drifted=True)) for day in range(2, 8)] == [[]] * 6
    assert story.look(8, window(8, drifted=True)) == ["drift still ops"]
    assert story.look(30) == []
    never = Story(Routing((Route(("ops",)),), None))
    never.look(1, window(1, drifted=True))
    assert never.look(90, window(90, drifted=True)) == []


def test_one_that_ended_without_a_word_is_new_when_it_comes_back() -> None:
    story = Story(Routing((Route(("ops",)),), WEEK, tell_over=False))
    assert story.look(1, window(1, drifted=True)) == ["drift new ops"]
    assert story.look(2, window(2)) == []
    assert story.look(3, window(3, drifted=True)) == ["drift new ops"]


def test_a_new_route_is_not_told_of_history() -> None:
    entries = [window(1, drifted=True)]
    assert alerts(entries, ALL, entries[0].at + timedelta(days=3)) == []


def promoted(day: int) -> Entry:
    at = START + day * DAY + timedelta(hours=1)
    return Entry("churn", "promoted", str(day), at, "churn.deploy", f"day {day}", version=str(day))


def test_who_was_away_for_a_week_is_told_of_all_of_it_in_one_message() -> None:
    story = Story()
    assert story.look(1, window(1, drifted=True)) == ["drift new ops"]
    for day in range(2, 9):
        story.fail(day, promoted(day), window(day, drifted=day < 4, decayed=True))
    now = START + 9 * DAY + timedelta(hours=2)
    missed, *fresh = alerts(story.entries, story.routing, now)
    assert {f"{one.news.event} {one.because}" for one in fresh} == {"decay new", "promoted new", "drift over"}
    assert missed.because == "missed"
    assert missed.headline.startswith(
        "churn: 6 findings were not told here since 2026-03-03, newest: version 7"
    )
    assert len(missed.reasons) == 6
    body = shown(missed, {}, "growth")["body"]
    assert (body["event"], body["because"], body["headline"]) == ("missed", "missed", missed.headline)
    assert story.look(9)[0] == "promoted missed ops"
    assert story.look(9) == []
    assert story.look(12) == []


def test_one_that_was_missed_is_told_as_it_is() -> None:
    story = Story()
    story.look(1, window(1, drifted=True))
    story.fail(2, promoted(2))
    assert story.look(9) == ["promoted new ops"]


def test_who_was_never_reached_is_told_of_what_came_since_it_was_first_tried() -> None:
    story = Story()
    story.entries += [promoted(1), promoted(2)]
    story.fail(30, promoted(30))
    story.fail(31, promoted(31))
    assert story.look(40) == ["promoted missed ops"]
    assert story.entries[-1].data["because"] == "new"
    assert [entry.run_id for entry in story.entries if entry.data.get("because") == "new"] == ["day 40"] * 2


def test_what_was_no_news_to_a_receiver_that_is_well_stays_untold() -> None:
    """As where a route takes more events from now on."""
    few = Routing((Route(("ops",), "info", frozenset({"drift"})),), WEEK)
    story = Story(few)
    for day in range(1, 20):
        story.look(day, promoted(day), window(day, drifted=day % 2 == 1))
    story.routing = ALL
    assert [one for one in story.look(19) if "missed" in one] == []


def test_whoever_could_not_be_reached_is_told_by_the_next_run() -> None:
    story = Story(Routing((Route(("ops", "boss")),), WEEK))
    assert story.look(1, window(1, decayed=True), most=1) == ["decay new ops"]
    assert story.look(1) == ["decay new boss"]


def test_a_route_takes_what_it_names_from_its_severity_on_and_a_receiver_of_two_is_told_once() -> None:
    routes = (
        Route(("pager",), "critical"),
        Route(("channel", "pager"), "warning", frozenset({"drift", "decay"})),
    )
    story = Story(Routing(routes, WEEK, {"drift": "info"}))
    assert story.look(1, window(1, drifted=True, decayed=True)) == ["decay new pager", "decay new channel"]


def test_the_worst_is_told_first() -> None:
    told = Story().look(1, window(1, drifted=True, decayed=True))
    assert told == ["decay new ops", "drift new ops"]


def test_an_event_that_a_route_names_and_can_never_tell_is_found() -> None:
    routes = [Route(("ops",), "critical", frozenset({"promoted", "decay"})), Route(("ops",), "critical")]
    assert mute(routes, {}) == [(0, "promoted")]
    assert mute(routes, {"promoted": "critical"}) == []


DAYS = st.lists(
    st.fixed_dictionaries(
        {
            "drifted": st.booleans(),
            "decayed": st.sampled_from([True, False, None]),
            "upstream_fault": st.sampled_from([None, None, "age is null"]),
            "drift_share": st.sampled_from([None, 0.2]),
            "drifted_columns": st.lists(st.sampled_from(["age", "plan", "spend"]), unique=True, max_size=3),
            "version": st.sampled_from(["3", "3", "4"]),
        }
    ),
    max_size=14,
)
ROUTINGS = st.builds(
    Routing,
    st.lists(
        st.builds(
            Route,
            st.lists(st.sampled_from(["ops", "boss"]), min_size=1, unique=True).map(tuple),
            st.sampled_from(["critical", "warning", "info"]),
            st.sampled_from([None, frozenset({"drift"}), frozenset({"decay", "upstream_fault"})]),
        ),
        max_size=3,
    ).map(tuple),
    st.sampled_from([None, Period.parse("3 days")]),
    st.just({}),
    st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(DAYS, ROUTINGS, st.lists(st.integers(0, 3), min_size=14, max_size=14))
def test_everybody_knows_what_stands_nobody_is_told_twice_and_ends_are_for_those_who_know(
    days: list[dict[str, Any]], routing: Routing, killed_after: list[int]
) -> None:
    """Over any findings, routes, and tasks that are killed after some alerts and tried again."""
    story = Story(routing)
    for day, found in enumerate(days):
        told = story.look(day, window(day, **found), most=killed_after[day])
        told += story.look(day)  # the retry
        assert len(told) == len(set(told))
        assert story.look(day) == []  # and whoever looks again finds all of it told
        _assert_everybody_knows(story, START + day * DAY + timedelta(hours=2))
    _assert_words_follow_each_other(story)


def _assert_everybody_knows(story: Story, now: datetime) -> None:
    """Each fresh finding that lasts is known, in all its parts, to each who asked for it."""
    for item in news(story.entries):
        if item.over or item.entry.at < FRESH.before(now) or not EVENTS[item.event].lasts:
            continue
        severity = story.routing.severity_of(item.event)
        order = ["critical", "warning", "info"]
        for route in story.routing.routes:
            asked = route.events is None or item.event in route.events
            if not asked or order.index(severity) > order.index(route.at_least):
                continue
            for to in route.to:
                known = [
                    part
                    for entry in story.entries
                    if entry.kind == "alerted"
                    and (entry.subject, entry.data["to"]) == (item.subject, to)
                    and entry.at >= item.began
                    for part in (*entry.data["about"], "it")
                ]
                assert {"it", *item.about} <= set(known)


def _assert_words_follow_each_other(story: Story) -> None:
    by_receiver: dict[tuple[str, str], list[Entry]] = {}
    for entry in story.entries:
        if entry.kind == "alerted":
            by_receiver.setdefault((entry.subject, entry.data["to"]), []).append(entry)
    for told in by_receiver.values():
        words = [entry.data["because"] for entry in told]
        assert words[0] == "new"
        for before, now in pairwise(told):
            if now.data["because"] == "over":
                assert before.data["because"] != "over"
            if now.data["because"] == "still":
                assert now.at - before.at >= timedelta(days=3)
        assert len({entry.id for entry in told}) == len(told)


def test_an_alert_that_is_sent_again_has_the_id_of_the_first() -> None:
    entries = [window(1, decayed=True)]
    now = START + DAY + timedelta(hours=3)
    (first,), (again,) = alerts(entries, ALL, now), alerts(entries, ALL, now + timedelta(minutes=5))
    assert isinstance(first, Alert)
    assert first.id == again.id
