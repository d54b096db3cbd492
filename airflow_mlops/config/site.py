"""What the place where a model's file is read adds to it: how far up defaults reach, and which profile."""

from __future__ import annotations

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
        """The folders whose layers count for a file, the topmost first. By name, not by where links lead."""
        own = path.absolute().parent
        if self.root is None:
            return (own,)
        root = self.root.absolute()
        if not own.is_relative_to(root):
            return (own,)
        below = own.relative_to(root).parts
        return tuple(root.joinpath(*below[:depth]) for depth in range(len(below) + 1))
