"""The wait for a champion to grow old."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.base import LedgerStore
from airflow_mlops.core.causes import claim_id, claims_by_id
from airflow_mlops.core.model_age import age_cause
from airflow_mlops.core.windows import Period
from airflow_mlops.hooks.backends import connect_store
from airflow_mlops.triggers.events import LookingTrigger


class ModelAgeTrigger(LookingTrigger):
    """Looks at the ledger from the triggerer until the champion is older than it may be, and the consumer has
    not acted on that yet."""

    arguments = ("model", "age", "consumer", "poll_interval")

    def __init__(self, *, model: str, age: str, consumer: str, poll_interval: float) -> None:
        super().__init__()
        self.model = model
        self.age = age
        self.consumer = consumer
        self.poll_interval = poll_interval
        self._ledger: LedgerStore | None = None

    def _look(self) -> Mapping[str, Any] | None:
        self._ledger = self._ledger or connect_store().ledger
        entries = self._ledger.entries(self.model)
        found = age_cause(entries, Period.parse(self.age), datetime.now(timezone.utc))
        if found is None or claim_id(found, self.consumer) in claims_by_id(entries):
            return None
        return {"subject": found.subject}
