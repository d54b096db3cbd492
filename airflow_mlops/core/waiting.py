"""Waiting for a verdict under a deadline: one rule, shared by the sensor and its trigger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from airflow_mlops.core.values import Verdict
from airflow_mlops.core.windows import Period

OnDeadline = Literal["roll_back", "promote_if_unharmed"]


@dataclass(frozen=True, slots=True)
class Waited:
    """``done`` is False while it pays to look again; ``verdict`` is final once it is True."""

    done: bool
    verdict: Verdict


def wait(
    verdict: Verdict, *, since: datetime, now: datetime, deadline: Period, on_deadline: OnDeadline
) -> Waited:
    """What a look means: a pass or a fail ends the wait, an inconclusive one lasts until the deadline.

    ``since`` is when the stage was opened, not when this try started, so that a retry does not move the
    deadline. At the deadline ``on_deadline`` turns inconclusive into fail (``roll_back``) or into pass
    (``promote_if_unharmed``: no harm was proven, which is less than proof of no harm, and holds for an
    endpoint without requests as well).
    """
    if verdict.outcome != "inconclusive":
        return Waited(True, verdict)
    end = deadline.after(since)
    if now < end:
        return Waited(False, verdict)
    overdue = f"no verdict within {deadline}, by {end.isoformat(timespec='seconds')}"
    match on_deadline:
        case "roll_back":
            reason = f"{overdue}: rolled back, as on_deadline asks"
            return Waited(True, Verdict("fail", (reason, *verdict.reasons)))
        case "promote_if_unharmed":
            reason = f"{overdue}, and no harm was proven: passed, as on_deadline asks"
            return Waited(True, Verdict("pass", (reason, *verdict.reasons)))
        case _:
            assert_never(on_deadline)
