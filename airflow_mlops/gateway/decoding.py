"""The quick way from bytes to rows: msgspec checks types in C while it parses.

It only ever accepts. What it refuses is read again by ``validation``, which takes some bodies that this does
not (a byte-order mark) and names every problem with row and field.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from airflow_mlops.core.request_rows import row_keys
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.gateway.rows import Rows, Signature, Source
from airflow_mlops.gateway.validation import checked_rows, is_moment

_TYPES: dict[ColumnKind, Any] = {
    "numeric": float | bool | None,
    "categorical": str | int | bool | None,
    "text": str | None,
}


class PredictDecoder:
    """Reads bodies of ``/predict`` for one signature, which is compiled once."""

    def __init__(self, signature: Signature, *, max_rows: int) -> None:
        self.signature = signature
        self._max_rows = max_rows
        self._decode = _decoder(signature)
        self._features = _values_of([f"f{place}" for place in range(len(signature.columns))])
        self._texts = [place for place, kind in enumerate(signature.columns.values()) if kind == "text"]

    def rows(self, body: bytes, key_base: str) -> Rows:
        """Checked rows. Raises ``InvalidRequest``."""
        source = Source(body, "predict", self.signature, key_base)
        rows = self._quickly(source)
        if rows is None:
            return checked_rows(body, "predict", self.signature, max_rows=self._max_rows, key_base=key_base)
        return rows

    def _quickly(self, source: Source) -> Rows | None:
        if self._decode is None:
            return None
        try:
            # Every error of msgspec's is a ValueError, and so is that of bytes that are not UTF-8.
            found = self._decode(source.body).rows
        except (ValueError, RecursionError):
            return None
        if not 0 < len(found) <= self._max_rows:
            return None
        keys = [None] * len(found)
        if self.signature.key_column is not None:
            keys = [row.key for row in found]
            if "" in keys:
                return None
        if self.signature.time_column is not None:
            times = (row.time for row in found)
            if not all(time is None or is_moment(time) for time in times):
                return None
        values = list(map(self._features, found))
        if self._texts:
            values = [self._without_missing_texts(row) for row in values]
        return Rows(row_keys(keys, source.key_base), values, source)

    def _without_missing_texts(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        filled = list(row)
        for place in self._texts:
            if filled[place] is None:
                filled[place] = ""
        return tuple(filled)


def _decoder(signature: Signature) -> Callable[[bytes], Any] | None:
    """None where key or time are features themselves: they would have two types."""
    names = list(signature.columns)
    extra = {"key": signature.key_column, "time": signature.time_column}
    if set(names) & {*extra.values()}:
        return None
    fields: list[Any] = [(f"f{place}", _TYPES[kind]) for place, kind in enumerate(signature.columns.values())]
    renamed = {f"f{place}": name for place, name in enumerate(names)}
    for field, kind in (("key", str | int | None), ("time", str | None)):
        name = extra[field]
        if name is not None:
            fields.append((field, kind, None))
            renamed[field] = name
    row = msgspec.defstruct("Row", fields, rename=renamed, forbid_unknown_fields=True, gc=False)
    body = msgspec.defstruct("Body", [("rows", list[row])], forbid_unknown_fields=True, gc=False)  # type: ignore[valid-type]
    return msgspec.json.Decoder(body).decode


def _values_of(fields: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    pick = attrgetter(*fields)
    return pick if len(fields) > 1 else lambda row: (pick(row),)
