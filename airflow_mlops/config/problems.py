"""What is wrong in a file, where, and the next thing to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from airflow_mlops.exceptions import ConfigError

KeyPath = tuple[str | int, ...]

# A file with more is no file with mistakes: it is another kind of file, or made to keep its reader busy.
MAX_PROBLEMS = 100
_SHOWN_COLUMNS = 160
_LONGEST_WORD = 100
_MOST_WORDS = 1_000


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
        snippet, column = self._excerpt()
        # A tab is as wide as the terminal likes: repeat it, so that the caret stays below its character.
        lead = "".join("\t" if char == "\t" else " " for char in snippet[: column - 1])
        return f"{head}\n{self.line:>6} | {snippet}\n{'':>6} | {lead}^"

    def _excerpt(self) -> tuple[str, int]:
        """The part of the line around the column: a file may be one line of a megabyte."""
        if len(self.snippet) <= _SHOWN_COLUMNS:
            return self.snippet, self.column
        start = max(0, self.column - 1 - _SHOWN_COLUMNS // 2)
        lead = "…" if start else ""
        return f"{lead}{self.snippet[start : start + _SHOWN_COLUMNS]}…", self.column - start + len(lead)


class InvalidConfig(ConfigError):
    """All problems of one file, sorted by position; of very many the first, and one that says so."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = sorted(problems, key=lambda found: (found.line, found.column, found.key))
        self.problems = (*found[:MAX_PROBLEMS], *map(_and_more, found[MAX_PROBLEMS:][:1]))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def clipped(text: str, length: int) -> str:
    """At most so much of a text: what stands in a file may be a megabyte."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


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

    if len(word) > _LONGEST_WORD:
        return ""
    by_lower = {name.lower(): name for name in islice(known, _MOST_WORDS)}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[found[0]]!r}?" if found else ""


def _and_more(first: Problem) -> Problem:
    message = f"more than {MAX_PROBLEMS} problems; here and below are the others"
    return Problem(first.path, first.line, first.column, "", message, "mend those above first", first.snippet)
