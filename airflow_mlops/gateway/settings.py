"""How one gateway process is set up: which model, where it listens, how much it may hold."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlops.exceptions import ConfigError


@dataclass(frozen=True, slots=True)
class Settings:
    """One process serves one registered model.

    ``store`` is the folder that the inference log and the traffic state are kept in. ``key_column`` and
    ``time_column`` name optional fields of a row: the first makes the split sticky, the second is the
    row's own time (ISO 8601). ``trusted_types`` are those of the model's YAML, ``training.trusted_types``:
    the gateway never reads the YAML, nor believes the list inside a model file. In a canary the champion
    answers rows that the challenger has not answered after ``challenger_seconds``.

    Raises ``ConfigError`` for an address beyond loopback without a token.
    """

    model: str
    store: Path
    tracking_uri: str | None = None
    tracking_token: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8800
    token: str | None = field(default=None, repr=False)
    key_column: str | None = None
    time_column: str | None = None
    trusted_types: tuple[str, ...] = ()
    poll_seconds: float = 2.0
    flush_seconds: float = 1.0
    flush_rows: int = 5_000
    log_buffer_rows: int = 100_000
    max_rows: int = 10_000
    max_body_bytes: int = 32 * 1024 * 1024
    body_seconds: float = 20.0
    max_in_flight: int = 1_000
    challenger_seconds: float = 10.0
    shadow_buffer_rows: int = 20_000
    threads: int = 4

    def __post_init__(self) -> None:
        if not self.model or "/" in self.model or self.model.startswith("."):
            raise ConfigError(f"{self.model!r} is not a model name: it becomes a folder below the store.")
        if self.token == "":
            raise ConfigError("The gateway's token is empty. Give a real one, or none on a loopback address.")
        if self.token is not None and not all("!" <= sign <= "~" for sign in self.token):
            raise ConfigError("The gateway's token may hold visible ASCII characters only, and no space.")
        if self.token is None and not _is_loopback(self.host):
            raise ConfigError(
                f"The gateway will not listen on {self.host} without a token: anybody who reaches it could "
                "move traffic. Give --token (or AIRFLOW_MLOPS_GATEWAY_TOKEN), or --host 127.0.0.1."
            )
        if self.key_column is not None and self.key_column == self.time_column:
            raise ConfigError(f"{self.key_column!r} cannot be both the key column and the time column.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
