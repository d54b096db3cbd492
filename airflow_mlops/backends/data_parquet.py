"""Rows from Parquet files: one file, a folder, or a glob."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.parquet_chunks import window_chunks
from airflow_mlops.backends.parquet_files import empty_frame, read_window
from airflow_mlops.backends.row_window import rows_in_window
from airflow_mlops.core.windows import Period, Window

if TYPE_CHECKING:
    import pandas as pd

_WILD = re.compile(r"[*?\[]")


class ParquetSource:
    """An absolute path is looked up on this machine, a relative one inside the store.

    ``*`` stops at ``/``, ``**/`` crosses folders; a folder stands for every ``.parquet`` file below it.
    Names that start with ``.`` or ``_`` are left out: they are being written, or are no data.
    """

    def __init__(self, path: str, store: ObjectStore) -> None:
        self._path = path
        self._store = store

    def read(self, window: Window, *, time_column: str, columns: Sequence[str]) -> pd.DataFrame:
        """Rows of the window; an empty frame where no file is there yet (labels land late).
        Raises ``DataRefused`` that names the file or the column at fault."""
        files = self._files()
        if not files:
            return empty_frame(time_column, columns)
        frame = read_window(files, window, time_column=time_column, columns=columns, origin=self._path)
        return rows_in_window(frame, window, time_column=time_column, columns=columns, origin=self._path)

    def read_chunks(
        self,
        window: Window,
        *,
        time_column: str,
        columns: Sequence[str],
        rows: int,
        period: Period | None = None,  # noqa: ARG002 (row groups are pieces enough)
    ) -> Iterator[pd.DataFrame]:
        """Rows of the window, piece by piece; each piece by time. Raises what ``read`` raises."""
        files = self._files()
        if not files:
            yield empty_frame(time_column, columns)
            return
        given = {"time_column": time_column, "origin": self._path}
        for frame in window_chunks(files, window, columns=columns, rows=rows, **given):
            yield rows_in_window(frame, window, columns=columns, **given)

    def _files(self) -> list[Path]:
        if Path(self._path).is_absolute():
            return _local_files(self._path)
        folder = "/".join(_fixed_parts(self._path))
        if folder == self._path:
            keys = _stored_file(self._store, folder) or self._store.keys(folder)
            found = [key for key in keys if key == folder or key.endswith(".parquet")]
        else:
            pattern = re.compile(_as_regex(self._path))
            found = [key for key in self._store.keys(folder) if pattern.fullmatch(key)]
        return [self._store.local_path(key) for key in found if is_data(key)]


def is_data(path: str) -> bool:
    """No part of the path starts with ``.`` or ``_``, the marks of files that are being written."""
    return not any(part.startswith((".", "_")) for part in path.split("/"))


def _local_files(path: str) -> list[Path]:
    if Path(path).is_dir():
        path = f"{glob.escape(path)}/**/*.parquet"
    fixed = len(_fixed_parts(path))
    found = (Path(name) for name in glob.iglob(path, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute)
    return sorted(file for file in found if file.is_file() and is_data(_chosen_part(file, fixed)))


def _chosen_part(file: Path, fixed: int) -> str:
    """What the pattern was free to choose: a folder that the user spelled out may well be ``_raw``."""
    parts = file.as_posix().split("/")
    return "/".join(parts[min(fixed, len(parts) - 1) :])


def _stored_file(store: ObjectStore, key: str) -> list[str]:
    try:
        store.local_path(key)
    except KeyError:
        return []
    return [key]


def _fixed_parts(path: str) -> list[str]:
    """The leading parts of a path that hold no wildcard."""
    parts = path.split("/")
    wild = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return parts[:wild]


def _as_regex(pattern: str) -> str:
    """``fnmatch`` lets ``*`` cross folders and ``glob.translate`` is there from Python 3.13 on only."""
    tokens = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}

    def translated(match: re.Match[str]) -> str:
        token = match[0]
        if len(token) > 1 and token[0] == "[":
            body = token[1:-1].replace("\\", r"\\")
            return f"[^{body[1:]}]" if body[0] == "!" else f"[{body}]"
        return tokens.get(token) or re.escape(token)

    return re.sub(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]|.", translated, pattern)
