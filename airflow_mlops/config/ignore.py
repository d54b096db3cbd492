"""``.airflowignore`` as Airflow reads it, so that a file is ours exactly where it would be Airflow's.

Airflow's glob syntax is not quite git's: a pattern without a slash is held against the last part of a path
alone, and a comment may stand behind a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from airflow_mlops.config.text import regular_bytes

IGNORE_FILE = ".airflowignore"

# For a path below the topmost folder, and whether it is a folder: ignored, kept again, or not named.
_Rule = Callable[[PurePosixPath, bool], bool | None]
_COMMENT = re.compile(r"\s*#.*")


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules of the ignore files from the topmost folder down to one, in their order."""

    root: Path
    syntax: str
    rules: tuple[_Rule, ...] = ()

    def inside(self, folder: Path) -> IgnoreRules:
        """With those of a folder's own ignore file, if it has one that can be read."""
        below = self._below(folder)
        made = _regexp if self.syntax == "regexp" else _glob
        found = (made(line, below) for line in _lines(folder / IGNORE_FILE))
        new = tuple(rule for rule in found if rule is not None)
        return IgnoreRules(self.root, self.syntax, (*self.rules, *new)) if new else self

    def ignore(self, path: Path, *, is_folder: bool) -> bool:
        """Whether a path is ignored. In glob syntax the last rule that names it decides; a regular
        expression that fits cannot be taken back."""
        if not self.rules:
            return False
        below = self._below(path)
        for rule in reversed(self.rules):
            if (said := rule(below, is_folder)) is not None:
                return said
        return False

    def _below(self, path: Path) -> PurePosixPath:
        return PurePosixPath(path.absolute().relative_to(self.root).as_posix())


def _lines(file: Path) -> list[str]:
    try:
        text = regular_bytes(file).decode("utf-8", "replace")
    except (OSError, ValueError):
        return []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [line for written in lines if (line := _COMMENT.sub("", written))]


def _glob(pattern: str, folder: PurePosixPath) -> _Rule | None:
    if pattern.strip() == "/":
        return None
    try:
        compiled = _pattern_class()(pattern)
    except (ValueError, re.error):
        return None  # Airflow lists nothing at all then
    include = compiled.include
    if include is None:
        return None
    bare = pattern.lstrip("!").rstrip()
    only_folders = bare.endswith("/")
    is_anchored = pattern.startswith("/") or "/" in pattern.rstrip("/")

    def said(path: PurePosixPath, is_folder: bool) -> bool | None:
        if only_folders and not is_folder:
            return None
        name = path.relative_to(folder).as_posix() if is_anchored else path.name
        return include if compiled.match_file(name + "/" * is_folder) is not None else None

    return said


def _pattern_class() -> Any:
    """Of the library that Airflow reads these files with. Its release 1.0 moved the class; Airflow 3 still
    asks for it by its old name, which warns at each use."""
    try:
        from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern as Pattern
    except ImportError:
        from pathspec.patterns.gitwildmatch import GitWildMatchPattern as Pattern
    return Pattern


def _regexp(pattern: str, folder: PurePosixPath) -> _Rule | None:
    del folder  # Airflow holds these against the path below the topmost folder, wherever they are written
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None  # Airflow, too, passes over a pattern that it cannot read
    return lambda path, _: True if compiled.search(path.as_posix()) else None
