"""A file's bytes and its text, or the problem that it has as a whole."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from pathlib import Path

from airflow_mlops.config.problems import InvalidConfig, Problem

MAX_BYTES = 1_048_576

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def read_body(path: Path, *, shown: Path | None = None) -> bytes:
    """A file's bytes, as many as a YAML may have and one more. Raises ``InvalidConfig``, in which the file is
    called ``shown``."""
    try:
        return regular_bytes(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        message = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise whole_file(shown or path, message, "check the path and its permissions") from error


def regular_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """At most so many bytes of a file, and one more. Raises ``OSError``, also for what is no plain file:
    a pipe would wait for its writer, a device may never end.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        mode = os.fstat(opened).st_mode
        if not stat.S_ISREG(mode):
            what = os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else "Not a plain file"
            raise OSError(errno.EISDIR, what)
        with os.fdopen(opened, "rb", closefd=False) as file:
            return file.read(most + 1)  # one byte too many is enough to refuse it
    finally:
        os.close(opened)


def decoded(body: bytes, path: Path) -> str:
    """The text of a file's bytes, without a byte order mark. Raises ``InvalidConfig``."""
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidConfig([_not_utf8(path, body, error.start)]) from error


def lines_of(text: str) -> tuple[str, ...]:
    """The lines that positions count, without their ends."""
    lines = _BREAK.split(text)
    return tuple(lines if lines[-1] else lines[:-1])


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character."""
    ends = [0, *(found.end() for found in _BREAK.finditer(text, 0, offset))]
    return len(ends), offset - ends[-1] + 1


def _not_utf8(path: Path, body: bytes, at: int) -> Problem:
    """At the first byte that is none; the line is shown with a mark in its place."""
    text = body.decode("utf-8", "replace")
    line, column = place_of(text, len(body[:at].decode()))
    message, snippet = f"not UTF-8 (byte 0x{body[at]:02x})", lines_of(text)[line - 1]
    return Problem(str(path), line, column, "", message, "save the file as UTF-8", snippet)


def whole_file(path: Path, message: str, hint: str) -> InvalidConfig:
    """The error of a file that has no line to point at."""
    return InvalidConfig([Problem(printable(path), 0, 0, "", message, hint)])


def printable(path: Path) -> str:
    """A path as text that every log, terminal and database takes: a file's name may be any bytes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()
