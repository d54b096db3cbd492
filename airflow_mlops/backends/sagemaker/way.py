"""What differs between moving traffic by variant weights and having SageMaker move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from airflow_mlops.backends.sagemaker.endpoint import Seen
from airflow_mlops.core.values import Deployment


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version on its way, and its model in SageMaker."""

    version: str
    model_name: str


class Way(Protocol):
    """One way to bring a candidate up, move traffic to it, and take it away.

    ``seen`` is the live endpoint, in service, with a champion. Each call finds what an earlier one has done
    already; all but ``bring_up`` wait.
    """

    def bring_up(self, seen: Seen, candidate: Candidate) -> Deployment:
        """Begin to have the candidate in service without a request, or say how far that is."""

    def place(self, seen: Seen, version: str) -> tuple[str, str] | None:
        """Endpoint and variant where the candidate can be asked; None where it is not up."""

    def shift(self, seen: Seen, candidate: Candidate, mode: str, weight: float) -> Seen:
        """Have the traffic of a stage."""

    def crown(self, seen: Seen, candidate: Candidate) -> Seen:
        """All traffic to the candidate, which may not be up yet."""

    def give_back(self, seen: Seen) -> Seen:
        """All traffic to the champion that the note names."""

    def tidy(self, seen: Seen) -> Seen:
        """Leave nothing running but the champion that the note names."""
