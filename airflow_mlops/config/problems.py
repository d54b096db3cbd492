"""What is wrong in a file, where, and the next thing to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_mlops.exceptions import ConfigError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at ``line`` and ``column`` (from 1) of a file; ``key`` is the key's dotted path.

    Both are 0 where the whole file is meant (it cannot be opened). ``snippet`` is the line's own text.
    """

    path: str
    line: int
    column: int
    key: str
    message: str
    hint: str = ""
    snippet: str = ""

    def __str__(self) -> str:
        """``configs/x.yaml:12:7: data.window.lenght: unknown key; did you mean 'length'?`` and the line."""
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        said = f"{self.message}; {self.hint}" if self.hint else self.message
        head = ": ".join(part for part in (where, self.key, said) if part)
        if not self.snippet.strip():
            return head
        # A tab is as wide as the terminal likes: repeat it, so that the caret stays below its character.
        lead = "".join("\t" if char == "\t" else " " for char in self.snippet[: self.column - 1])
        return f"{head}\n{self.line:>6} | {self.snippet}\n{'':>6} | {lead}^"


class InvalidConfig(ConfigError):
    """All problems of one file, sorted by position."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda found: (found.line, found.column, found.key)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def dotted(path: KeyPath) -> str:
    """``("gates", "rules", 0, "metric")`` as ``gates.rules[0].metric``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'length'?``, or nothing where no known word is near."""
    from difflib import get_close_matches  # nobody whose YAML is right waits for it

    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[found[0]]!r}?" if found else ""
