"""What may be told of an error that a library or the user's code raised while it had rows before it."""

from __future__ import annotations

import re
from pathlib import PurePath


def raised(error: BaseException) -> str:
    """Its class and the line that raised it. What it says is left out, for it may quote a row ("could not
    convert string to float: 'Jane Doe'"), and our messages travel to XCom, the ledger and alerts; it is kept
    where it is about a call or its parameters alone, and where we know which part of it is the row's."""
    kind = type(error).__name__
    if (told := without_rows(kind, str(error))) is not None:
        return told
    trace = error.__traceback__
    if trace is None:
        return kind
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{kind} (at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"


def without_rows(kind: str, said: str) -> str | None:
    """What an error of a class says, where we know which part of it is not of a row; None where we do not."""
    if kind in _OF_CODE or (kind == "TypeError" and _OF_A_CALL.match(said)):
        return f"{kind}: {said}"
    kept = known_words(said)
    return None if kept is None else f"{kind}: {kept}"


def known_words(said: str) -> str | None:
    """The part of a message that is not of a row, wherever in it that begins; None where nobody knows."""
    found = (shape.search(said) for shape in _WITHOUT_ROWS)
    return next(("".join(one.groups()) for one in found if one is not None), None)


_OF_CODE = frozenset({"InvalidParameterError", "ModuleNotFoundError", "NameError", "UnboundLocalError"})
"""Classes whose words are about parameters and names alone."""

_OF_A_CALL = re.compile(
    r"[\w.<>]+\(\) (got an unexpected keyword argument '\w+'|missing \d+ required|takes \d+ positional)"
)
"""As Python says it of a function that is called otherwise than it is written."""

_WITHOUT_ROWS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"(Found unknown categories )\[.*\] (in column \d+ during \w+)$",
        r"(could not convert string to float)",
        r"(Input \w+ contains (?:NaN|infinity))",
        r"(X has \d+ features, but \w+ is expecting \d+ features as input)",
        r"(The feature names should match those that were passed during fit)",
        r"(y contains previously unseen labels)",
        r"(Model is missing inputs \[[^\]]*\])",
        r"(n_splits=\d+ cannot be greater than the number of (?:members in each class|samples))",
        r"(Cannot have number of splits n_splits=\d+ greater than the number of \w+: (?:n_samples=)?\d+)",
        r"(Parquet magic bytes not found in footer)",
    )
)
"""What libraries say of rows most often; what is outside of the groups may be of a row."""
