"""What Airflow, as it is installed here, cannot do for a model, and which key asked for it."""

from __future__ import annotations

from airflow_mlops.config.problems import KeyPath
from airflow_mlops.exceptions import ConfigError


class NotHere(ConfigError):
    """Found while the DAGs are made. ``at`` is the key's path; who has read the file adds line and column."""

    def __init__(self, at: KeyPath, message: str, hint: str) -> None:
        super().__init__(f"{message}; {hint}")
        self.at = at
        self.message = message
        self.hint = hint
