"""What this package notes on an endpoint, in tags: SageMaker knows weights, not who is champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from airflow_mlops.core.values import RolloutMode

PREFIX = "airflow-mlops:"
_MODES: tuple[RolloutMode, ...] = get_args(RolloutMode)


@dataclass(frozen=True, slots=True)
class Note:
    """``rollout`` and ``challenger`` are set from the moment that a version is brought up; the rollout is
    open once ``mode`` is not ``none``. ``since`` is when the stage's traffic had settled. ``update`` is the
    configuration that the last update asked for, and ``updated`` when; ``home`` is the one that the rollout
    found, with the champion."""

    model: str | None = None
    champion: str | None = None
    challenger: str | None = None
    rollout: str | None = None
    mode: RolloutMode = "none"
    since: datetime | None = None
    home: str | None = None
    update: str | None = None
    updated: datetime | None = None

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Note:
        """From an endpoint's tags; what somebody else wrote there and cannot be read counts as not there."""
        told = {key.removeprefix(PREFIX): value for key, value in tags.items() if key.startswith(PREFIX)}
        mode: RolloutMode = next((mode for mode in _MODES if mode == told.get("mode")), "none")
        return cls(
            model=told.get("model") or None,
            champion=told.get("champion") or None,
            challenger=told.get("challenger") or None,
            rollout=told.get("rollout") or None,
            mode=mode,
            since=_moment(told.get("since")),
            home=told.get("home") or None,
            update=told.get("update") or None,
            updated=_moment(told.get("updated")),
        )

    def tags(self) -> list[dict[str, str]]:
        """All of it, as the API takes tags; one call writes them together."""
        told = {
            "model": self.model,
            "champion": self.champion,
            "challenger": self.challenger,
            "rollout": self.rollout,
            "mode": self.mode,
            "since": self.since.isoformat() if self.since else None,
            "home": self.home,
            "update": self.update,
            "updated": self.updated.isoformat() if self.updated else None,
        }
        return [{"Key": f"{PREFIX}{key}", "Value": value or ""} for key, value in told.items()]


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
