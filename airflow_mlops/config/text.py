"""A file's bytes and its text, or the problem that it has as a whole."""

from __future__ import annotations

import codecs
from pathlib import Path

from airflow_mlops.config.problems import InvalidConfig, Problem

MAX_BYTES = 1_048_576


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
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidConfig([_not_utf8(path, body, error.start)]) from error


def _not_utf8(path: Path, body: bytes, at: int) -> Problem:
    """At the first byte that is none; the line is shown with a mark in its place."""
    line = body.count(b"\n", 0, at) + 1
    begin = body.rfind(b"\n", 0, at) + 1
    before = body[begin:at].decode()
    after = body[at:].partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
    message = f"not UTF-8 (byte 0x{body[at]:02x})"
    return Problem(str(path), line, len(before) + 1, "", message, "save the file as UTF-8", before + after)


def whole_file(path: Path, message: str, hint: str) -> InvalidConfig:
    """The error of a file that has no line to point at."""
    return InvalidConfig([Problem(str(path), 0, 0, "", message, hint)])
