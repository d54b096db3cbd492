"""The steps that a migration is made of, as values: what each does to what a file says.

How a step is carried out in the text is ``rewrite.py``'s matter. ``applied`` here knows nothing of text, so
that the outcome of the one can be held against the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_mlops.config.problems import KeyPath
from airflow_mlops.config.scalars import Scalar

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A key, with its value and comments, goes to another path. Mappings on the way are made where they are
    missing, and those that the move leaves empty go. Does nothing where the key is not given.
    """

    path: Path
    to: Path

    def __post_init__(self) -> None:
        if not self.path or not self.to or self.to == self.path[: len(self.to)]:
            raise ValueError(f"{self.path} cannot be moved to {self.to}, which is the same or around it")

    def applied(self, values: dict[str, Any]) -> None:
        """Do to the values (in place) what the edit does to the text."""
        chain = _chain(values, self.path)
        if chain is None:
            return
        value = chain[-1].pop(self.path[-1])
        at = values
        for part in self.to[:-1]:
            at[part] = {} if at.get(part) is None else at[part]
            at = at[part]
        at[self.to[-1]] = value
        for depth in range(len(chain) - 1, 0, -1):
            if chain[depth]:
                break
            del chain[depth - 1][self.path[depth - 1]]

    def is_meant(self, values: dict[str, Any]) -> bool:
        """Whether the key is given."""
        return _chain(values, self.path) is not None

    def before(self, path: KeyPath) -> KeyPath:
        """Where that which is now at a path stood before."""
        return (*self.path, *path[len(self.to) :]) if path[: len(self.to)] == self.to else path


@dataclass(frozen=True, slots=True)
class Rename:
    """A key gets another name and stays where it is."""

    path: Path
    name: str

    @property
    def move(self) -> Move:
        return Move(self.path, (*self.path[:-1], self.name))

    def applied(self, values: dict[str, Any]) -> None:
        self.move.applied(values)

    def before(self, path: KeyPath) -> KeyPath:
        return self.move.before(path)


@dataclass(frozen=True, slots=True)
class Replace:
    """One value becomes another, where it is given; any other value stays."""

    path: Path
    old: Scalar
    new: Scalar

    def applied(self, values: dict[str, Any]) -> None:
        if self.is_meant(values):
            chain = _chain(values, self.path)
            assert chain is not None  # noqa: S101 (the value is there)
            chain[-1][self.path[-1]] = self.new

    def is_meant(self, values: dict[str, Any]) -> bool:
        """Whether the value to replace is the one given. True is not 1."""
        chain = _chain(values, self.path)
        given = chain[-1][self.path[-1]] if chain else object()
        return type(given) is type(self.old) and given == self.old

    def before(self, path: KeyPath) -> KeyPath:
        return path


Edit = Move | Rename | Replace


def _chain(values: dict[str, Any], path: Path) -> list[dict[str, Any]] | None:
    """The mappings that a path leads through, or nothing where it leads nowhere."""
    chain: list[dict[str, Any]] = []
    at: Any = values
    for part in path:
        if not isinstance(at, dict) or part not in at:
            return None
        chain.append(at)
        at = at[part]
    return chain
