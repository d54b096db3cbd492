"""Waiting for a verdict under a deadline: one rule, shared by the sensor and its trigger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from airflow_mlops.core.values import Verdict
from airflow_mlops.core.windows import Period

OnInconclusive = Literal["roll_back", "hold", "promote_if_unharmed"]


@dataclass(frozen=True, slots=True)
class Waited:
    """``done`` is False while it pays to look again; ``verdict`` is final once it is True. ``held`` says that
    the deadline is over and nothing but a verdict, or a person, will end the wait."""

    done: bool
    verdict: Verdict
    held: bool = False


def wait(
    verdict: Verdict, *, since: datetime, now: datetime, deadline: Period, on_inconclusive: OnInconclusive
) -> Waited:
    """What a look means: a pass or a fail ends the wait, an inconclusive one lasts until the deadline.

    ``since`` is when the stage was opened, not when this try started, so that a retry does not move the
    deadline. At the deadline ``on_inconclusive`` turns inconclusive into fail (``roll_back``) or into pass
    (``promote_if_unharmed``: no harm was proven, which is less than proof of no harm, and holds for an
    endpoint without requests as well), or waits on with the traffic as it is (``hold``).
    """
    if verdict.outcome != "inconclusive":
        return Waited(True, verdict)
    end = deadline.after(since)
    if now < end:
        return Waited(False, verdict)
    overdue = f"no verdict within {deadline}, by {end.isoformat(timespec='seconds')}"
    match on_inconclusive:
        case "roll_back":
            reason = f"{overdue}: rolled back, as on_inconclusive asks"
            return Waited(True, Verdict("fail", (reason, *verdict.reasons)))
        case "promote_if_unharmed":
            reason = f"{overdue}, and no harm was proven: passed, as on_inconclusive asks"
            return Waited(True, Verdict("pass", (reason, *verdict.reasons)))
        case "hold":
            reason = f"{overdue}: held, as on_inconclusive asks; the traffic stays as it is"
            return Waited(False, Verdict("inconclusive", (reason, *verdict.reasons)), held=True)
        case _:
            assert_never(on_inconclusive)


def too_late(since: datetime, now: datetime, deadline: Period) -> str | None:
    """The time that something had, such as a version to come up, once it is over; None before
    the deadline."""
    end = deadline.after(since)
    return None if now < end else f"within {deadline}, by {end.isoformat(timespec='seconds')}"
