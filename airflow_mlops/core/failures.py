"""Why a task failed: data, code, infrastructure or quota, what to do next, and what makes two failures one.

It is decided by the names of the exceptions, from the outermost to the first cause, and by words that
programs say where something is used up. Only the messages of our own errors are kept: they name no values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from airflow_mlops.core.identity import content_hash

FailureCause = Literal["data", "code", "infrastructure", "quota"]


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain. ``names`` are its class and those that it derives from, nearest first;
    ``is_ours`` says that its message names no values of rows."""

    names: tuple[str, ...]
    message: str
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """``error`` is the class that decided; ``fingerprint`` is equal for failures that differ in numbers,
    paths, times and quoted words only."""

    step: str
    cause: FailureCause
    error: str
    next_step: str
    fingerprint: str
    said: str = ""

    def __str__(self) -> str:
        return f"Cause: {self.cause} ({self.error}). Next: {self.next_step}"


def failure_of(step: str, chain: Sequence[Raised]) -> Failure:
    """``chain`` has the outermost exception first; there is at least one."""
    deciding, cause = _deciding(chain)
    error = deciding.names[0]
    next_step = next((_NEXT[name] for name in deciding.names if name in _NEXT), _NEXT[cause])
    told = next((one.message for one in chain if one.is_ours), "")
    return Failure(
        step=step,
        cause=cause,
        error=error,
        next_step=_NEXT["quota"] if cause == "quota" else next_step,
        fingerprint=content_hash([step, cause, error, _without_accidents(told or deciding.message)])[:16],
        said=_without_quotes(chain).partition("\n")[0][:500],
    )


def is_away(error: BaseException) -> bool:
    """Whether by its class a service or machine is to blame, so that a retry can help."""
    causes = (_CAUSES.get(kind.__name__) for kind in type(error).__mro__)
    return next((cause for cause in causes if cause is not None), "code") == "infrastructure"


def _without_quotes(chain: Sequence[Raised]) -> str:
    """Our message without what it quotes of the libraries' or the user's own, which may name values."""
    for place, one in enumerate(chain):
        if one.is_ours:
            said = one.message
            for quoted in chain[place + 1 :]:
                if quoted.message and not quoted.is_ours:
                    said = said.replace(f": {quoted.message}", "").replace(quoted.message, "...")
            return said
    return ""


def _deciding(chain: Sequence[Raised]) -> tuple[Raised, FailureCause]:
    """What is used up is found anywhere in the chain; else the outermost exception that is known decides, and
    what nobody knows was raised by code."""
    for one in chain:
        if any(name in _USED_UP for name in one.names) or _USED_UP_WORDS.search(one.message):
            return one, "quota"
    for one in chain:
        for name in one.names:
            if (cause := _CAUSES.get(name)) is not None:
                return one, cause
    return chain[-1], "code"


def _without_accidents(message: str) -> str:
    """A message without what differs from run to run."""
    for pattern, instead in _ACCIDENTS:
        message = pattern.sub(instead, message)
    return message[:2_000]


_CAUSES: Mapping[str, FailureCause] = MappingProxyType(
    {
        "DataRefused": "data",
        "PreflightFailed": "code",
        "TrainingFailed": "code",
        "ModelRefused": "code",
        "RolloutRefused": "code",
        "ConfigError": "code",
        "ConfigChanged": "code",
        "BundleRefused": "code",
        "ValidationError": "code",
        "ImportError": "code",
        "FileNotFoundError": "code",
        "FileExistsError": "code",
        "IsADirectoryError": "code",
        "NotADirectoryError": "code",
        "LedgerDamaged": "infrastructure",
        "MissingExtra": "infrastructure",
        "BackendUnavailable": "infrastructure",
        "TrackingRefused": "infrastructure",
        "AirflowTaskTimeout": "infrastructure",
        "AirflowTaskTerminated": "infrastructure",
        "TaskKilled": "infrastructure",
        "AirflowRuntimeError": "infrastructure",  # what Airflow's API server answers to a task
        "AirflowNotFoundException": "infrastructure",
        "TransportError": "infrastructure",
        "RequestException": "infrastructure",
        "OperationalError": "infrastructure",
        "ConnectionError": "infrastructure",
        "TimeoutError": "infrastructure",
        "OSError": "infrastructure",
    }
)
_USED_UP = frozenset({"MemoryError", "ResourceExhausted", "LimitExceededException", "ThrottlingException"})
_USED_UP_WORDS = re.compile(
    r"no space left|disk quota|\benospc\b|\bedquot\b|out of memory|\boomkilled\b|cannot allocate memory"
    r"|quota exceeded|exceeded quota|exceeded your .{0,40}quota|resourcelimitexceeded|too many requests"
    r"|rate exceeded|\bthrottl|limit ?exceeded",
    re.IGNORECASE,
)
_NEXT: Mapping[str, str] = MappingProxyType(
    {
        "data": "mend the data where they are made, then clear the run from its snapshot.",
        "code": "read the end of the task's log, mend the code or the YAML, deploy it, and clear the task.",
        "infrastructure": "see that the service or machine is back, then clear the task.",
        "quota": "make room or raise the limit (disk, memory, requests), then clear the task.",
        "ConfigChanged": "start a new run: the YAML changed under this one.",
        "ConfigError": "correct the YAML or the connection that the message names, then clear the task.",
        "MissingExtra": "install what the message names where the task runs, then clear the task.",
        "TrackingRefused": "correct the access that the message names (the connection's password, a right).",
        "ModelRefused": "see what the message says of the version; train a new one if it cannot be mended.",
        "RolloutRefused": "look at the state of the rollout in the history, then start a new deploy run.",
        "LedgerDamaged": "restore the file that the message names, or move it away, then clear the task.",
        "TaskKilled": "see whether it ran out of memory; give it more, or fewer rows, and clear the task.",
        "AirflowTaskTimeout": "give execution.timeout more time, or the task fewer rows.",
    }
)
_ACCIDENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+-]*:?/[^\s'\"]*"), "<place>"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<word>"),
    (re.compile(r"\b\d[\d:.,TZ+e-]*(?!\w)"), "<number>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+"), "<number>"),
)
