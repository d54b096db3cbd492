"""The ledgers of all models, for who asks again and again: each entry is read once, for it never changes."""

from __future__ import annotations

from collections import defaultdict

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.ledger_store import ObjectLedger
from airflow_mlops.core.ledger import Entry, in_order
from airflow_mlops.exceptions import MlopsError

_FOLDER = "ledger"


class LedgerReader(ObjectLedger):
    """Reads what is new since it was last asked. For one thread at a time."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store)
        self._known: dict[str, Entry] = {}

    def all_entries(self) -> dict[str, list[Entry] | MlopsError]:
        """Every model's entries, oldest first; the error instead where one of them cannot be read, so that it
        hides no other model's. Raises ``StoreUnavailable``."""
        keys: dict[str, list[str]] = defaultdict(list)
        for key in self._store.keys(_FOLDER):
            folder, _, name = key.rpartition("/")
            if name.endswith(".json"):
                keys[folder.removeprefix(f"{_FOLDER}/")].append(key)
        there = {key for of_model in keys.values() for key in of_model}
        self._known = {key: entry for key, entry in self._known.items() if key in there}
        return {model: self._of(of_model) for model, of_model in keys.items()}

    def _of(self, keys: list[str]) -> list[Entry] | MlopsError:
        try:
            return in_order(self._remembered(key) for key in keys)
        except MlopsError as error:
            return error

    def _remembered(self, key: str) -> Entry:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._read(key)
        return found
