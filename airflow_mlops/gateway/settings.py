"""How one gateway process is set up: which model, where it listens, how much it may hold."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlops.exceptions import ConfigError


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How the inference log is written and how much it may hold.

    ``append_seconds`` and ``append_bytes``: how long a row stays in memory while the disk takes it.
    ``buffer_bytes``: what may wait in memory. ``segment_seconds`` and ``segment_bytes``: when a raw segment
    is closed, to be made Parquet by the next compaction, every ``compact_seconds`` (0: never by the server).
    ``budget_bytes``: what the whole log may hold on the server's disk; ``keep_days`` None keeps every day.
    ``location`` is the folder or bucket (``s3://...``) of the Parquet files, below which each model has a
    folder; None is ``inference`` in the store.
    """

    append_seconds: float = 0.2
    append_bytes: int = 256 * 1024
    buffer_bytes: int = 64 * 1024**2
    segment_seconds: float = 60.0
    segment_bytes: int = 32 * 1024**2
    compact_seconds: float = 60.0
    budget_bytes: int = 20 * 1024**3
    keep_days: int | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and key, and the authority that callers' certificates must be of (None: they
    need none). All are PEM files. Raises ``ConfigError`` for a file that is not there."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        for option, file in (("cert", self.cert), ("key", self.key), ("client-ca", self.client_ca)):
            if file is not None and not file.is_file():
                raise ConfigError(f"--tls-{option} {file} is not a file.")


@dataclass(frozen=True, slots=True)
class Settings:
    """One process serves one registered model.

    ``store`` is the folder that the inference log and the traffic state are kept in. ``key_column`` and
    ``time_column`` name optional fields of a row: the first makes the split sticky, the second is the
    row's own time (ISO 8601). ``trusted_types`` are those of the model's YAML, ``training.trusted_types``:
    the gateway never reads the YAML, nor believes the list inside a model file. In a canary the champion
    answers rows that the challenger has not answered after ``challenger_seconds``.

    With a ``version`` the process serves just that one: it follows no alias, has no admin routes but the
    smoke test, and several may share a store; then no token is needed, since there is no traffic to move.

    ``isolated`` gives each version a process of its own behind Envoy; the limits then hold for each process.

    ``max_memory_bytes`` None is nine tenths of what the container, or else the machine, has. Of the other
    limits each says what is refused with a 503: requests and bytes under way, open connections.

    Raises ``ConfigError`` for an address beyond loopback with neither a token nor callers' certificates.
    """

    model: str
    store: Path
    version: str | None = None
    isolated: bool = False
    tracking_uri: str | None = None
    tracking_token: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8800
    token: str | None = field(default=None, repr=False)
    key_column: str | None = None
    time_column: str | None = None
    trusted_types: tuple[str, ...] = ()
    poll_seconds: float = 2.0
    log: LogLimits = LogLimits()
    max_rows: int = 10_000
    max_body_bytes: int = 32 * 1024 * 1024
    body_seconds: float = 20.0
    max_in_flight: int = 1_000
    max_in_flight_bytes: int = 256 * 1024 * 1024
    max_connections: int = 4_096
    head_seconds: float = 20.0
    max_memory_bytes: int | None = None
    tls: Tls | None = None
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
        if self.version == "":
            raise ConfigError(
                "--version is empty; give a version's number, or leave it out to follow the alias."
            )
        if self.isolated and self.version is not None:
            raise ConfigError("--isolated runs a process per version; leave --version out.")
        known = self.token is not None or (self.tls is not None and self.tls.client_ca is not None)
        if not known and self.version is None and not _is_loopback(self.host):
            raise ConfigError(
                f"The gateway will not listen on {self.host} without a token: anybody who reaches it could "
                "move traffic. Give --token (or AIRFLOW_MLOPS_GATEWAY_TOKEN), --tls-client-ca, or "
                "--host 127.0.0.1."
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
