"""One column of categories or prose in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from airflow_mlops.backends.faults.values import is_broken, spelled_alike
from airflow_mlops.core.faults.summary import Categories, Category

MOST_CATEGORIES = 20_000
LISTED = 500


@dataclass(slots=True)
class TextScan:
    """Categories by their names, which stay in this process; of prose only lengths and broken letters."""

    is_prose: bool
    count: int = 0
    names: Counter[str] = field(default_factory=Counter)
    complete: bool = True
    lengths: Counter[int] = field(default_factory=Counter)
    broken: int = 0

    def add(self, texts: Mapping[str, int]) -> None:
        """More of the column's texts, with how often each comes."""
        for text, rows in texts.items():
            self.count += rows
            self.lengths[len(text)] += rows
            if is_broken(text):
                self.broken += rows
        if not self.is_prose:
            self._name(texts)

    def absorb(self, other: TextScan) -> None:
        """What another scan has seen."""
        self.count += other.count
        self.broken += other.broken
        self.lengths.update(other.lengths)
        self.complete = self.complete and other.complete
        self._name(other.names)

    def summary(self, salt: str) -> Categories | None:
        """Names as hashes; None where there was no text."""
        if not self.count:
            return None
        common = self.names.most_common(LISTED)
        return Categories(
            count=self.count,
            listed=tuple(
                Category(_hash(name, salt), _hash(spelled_alike(name), salt), rows) for name, rows in common
            ),
            complete=self.complete and len(common) == len(self.names),
            lengths=dict(sorted(self.lengths.items())),
            broken=self.broken,
        )

    def _name(self, texts: Mapping[str, int]) -> None:
        for text, rows in texts.items():
            if text in self.names or len(self.names) < MOST_CATEGORIES:
                self.names[text] += rows
            else:
                self.complete = False


def _hash(text: str, salt: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:64]).hexdigest()
