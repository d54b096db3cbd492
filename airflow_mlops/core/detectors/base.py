"""What a detector is to those who feed it."""

from __future__ import annotations

from typing import Literal, Protocol

State = Literal["quiet", "warning", "drift", "improved"]
"""``improved`` is a change as sure as ``drift``, in the direction that nobody complains about."""


class Detector(Protocol):
    """Reads a stream, one number after the other. After ``drift`` or ``improved`` it begins anew with what it
    holds to be the new state of things."""

    def update(self, value: float) -> State:
        """What is to be said after this number, with all that came before."""
