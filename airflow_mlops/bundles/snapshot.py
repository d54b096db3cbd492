"""A snapshot: a folder's files at one moment, named by the hash of what is in them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LOADER_NAME = "mlops_loader.py"
LOADER = """\
from airflow_mlops.factory import load_dags  # each model's YAML becomes its Airflow DAGs

load_dags(globals())
"""

_LOADS = re.compile(rb"^[^#\n]*\bload_dags\(", re.MULTILINE)
# Airflow parses a file again at once if it is newer than the end of its last parse. One that is under way
# when the folder changes still reads the old snapshot, and would otherwise put the new one off by
# [dag_processor] min_file_process_interval.
_AHEAD_SECONDS = 3.0
_FORGOTTEN_SECONDS = 3600.0


@dataclass(frozen=True)
class Snapshot:
    """Files by their name below the folder."""

    files: Mapping[str, bytes]

    @cached_property
    def version(self) -> str:
        """The sha256 of names and contents, in hexadecimal digits."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            body = self.files[name]
            digest.update(f"{len(name.encode())}:{name}{len(body)}:".encode())
            digest.update(body)
        return digest.hexdigest()


def make_snapshot(
    files: Mapping[str, bytes],
    *,
    configs: Collection[str],
    ignored: Collection[str],
    refused: Mapping[str, str],
) -> Snapshot:
    """The files as Airflow is to see them.

    - ``configs``, the names of the models' YAML files, get the loader if no Python file calls ``load_dags``.
    - Configurations among the ``ignored`` are left out. Ignored Python stays: other files may import it,
      and Airflow passes it over here as well.
    - Each of the ``refused`` is stood for by a DAG file whose import error says why, under its own name:
      an error of the whole folder would hide every other model, and show in a log alone.
    """
    kept = {name: body for name, body in files.items() if name not in ignored or name not in configs}
    has_loader = any(name.endswith(".py") and _LOADS.search(body) for name, body in kept.items())
    if not has_loader and any(name in kept for name in configs):
        name = LOADER_NAME
        while name in kept:
            name = f"_{name}"
        kept[name] = LOADER.encode()
    for name, reason in refused.items():
        readable = name.encode("utf-8", "replace").decode()
        kept[f"{readable}.refused.py"] = _stand_in(readable, reason).encode("utf-8", "replace")
    return Snapshot(kept)


def unpack(snapshot: Snapshot, target: Path, *, workplace: Path) -> None:
    """Write a snapshot to the folder ``target``, whole or not at all, whoever else does the same.

    ``workplace`` is a folder on the same file system; what a crash left in it is removed.
    """
    if target.is_dir():
        return
    sweep(workplace)
    draft = workplace / uuid.uuid4().hex
    try:
        for name, body in snapshot.files.items():
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        draft.mkdir(parents=True, exist_ok=True)  # of an empty folder
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise  # otherwise another process was first, with the same files
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def make_newest(folder: Path) -> None:
    """Let Airflow parse the Python files of a snapshot at its next look."""
    moment = time.time() + _AHEAD_SECONDS
    for file in folder.rglob("*.py"):
        with suppress(OSError):
            os.utime(file, (moment, moment))


def sweep(workplace: Path) -> None:
    """Remove drafts that nobody finishes any more."""
    with suppress(FileNotFoundError):
        for draft in workplace.iterdir():
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < time.time() - _FORGOTTEN_SECONDS:
                    shutil.rmtree(draft, ignore_errors=True)


def _stand_in(name: str, reason: str) -> str:
    message = f"{name} is left out of the bundle: {reason}"
    return (
        "from airflow_mlops.exceptions import ConfigError  # a DAG file, for Airflow to show its error\n\n"
        f"raise ConfigError({message!r})\n"
    )
