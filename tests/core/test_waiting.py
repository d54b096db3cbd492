"""The deadline rule that sensor and trigger share."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.values import Verdict
from airflow_mlops.core.waiting import OnInconclusive, Waited, wait
from airflow_mlops.core.windows import Period

OPENED = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
DAY = Period.parse("1 day")
OPEN = Verdict("inconclusive", ("142 of 200 rows",))
POLICIES: list[OnInconclusive] = ["roll_back", "promote_if_unharmed"]


def waited(verdict: Verdict, hours: float, on_inconclusive: OnInconclusive) -> Waited:
    now = OPENED + timedelta(hours=hours)
    return wait(verdict, since=OPENED, now=now, deadline=DAY, on_inconclusive=on_inconclusive)


@pytest.mark.parametrize("on_inconclusive", POLICIES)
@pytest.mark.parametrize("hours", [0, 23, 24, 100])
def test_a_pass_or_a_fail_ends_the_wait_as_it_is(on_inconclusive: OnInconclusive, hours: float) -> None:
    for verdict in (Verdict("pass", ("fine",)), Verdict("fail", ("errors",))):
        assert waited(verdict, hours, on_inconclusive) == Waited(True, verdict)


@pytest.mark.parametrize("on_inconclusive", POLICIES)
@pytest.mark.parametrize("hours", [-1, 0, 23.99])
def test_an_open_verdict_is_looked_at_again_before_the_deadline(
    on_inconclusive: OnInconclusive, hours: float
) -> None:
    assert waited(OPEN, hours, on_inconclusive) == Waited(False, OPEN)


def test_at_the_deadline_the_stage_fails_where_the_policy_rolls_back() -> None:
    answer = waited(OPEN, 24, "roll_back")
    assert answer == Waited(
        True,
        Verdict(
            "fail",
            (
                "no verdict within 1 day, by 2026-03-02T12:00:00+00:00: rolled back, as on_inconclusive asks",
                "142 of 200 rows",
            ),
        ),
    )


def test_at_the_deadline_an_unharmed_stage_passes_where_the_policy_promotes() -> None:
    answer = waited(OPEN, 24, "promote_if_unharmed")
    assert answer.done
    assert answer.verdict.passed
    assert "no harm was proven" in answer.verdict.reasons[0]
    assert answer.verdict.reasons[1] == "142 of 200 rows"
