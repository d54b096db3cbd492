"""Files by what is in them. Paths are plain text here: every parse asks for some of each model."""

# ruff: noqa: PTH114, PTH118, PTH120

from __future__ import annotations

import hashlib
import os
import stat

MAX_BYTES = 1_048_576  # nothing larger is read as configuration
_UNKNOWN = "unknown"  # equals no hash, and no absence


class Fingerprints:
    """Fingerprints of files as they are now, each file read once: what many models lean on is the same to
    all of them."""

    def __init__(self) -> None:
        self._hashes: dict[str, str | None] = {}

    def fingerprint(self, folder: str, place: str) -> str | None:
        """Of the file at ``place``, relative to ``folder``, where the YAML that leans on it lies."""
        path = os.path.normpath(os.path.join(folder, place))
        if path not in self._hashes:
            self._hashes[path] = _hashed(path)
        return marked(self._hashes[path], folder, place)


def marked(told: str | None, folder: str, place: str) -> str | None:
    """A hash, and for a file that links lead to from elsewhere, where it lies: whether it may be read from
    ``folder`` is for the reader to say, and equal bytes in another place may be refused."""
    path = os.path.normpath(os.path.join(folder, place))
    if told is None or (os.sep not in place and not os.path.islink(path)):
        return told
    base = os.path.realpath(os.path.dirname(path) if place.startswith(os.pardir) else folder)
    real = os.path.realpath(path)
    return told if real.startswith(base + os.sep) else f"{told}@{os.path.relpath(real, base)}"


def _hashed(path: str) -> str | None:
    """sha256 of a file's bytes, None where there is no file."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return _UNKNOWN if os.path.lexists(path) else None  # a link to nothing is something: an error
    except OSError:
        return _UNKNOWN
    try:
        is_file = stat.S_ISREG(os.fstat(opened).st_mode)
        body = os.read(opened, MAX_BYTES + 1) if is_file else b""
    except OSError:
        return _UNKNOWN
    finally:
        os.close(opened)
    return hashlib.sha256(body).hexdigest() if is_file and len(body) <= MAX_BYTES else _UNKNOWN
