"""What a query may name, and how often a number must be bad before it counts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.queries import (
    Bounds,
    Reading,
    filled,
    judge_reading,
    read,
    unknown_placeholders,
    unread,
)
from airflow_mlops.core.values import ModelRef, Rollout, RunRef

SINCE = datetime(2026, 1, 1, tzinfo=timezone.utc)
ROLLOUT = Rollout("churn-v2", ModelRef("churn", "2"), ModelRef("churn", "1"), RunRef("r", "u"))
ORDERS = Bounds("orders", minimum=0.02, breaches=2)


def ask(query: str, after: timedelta = timedelta(minutes=90)) -> str:
    return filled(query, ROLLOUT, since=SINCE, now=SINCE + after)


def test_placeholders_become_facts_of_the_rollout_and_all_else_stays() -> None:
    query = (
        'sum(increase(a{m="$model",v="$challenger"}[$elapsed])) / b{v="$champion",r="$rollout",x=~".*foo$"}'
    )
    assert ask(query) == ('sum(increase(a{m="churn",v="2"}[5400s])) / b{v="1",r="churn-v2",x=~".*foo$"}')
    assert ask("timestamp(x) > $started") == "timestamp(x) > 1767225600.000"
    assert ask("x[$elapsed]", timedelta(0)) == "x[1s]"
    assert ask('x{price="$$challenger"}') == 'x{price="$challenger"}'


def test_a_version_cannot_leave_the_quotes_it_stands_in() -> None:
    strange = Rollout("r", ModelRef("churn", '2"} or up{a="'), None, RunRef("r", "u"))
    asked = filled('x{v="$challenger"}', strange, since=SINCE, now=SINCE)
    assert asked == r'x{v="2\x22} or up{a=\x22"}'


def test_a_name_that_is_no_placeholder_is_found() -> None:
    assert unknown_placeholders('a{v="$version"} / b{v="$challenger", w="$version"} > $$x') == ["version"]


def test_one_look_beyond_the_bound_holds_and_so_many_in_a_row_fail() -> None:
    first = read(ORDERS, 0.01, None, SINCE)
    assert judge_reading(ORDERS, first).outcome == "inconclusive"
    second = read(ORDERS, 0.01, first, SINCE)
    verdict = judge_reading(ORDERS, second)
    assert (verdict.outcome, verdict.reasons) == (
        "fail",
        ("orders is 0.01, beyond the minimum 0.02 at 2 looks in a row",),
    )
    assert judge_reading(ORDERS, read(ORDERS, 0.03, first, SINCE)).outcome == "pass"
    assert read(ORDERS, 0.01, read(ORDERS, 0.03, first, SINCE), SINCE).beyond == 1


def test_a_look_without_a_number_is_open_and_forgets_nothing() -> None:
    away = unread(ORDERS, "Prometheus is away", read(ORDERS, 0.01, None, SINCE), SINCE)
    verdict = judge_reading(ORDERS, away)
    assert (verdict.outcome, verdict.reasons) == (
        "inconclusive",
        ("orders could not be measured: Prometheus is away",),
    )
    assert judge_reading(ORDERS, read(ORDERS, 0.01, away, SINCE)).outcome == "fail"


@pytest.mark.parametrize(("value", "outcome"), [(0.5, "pass"), (1.0, "pass"), (1.01, "fail"), (0.49, "fail")])
def test_both_bounds_are_held(value: float, outcome: str) -> None:
    bounds = Bounds("ratio", 0.5, 1.0, breaches=1)
    assert (
        judge_reading(
            bounds, Reading("ratio", SINCE, value, beyond=read(bounds, value, None, SINCE).beyond)
        ).outcome
        == outcome
    )
