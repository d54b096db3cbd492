"""What traffic is meant to be, and the files it survives a restart in."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from airflow_mlops.core.values import RolloutMode
from airflow_mlops.exceptions import ConfigError, StoreUnavailable
from airflow_mlops.gateway.observations import Stage


@dataclass(frozen=True, slots=True)
class TrafficState:
    """Which versions serve. ``alias_seen`` is the version that the registry's ``champion`` alias had when
    it was last followed: only a change of the alias moves the champion, so that a promotion here is
    not undone while the alias has yet to catch up.
    """

    champion: str | None = None
    challenger: str | None = None
    mode: RolloutMode = "none"
    weight: float = 0.0
    rollout_id: str | None = None
    since: datetime | None = None
    alias_seen: str | None = None


class KeptTraffic(Protocol):
    """Where the state and the stage's counters are kept."""

    def load(self) -> TrafficState: ...

    def save(self, state: TrafficState) -> None: ...

    def load_stage(self, state: TrafficState) -> Stage | None: ...

    def save_stage(self, stage: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class TrafficFiles:
    """``traffic/<model>.json``, written at each change, and beside it the stage's counters, written every
    few seconds: a crash loses the counts of the last seconds, never a traffic change.
    """

    store: Path
    model: str

    @property
    def state(self) -> Path:
        return self.store / "traffic" / f"{self.model}.json"

    @property
    def counters(self) -> Path:
        return self.store / "traffic" / f"{self.model}.observations.json"

    def load(self) -> TrafficState:
        """The state that was saved last, or an empty one. Raises ``ConfigError`` if it cannot be read."""
        try:
            state = TypeAdapter(TrafficState).validate_json(self.state.read_bytes())
        except FileNotFoundError:
            return TrafficState()
        except (OSError, ValidationError) as error:
            reason = str(error) if isinstance(error, OSError) else _reason(error)
            raise self._unreadable(reason) from error
        if not 0 <= state.weight <= 1:
            raise self._unreadable(f"weight {state.weight} is not a share from 0 to 1")
        if state.challenger is not None and (state.rollout_id is None or state.since is None):
            raise self._unreadable(
                f"challenger {state.challenger} is in no rollout, or in one without a date"
            )
        return state

    def save(self, state: TrafficState) -> None:
        """Raises ``StoreUnavailable`` when the disk will not take it."""
        self._replace(self.state, TypeAdapter(TrafficState).dump_python(state, mode="json"))

    def load_stage(self, state: TrafficState) -> Stage | None:
        """The counters of this state's stage; None if they are of another or cannot be read, since
        a stage that starts to count anew is only slower."""
        try:
            stage = Stage.from_json(json.loads(self.counters.read_bytes()))
        except (OSError, KeyError, TypeError, ValueError):
            return None
        same = (stage.rollout_id, stage.since) == (state.rollout_id, state.since)
        versions = (stage.champion.version, stage.challenger.version) == (state.champion, state.challenger)
        return stage if same and versions else None

    def save_stage(self, stage: dict[str, Any]) -> None:
        """Raises ``StoreUnavailable`` when the disk will not take it."""
        self._replace(self.counters, stage)

    def _unreadable(self, reason: str) -> ConfigError:
        return ConfigError(
            f"The traffic state {self.state} cannot be read: {reason}. Restore it, or delete it to start "
            "from the registry's champion alias with no rollout open."
        )

    def _replace(self, path: Path, value: dict[str, Any]) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(value, file, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise StoreUnavailable(
                f"The traffic state could not be written to {path}: {error}. Free or remount the disk and "
                "repeat the change."
            ) from error


def _reason(error: ValidationError) -> str:
    """What pydantic found, in one line without its links."""
    found = (f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
    return "; ".join(found)
