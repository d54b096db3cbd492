"""The ledger as one JSON object per entry, below ``ledger/<model>/`` in the object store."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.core.ledger import Entry, EntryKind, in_order
from airflow_mlops.exceptions import LedgerDamaged


class ObjectLedger:
    """Entries are written once and never changed: the first one to hold an id keeps it.

    Numbers that JSON does not know (NaN, infinity) in ``Entry.data`` are kept as null. Who looks often keeps
    one ledger: it reads each entry once, and after that only what is new.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, Entry] = {}

    def append(self, entry: Entry) -> Entry:
        """Record an entry; the entry that holds this id.

        On a retry that is what the first try wrote, and for a claim (``*_taken``) it may be another
        run's: compare ``run_id`` to know who won.
        """
        key = _key(entry.model, entry.id)
        if self._store.put_new(key, _adapter().dump_json(entry, indent=2)):
            return entry
        return self._read(key)

    def entries(self, model: str, kinds: Collection[EntryKind] | None = None) -> list[Entry]:
        """Every entry of a model, oldest first; of one moment, an intent before what became of it. With
        ``kinds`` only those are read: a ledger of years has ten thousand entries, a question needs a few."""
        keys = [key for key in self._store.keys(f"ledger/{model}") if key.endswith(".json")]
        if kinds is not None:
            keys = [key for key in keys if _kind(key) in {*kinds, ""}]
        for key in keys:
            if key not in self._known:
                self._known[key] = self._read(key)
        return in_order(self._known[key] for key in keys)

    def _read(self, key: str) -> Entry:
        body = self._store.get(key)
        try:
            return _adapter().validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise LedgerDamaged(
                f"{self._store.uri(key)} is not a ledger entry: {where}: {first['msg']}. "
                "Entries are never edited: restore the file from a backup, or move it out of the ledger "
                "if the decision in it may be forgotten."
            ) from error


def _key(model: str, entry_id: str) -> str:
    return f"ledger/{model}/{entry_id}.json"


def _kind(key: str) -> str:
    """By the entry's id, which begins with it; empty for a file that is none, which is read, and complained
    of."""
    return key.rpartition("/")[2].rpartition("-")[0]


@cache
def _adapter() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)
