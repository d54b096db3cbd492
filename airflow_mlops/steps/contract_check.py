"""What one check of a contract came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """``told`` says what does not hold, or what a person should know; nothing where all is well."""

    subject: str
    outcome: Literal["held", "warning", "broken"]
    told: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.told}"
