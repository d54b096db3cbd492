"""Business metrics of a rollout: what a query may ask for by name, and what its numbers mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil

from airflow_mlops.core.values import Rollout, Verdict

PLACEHOLDERS: Mapping[str, str] = {
    "model": "the model's name",
    "champion": "the champion's version",
    "challenger": "the challenger's version",
    "rollout": "the rollout's id",
    "started": "when the stage began, in Unix seconds",
    "elapsed": "how long the stage has lasted, as a duration: 5400s",
}
"""What may stand in a query after a ``$``. ``$$`` is a plain dollar sign."""

_REFERENCE = re.compile(r"\$(\$|[A-Za-z_]\w*)")


def unknown_placeholders(query: str) -> list[str]:
    """The names after a ``$`` that are no placeholders, each once."""
    return list(dict.fromkeys(name for name in _named(query) if name not in PLACEHOLDERS))


def filled(query: str, rollout: Rollout, *, since: datetime, now: datetime) -> str:
    """The query with its placeholders filled in. Values are escaped as inside quotes, for versions are the
    registry's text and not ours. A duration is a second at least: PromQL knows no shorter range here."""
    champion = rollout.champion.version if rollout.champion else ""
    values = {
        "model": rollout.candidate.name,
        "champion": champion,
        "challenger": rollout.candidate.version,
        "rollout": rollout.id,
        "started": f"{since.astimezone(timezone.utc).timestamp():.3f}",
        "elapsed": f"{max(1, ceil((now - since).total_seconds()))}s",
    }

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name == "$" else _escaped(values[name])

    return _REFERENCE.sub(value, query)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a business metric may be; so many looks in a row beyond it (``breaches``) fail the stage."""

    name: str
    minimum: float | None = None
    maximum: float | None = None
    breaches: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric's latest number and the number of looks in a row, this one included, that were beyond its
    bounds; ``problem`` says why there is no number."""

    name: str
    at: datetime
    value: float | None = None
    beyond: int = 0
    problem: str | None = None


def read(bounds: Bounds, value: float, before: Reading | None, at: datetime) -> Reading:
    """A new number after an earlier reading. A look without one between two neither counts nor resets."""
    beyond = before.beyond if before is not None else 0
    return Reading(bounds.name, at, value, beyond + 1 if _is_beyond(bounds, value) else 0)


def unread(bounds: Bounds, problem: str, before: Reading | None, at: datetime) -> Reading:
    """No number this time."""
    return Reading(bounds.name, at, None, before.beyond if before is not None else 0, problem)


def judge_reading(bounds: Bounds, reading: Reading) -> Verdict:
    """Within its bounds a metric passes; beyond them it holds, and so many looks in a row fail. Plain
    thresholds: how noisy the number is nobody here knows, so a single look decides nothing against it."""
    if reading.value is None:
        return Verdict("inconclusive", (f"{bounds.name} could not be measured: {reading.problem}",))
    fact = f"{bounds.name} is {reading.value:.4g}"
    if not reading.beyond:
        return Verdict("pass", (f"{fact}, within {_in_words(bounds)}",))
    if reading.beyond < bounds.breaches:
        looks = f"{reading.beyond} of {bounds.breaches} looks in a row"
        return Verdict("inconclusive", (f"{fact}, beyond {_in_words(bounds)} ({looks})",))
    looks = f" at {reading.beyond} looks in a row" if bounds.breaches > 1 else ""
    return Verdict("fail", (f"{fact}, beyond {_in_words(bounds)}{looks}",))


def _is_beyond(bounds: Bounds, value: float) -> bool:
    below = bounds.minimum is not None and value < bounds.minimum
    return below or (bounds.maximum is not None and value > bounds.maximum)


def _in_words(bounds: Bounds) -> str:
    if bounds.minimum is None:
        return f"the maximum {bounds.maximum:g}"
    if bounds.maximum is None:
        return f"the minimum {bounds.minimum:g}"
    return f"{bounds.minimum:g} to {bounds.maximum:g}"


def _named(query: str) -> Iterator[str]:
    return (match[1] for match in _REFERENCE.finditer(query) if match[1] != "$")


def _escaped(text: str) -> str:
    """As PromQL reads it in quotes of either kind, which know Go's escapes by number."""
    return "".join(f"\\x{ord(sign):02x}" if sign in "\"'`\\\n" else sign for sign in text)
