"""Values as a broken feed may hand them over: numbers as text, words for nothing, odd letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Number
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NOTHING = frozenset({"", "null", "none", "nan", "nat", "n/a", "na", "#n/a", "<na>", "undefined", "-", "?"})
"""Words for a missing value, without case. Where one is a real category it counts as missing before and
after, and so as nothing new."""
_COMMA = re.compile(r"[+-]?\d{1,3}(\.?\d{3})*,\d+|[+-]?\d+,\d+")
_BROKEN = re.compile(
    "\ufffd|\x00|\u00ef\u00bb\u00bf"  # the replacement character, a null byte, a byte-order mark as letters
    # UTF-8 read as Latin
    "|[\u00c2-\u00c3\u00c5][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u2018-\u2022\u20ac]"
    "|\u00e2\u20ac|[^\\W\\d_]\\?[^\\W\\d_]"  # a quotation mark read so, a question mark within a word
)
_ZEROS = re.compile(r"^0+(?=\d)")


@dataclass(frozen=True, slots=True)
class Read:
    """A column's values. ``numbers`` are the finite ones, ``texts`` counts the others by themselves;
    ``hashes`` has one number for each row, equal for equal values."""

    nulls: NDArray[np.bool_]
    hashes: NDArray[np.uint64]
    numbers: Any = None
    texts: Mapping[str, int] = field(default_factory=dict)
    as_text: int = 0
    commas: int = 0


def read_numbers(column: pd.Series) -> Read:
    """A numeric column; what came as text is read as a number where it is one, and what is neither (a time, a
    list) counts as text."""
    import numpy as np
    import pandas as pd

    as_text = commas = 0
    if getattr(column.dtype, "kind", "O") not in "biuf":
        column = column.astype(object)
        texts = column.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
        words = column[texts].map(str.strip)
        is_nothing = words.map(str.casefold).isin(NOTHING)
        commas = int(words[~is_nothing].map(lambda word: bool(_COMMA.fullmatch(word))).sum())
        missing = column.isna().to_numpy().copy()
        missing[texts] = is_nothing.to_numpy()
        others = ~texts & ~missing & ~column.map(_is_number).to_numpy(dtype=bool)
        as_text = int((~is_nothing).sum() + others.sum())
        values = pd.to_numeric(column.mask(others), errors="coerce").astype("float64").to_numpy(copy=True)
    else:
        values = column.astype("float64").to_numpy(na_value=np.nan)
        missing = ~np.isfinite(values)
    finite = values[np.isfinite(values)]
    hashes = np.where(np.isfinite(values), values + 0.0, np.nan).view(np.uint64)
    return Read(missing, hashes, numbers=finite, as_text=as_text, commas=commas)


def _is_number(value: object) -> bool:
    return isinstance(value, Number)


def read_texts(column: pd.Series) -> Read:
    """A column of categories or prose. Whole numbers are written without a point, as the steps do it."""
    import numpy as np
    import pandas as pd

    codes, names = pd.factorize(column)
    spelled = _spelled(names)
    nothing = np.array([name.strip().casefold() in NOTHING for name in spelled], dtype=bool)
    missing = codes < 0
    if len(spelled):
        missing = missing | nothing[np.maximum(codes, 0)] & (codes >= 0)
    counts = np.bincount(codes[codes >= 0], minlength=len(spelled))
    texts = {
        name: int(count)
        for name, count, none in zip(spelled, counts, nothing, strict=True)
        if count and not none
    }
    of_names = pd.util.hash_array(np.array([*spelled, ""], dtype=object), categorize=False)
    return Read(missing, of_names[np.where(missing, len(spelled), codes)], texts=texts)


def spelled_alike(text: str) -> str:
    """One spelling for all of a word: without case, outer spaces, leading zeros, a trailing ``.0``."""
    folded = " ".join(text.casefold().split()).removesuffix(".0")
    return _ZEROS.sub("", folded, count=1) if folded[:1] == "0" else folded


def is_broken(text: str) -> bool:
    """Whether it shows the marks of a wrong encoding."""
    return (not text.isascii() or "?" in text or "\0" in text) and bool(_BROKEN.search(text))


def _spelled(names: Any) -> list[str]:
    kind = getattr(getattr(names, "dtype", None), "kind", "O")
    values = list(names)
    if kind in "iu" or (kind == "f" and all(float(value).is_integer() for value in values)):
        return [f"{value:.0f}" for value in values]
    return [str(value) for value in values]
