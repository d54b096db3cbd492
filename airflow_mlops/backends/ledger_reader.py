"""The ledgers of all models, for who asks again and again: each entry is read once, for it never changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.ledger_store import ObjectLedger
from airflow_mlops.core.ledger import Entry, in_order
from airflow_mlops.exceptions import MlopsError

_FOLDER = "ledger"


class LedgerReader(ObjectLedger):
    """Lists the store each time, and reads what is new. For one thread at a time."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store)
        self._whole: dict[str, tuple[list[str], Sequence[Entry]]] = {}

    def all_entries(self) -> dict[str, Sequence[Entry] | MlopsError]:
        """Every model's entries, oldest first: the same object as before where nothing came or went, so that
        what was made of it may be kept. The error instead where one of them cannot be read, so that it hides
        no other model's. Raises ``StoreUnavailable``."""
        keys: dict[str, list[str]] = defaultdict(list)
        for key in self._store.keys(_FOLDER):
            folder, _, name = key.rpartition("/")
            if name.endswith(".json"):
                keys[folder.removeprefix(f"{_FOLDER}/")].append(key)
        for model in self._whole.keys() - keys.keys():
            self._forget(model, ())
        return {model: self._of(model, of_model) for model, of_model in keys.items()}

    def _of(self, model: str, keys: list[str]) -> Sequence[Entry] | MlopsError:
        if model in self._whole and self._whole[model][0] == keys:
            return self._whole[model][1]
        self._forget(model, keys)
        try:
            entries = in_order(self._remembered(key) for key in keys)
        except MlopsError as error:
            return error
        self._whole[model] = keys, entries
        return entries

    def _forget(self, model: str, there: Sequence[str]) -> None:
        """What an operator has moved out of the ledger since it was last read."""
        before, _ = self._whole.pop(model, ((), ()))
        for key in {*before}.difference(there):
            self._known.pop(key, None)

    def _remembered(self, key: str) -> Entry:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._read(key)
        return found
