"""Causes that are facts about the champion, not findings in a window: age, code, configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_mlops.core.retraining.history import History, came_to_nothing
from airflow_mlops.core.retraining.policy import Cause, Policy


@dataclass(frozen=True, slots=True)
class Made:
    """What a model was made with, or would be made with today; None where that is not known.

    ``code`` identifies the training code, ``recipe`` the part of the configuration that makes a model,
    ``data_end`` is the end of the data it was trained and judged on.
    """

    code: str | None = None
    recipe: str | None = None
    data_end: datetime | None = None


NOTHING_KNOWN = Made()


def standing_causes(
    policy: Policy, champion: Made, today: Made, history: History, end: datetime
) -> dict[Cause, str]:
    """Those that hold as of ``end`` and that the policy counts, each in words.

    Code and configuration ask once: where a training with today's is under way or came to a verdict, it has
    had its turn, whatever the verdict. One whose run was lost before has not.
    """
    found: dict[Cause, str] = {}
    if policy.maximum_age is not None and champion.data_end is not None:
        until = policy.maximum_age.after(champion.data_end)
        if end >= until:
            found["age"] = (
                f"the champion's data end at {shown(champion.data_end)}, more than {policy.maximum_age} ago"
            )
    if _has_changed(champion.code, today.code) and today.code not in _tried(history, "code", policy, end):
        found["code"] = f"the training code is {today.code}, the champion was trained with {champion.code}"
    if _has_changed(champion.recipe, today.recipe) and today.recipe not in _tried(
        history, "recipe", policy, end
    ):
        found["config"] = (
            f"the configuration of its training is {_short(today.recipe)}, the champion was trained with "
            f"{_short(champion.recipe)}"
        )
    return {cause: words for cause, words in found.items() if cause in policy.causes}


def still_stands(cause: Cause, policy: Policy, champion: Made, today: Made, end: datetime) -> bool | None:
    """Whether such a cause holds for the champion of now, whatever was tried; None where nobody can tell."""
    match cause:
        case "age":
            if policy.maximum_age is None or champion.data_end is None:
                return None
            return end >= policy.maximum_age.after(champion.data_end)
        case "code":
            known = champion.code is not None and today.code is not None
            return champion.code != today.code if known else None
        case "config":
            known = champion.recipe is not None and today.recipe is not None
            return champion.recipe != today.recipe if known else None
        case _:
            raise ValueError(f"{cause} is seen in windows")


def shown(moment: datetime) -> str:
    """A moment without the parts that are zero."""
    return moment.isoformat(timespec="minutes").removesuffix("+00:00").removesuffix("T00:00")


def _has_changed(before: str | None, now: str | None) -> bool:
    return before is not None and now is not None and before != now


def _tried(history: History, what: str, policy: Policy, end: datetime) -> set[str]:
    return {
        made
        for training in history.trainings
        if (made := getattr(training, what)) is not None and not came_to_nothing(training, policy, end)
    }


def _short(digest: str | None) -> str:
    return (digest or "")[:12]
