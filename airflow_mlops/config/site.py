"""What the place where a model's file is read adds to it: how far up defaults reach, and which profile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Site:
    """``root`` is the topmost folder whose ``defaults.yaml``, ``profiles/`` and ``policy.yaml`` count, for
    the models at and below it: the folder that Airflow reads. Without one, a file's own folder.

    ``profile`` names the profile in force. ``imports`` are the packages that import paths may lead to;
    empty, all but Python's own and Airflow's may be named. ``ignore_syntax`` is how ``.airflowignore`` is
    written: ``glob`` or ``regexp``, as in Airflow's ``[core] dag_ignore_file_syntax``.
    """

    root: Path | None = None
    profile: str | None = None
    imports: tuple[str, ...] = ()
    ignore_syntax: str = "glob"

    def folders(self, path: Path) -> tuple[Path, ...]:
        """The folders whose layers count for a file, the topmost first: by name, not by where links lead, and
        relative to the working folder where the path is."""
        own = path.absolute().parent
        folders = [own]
        root = own if self.root is None else self.root.absolute()
        if own != root and own.is_relative_to(root):
            below = own.relative_to(root).parts
            folders = [root.joinpath(*below[:depth]) for depth in range(len(below) + 1)]
        if path.is_absolute():
            return tuple(folders)
        return tuple(Path(os.path.relpath(folder)) for folder in folders)
