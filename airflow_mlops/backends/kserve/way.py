"""What the two modes of KServe do differently."""

from __future__ import annotations

from typing import Protocol

from airflow_mlops.backends.kserve.service import Change
from airflow_mlops.backends.kserve.state import Seen


class Way(Protocol):
    """How a challenger is put beside the champion in one of the modes. Methods that change something give
    the notes and the patch of the spec; those that ask say what is missing, or None."""

    def start(self, seen: Seen, version: str, rollout_id: str | None) -> Change | None:
        """A version without a share; with all requests where there is no champion."""

    def not_up(self, seen: Seen, version: str) -> str | None:
        """Raises ``ModelRefused`` where it never will be."""

    def weigh(self, seen: Seen, percent: int) -> Change:
        """The challenger's share, with the notes as they are."""

    def unrouted(self, seen: Seen, percent: int) -> str | None:
        """Whether the challenger's share is in force. Without a challenger: whether the champion has all."""

    def finish(self, seen: Seen, version: str) -> Change:
        """The challenger as the champion."""

    def restore(self, seen: Seen) -> Change | None:
        """The champion in the challenger's place, which has no share any more."""

    def clear(self, seen: Seen) -> Change:
        """The end of a way back: no notes of a rollout."""
