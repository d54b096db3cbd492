"""What a bare word in YAML means: YAML 1.2's core schema, and the words older readers take otherwise."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Trap:
    """A word that two YAML readers would read as two things."""

    message: str
    hint: str


_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,39})")
_LONGEST = 100
_NUMERALS = re.compile(r"[-+]?[0-9.][-+0-9._:eE]*")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")

_TRUE_OR_FALSE = (
    "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N",
)  # fmt: skip

_QUOTE = "quote it if text is meant"
_TRAPS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile("|".join(_TRUE_OR_FALSE)),
        "{} is true or false to some YAML readers and text to others",
        f"write true or false, or {_QUOTE}",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        "{} is a number in base 60 to some YAML readers",
        _QUOTE,
    ),
    (
        re.compile(r"[-+]?0[0-9_]+"),
        "{} has a leading zero: an octal number to some YAML readers",
        f"leave the zero out, or {_QUOTE}",
    ),
    (
        re.compile(r"[-+]?0(x[0-9a-fA-F_]+|o[0-7_]+|b[01_]+)"),
        "{} is a number only to some YAML readers",
        f"write it in base 10, or {_QUOTE}",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"),
        "{} is a number only to some YAML readers",
        f"leave the underscores out, or {_QUOTE}",
    ),
    (
        re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
        "{} is not a number that JSON can hold",
        f"give a finite number, or {_QUOTE}",
    ),
    (re.compile(r"<<"), "{} is a merge key, which is not read", "write the keys out"),
)


# The words that begin with a letter and are not the text they look like. Whatever else is no text begins
# with a digit, a sign, a point, ~ or <, or is empty.
SPECIAL = frozenset(_WORDS) | frozenset(_TRUE_OR_FALSE)


def resolve(text: str) -> Scalar | Trap:
    """An unquoted scalar's value. Dates stay text: which of them are moments is for the models to say."""
    if text[:1].isalpha() and text not in SPECIAL:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST:
        # The patterns below may take the square of a text's length; no number is as long as this.
        return Trap("is too long for a number", _QUOTE) if _NUMERALS.fullmatch(text) else text
    return _short(text)


@lru_cache(maxsize=4096)  # the same numbers and dates stand in many files
def _short(text: str) -> Scalar | Trap:
    for pattern, message, hint in _TRAPS:
        if pattern.fullmatch(text):
            return Trap(message.format(repr(text)), hint)
    if _INT.fullmatch(text):
        return int(text)
    if text.lstrip("+-").isdigit() and text.isascii():
        return Trap(f"{text!r} is too large a number", _QUOTE)  # a float would not be this number
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else Trap(f"{text!r} is too large a number", _QUOTE)
    return text
