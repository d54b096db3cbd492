"""A file's bytes and its text, or the problem that it has as a whole."""

from __future__ import annotations

from pathlib import Path

from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.source import MAX_BYTES


def read_body(path: Path) -> bytes:
    """A file's bytes, as many as a YAML may have and one more. Raises ``InvalidConfig``."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte too many is enough to refuse it
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise whole_file(path, message, "check the path and its permissions") from error


def decoded(body: bytes, path: Path) -> str:
    """The text of a file's bytes, without a byte order mark. Raises ``InvalidConfig``."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        column = error.start - body.rfind(b"\n", 0, error.start)
        message = f"not UTF-8 (byte 0x{body[error.start]:02x})"
        problem = Problem(str(path), line, column, "", message, "save the file as UTF-8")
        raise InvalidConfig([problem]) from error


def whole_file(path: Path, message: str, hint: str) -> InvalidConfig:
    """The error of a file that has no line to point at."""
    return InvalidConfig([Problem(str(path), 0, 0, "", message, hint)])
