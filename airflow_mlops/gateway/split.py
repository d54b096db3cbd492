"""Which rows of a request go to the challenger."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.core.identity import sticky_share


def split(keys: Sequence[str], *, rollout_id: str, weight: float) -> tuple[list[int], list[int]]:
    """Row numbers for the champion and for the challenger, each in order.

    A key falls on the same side for as long as the weight stays, and never moves back to the champion
    when it rises. The rollout's id is the salt, so that no key is the guinea pig of every rollout.
    """
    champion: list[int] = []
    challenger: list[int] = []
    for number, key in enumerate(keys):
        (challenger if sticky_share(key, rollout_id) < weight else champion).append(number)
    return champion, challenger
