"""A file gets new content at once: whoever reads it meanwhile sees the old or the new, never a half."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from airflow_mlops.config.problems import InvalidConfig, Problem


def overwrite(path: Path, body: bytes, folder: Path) -> None:
    """Replace what a file holds, and keep its mode and, where we may, its owner. A link is followed, but not
    out of ``folder``. Raises ``InvalidConfig``; the file is then what it was.
    """
    target = path.resolve()
    if path.is_symlink() and not target.is_relative_to(folder.resolve()):
        message = f"a link to {target}, outside of {folder}; nothing was written"
        raise InvalidConfig([Problem(str(path), 0, 0, "", message, "name the file itself")])
    try:
        _replace(target, body)
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        hint = "check the permissions of the file and its folder"
        raise InvalidConfig([Problem(str(path), 0, 0, "", message, hint)]) from error


def _replace(target: Path, body: bytes) -> None:
    was = target.stat()
    # Replacing asks only the folder, and root may do all: a read-only file would not be spared.
    if not was.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise PermissionError(None, "the file is read-only")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(PermissionError):  # only root gives files away
                os.chown(name, was.st_uid, was.st_gid)
        Path(name).chmod(was.st_mode & 0o7777)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
