"""After a retraining: is its cause gone?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_mlops.core.retraining.history import Asked, History, Training
from airflow_mlops.core.retraining.policy import Cause, Policy
from airflow_mlops.core.retraining.signals import WindowSignals
from airflow_mlops.core.retraining.standing_causes import Made, shown, still_stands

_IN_WINDOWS: frozenset[Cause] = frozenset({"drift", "decay"})


@dataclass(frozen=True, slots=True)
class CauseCheck:
    """The answer for one request: ``gone`` or still there, in words."""

    request: str
    cause: Cause
    version: str
    gone: bool
    reasons: tuple[str, ...]


def check_causes(
    policy: Policy,
    history: History,
    latest: WindowSignals,
    earlier: Sequence[WindowSignals],
    champion: Made,
    today: Made,
) -> tuple[CauseCheck, ...]:
    """An answer for each request whose retraining serves now and that has none yet; those that cannot be
    answered yet are left for a later window.

    Drift and decay are looked for in windows that begin after the retraining's data, with its version as
    champion: still there, once k of them show it; gone, once so many do not that k of n cannot be bad any
    more. Windows of too few rows or labels, and those that came in broken, tell nothing.
    """
    found = []
    for training in history.trainings:
        if training.state != "promoted" or training.version != latest.version:
            continue
        for asked in training.asked:
            if asked.gone is None and (
                check := _check(asked, training, policy, latest, earlier, champion, today)
            ):
                found.append(check)
    return tuple(found)


def _check(
    asked: Asked,
    training: Training,
    policy: Policy,
    latest: WindowSignals,
    earlier: Sequence[WindowSignals],
    champion: Made,
    today: Made,
) -> CauseCheck | None:
    version = training.version or ""
    if asked.cause not in _IN_WINDOWS:
        stands = still_stands(asked.cause, policy, champion, today, latest.window.end)
        return None if stands is None else _said(asked, version, not stands, latest.reasons if stands else ())
    windows = {
        item.window.end: item
        for item in earlier
        if item.window.end < latest.window.end and item.version == version
    }
    windows[latest.window.end] = latest
    usable = [windows[end] for end in sorted(windows) if windows[end].window.start >= training.end]
    shows = [seen for item in usable if (seen := item.shows(asked.cause)) is not None]
    bad, good = sum(shows), len(shows) - sum(shows)
    count = f"{asked.cause} in {bad} of the {len(shows)} windows since that could tell"
    if bad >= policy.k:
        return _said(asked, version, False, (count, *latest.reasons))
    if good > policy.n - policy.k:
        return _said(asked, version, True, (count,))
    return None


def _said(asked: Asked, version: str, gone: bool, reasons: tuple[str, ...]) -> CauseCheck:
    became = f"is gone since version {version}" if gone else f"is still there with version {version}"
    words = f"{asked.cause} of {shown(asked.end)} {became}"
    return CauseCheck(asked.id, asked.cause, version, gone, (words, *reasons))
