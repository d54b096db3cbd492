"""Which files of a folder describe models, and which are layers: defaults, profiles and policies."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_mlops.config.site import Site
from airflow_mlops.config.text import MAX_BYTES, whole_file

DEFAULTS = "defaults.yaml"
POLICY = "policy.yaml"
PROFILES = "profiles"
IGNORE_FILE = ".airflowignore"
LIES_ABOVE = "lies above {folder}, the folder that Airflow reads, so it does not count; move it there"

_YAML = (".yaml", ".yml")

_OURS = re.compile(rb"""^[ \t]*["']?apiVersion["']?[ \t]*:[ \t]*["']?airflow-mlops/""", re.MULTILINE)
_NAMES_A_MODEL = re.compile(rb"""^["']?model["']?[ \t]*:""", re.MULTILINE)
# For a path below the ignore file's folder (a folder's ends with /): is it ignored, kept again, or not named?
_Rule = Callable[[str], bool | None]


def find_files(folder: Path, site: Site | None = None) -> list[Path]:
    """The layers at and below a folder, sorted, and after them the models' files of ``find_configs``."""
    found = sorted((not is_layer(path, body), path) for path, body in _ours(folder, site))
    return [path for _, path in found]


def find_configs(folder: Path, site: Site | None = None) -> list[Path]:
    """Every model's file at and below a folder: ``*.yaml`` or ``*.yml`` that names our ``apiVersion`` (of
    any version) and is no layer, sorted. Hidden folders and what ``.airflowignore`` names are passed over.
    A file that cannot be read is listed, so that loading it says why. Raises ``InvalidConfig`` if there is
    no such folder.
    """
    return sorted(path for path, body in _ours(folder, site) if not is_layer(path, body))


def find_yaml(folder: Path, site: Site | None = None) -> Iterator[Path]:
    """Every YAML file that Airflow's ignore files leave, whatever it holds. Links to folders are not
    followed."""
    walked = site or Site(root=folder)
    yield from _walk(folder, _rules_above(folder, walked), walked.ignore_syntax)


def would_find(path: Path, folder: Path, site: Site) -> bool:
    """Whether ``find_yaml`` gives a path that is there, told by the folders on the way to it alone."""
    if not path.is_relative_to(folder) or not path.name.endswith(_YAML) or not path.is_file():
        return False
    rules, at = [*_rules_above(folder, site), *_rules(folder, site.ignore_syntax)], folder
    for name in path.relative_to(folder).parts[:-1]:
        at = at / name
        if name.startswith(".") or at.is_symlink() or _is_ignored(at, True, rules):
            return False
        rules += _rules(at, site.ignore_syntax)
    return not _is_ignored(path, False, rules)


def layers_above(folder: Path) -> Iterator[Path]:
    """Defaults and policies in a git repository above the folder that Airflow reads. ``lint`` lets them
    count; Airflow cannot, for a bundle may hold no more than the folder. Better told than left out."""
    inside = folder.absolute()
    around = [inside, *inside.parents]
    top = next((depth for depth, one in enumerate(around) if (one / ".git").exists()), 0)
    for above in around[1 : top + 1]:
        for file in (above / DEFAULTS, above / POLICY):
            if file.is_file() and names_our_version(_beginning(file) or b""):
                yield file


def is_layer(path: Path, body: bytes) -> bool:
    """Whether a file of ours is a layer: by its name, and in ``profiles/`` because it names no model."""
    if path.name in (DEFAULTS, POLICY):
        return True
    return path.parent.name == PROFILES and _NAMES_A_MODEL.search(body) is None


def is_layer_file(path: Path) -> bool:
    """The same of a file that is there, or not."""
    body = _beginning(path) if path.parent.name == PROFILES else None
    return is_layer(path, body or b"")


def names_our_version(body: bytes) -> bool:
    """Whether a YAML's text names our ``apiVersion``, of any version."""
    return _OURS.search(body) is not None


def describes_a_model(path: Path, body: bytes) -> bool:
    """Whether a file, by its name and text, becomes DAGs."""
    return names_our_version(body) and not is_layer(path, body)


@dataclass(frozen=True, slots=True)
class _IgnoreRules:
    """The rules of one ignore file, which see paths as they are below its folder."""

    folder: Path
    rule: _Rule

    def verdict(self, path: Path, is_folder: bool) -> bool | None:
        return self.rule(path.absolute().relative_to(self.folder).as_posix() + "/" * is_folder)


def _ours(folder: Path, site: Site | None) -> Iterator[tuple[Path, bytes]]:
    if not folder.is_dir():
        raise whole_file(folder, "no such folder", "check [mlops] configs_folder or the path given")
    for path in find_yaml(folder, site):
        body = _beginning(path)
        if body is None or names_our_version(body):
            yield path, body or b""


def _beginning(path: Path) -> bytes | None:
    """As much of a file as may count; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None


def _rules_above(folder: Path, site: Site) -> list[_IgnoreRules]:
    above = site.folders(folder.absolute() / DEFAULTS)[:-1]
    return [rule for one in above for rule in _rules(one, site.ignore_syntax)]


def _walk(folder: Path, above: list[_IgnoreRules], syntax: str) -> Iterator[Path]:
    rules = [*above, *_rules(folder, syntax)]
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # a folder that may not be read holds nothing for us, as for Airflow
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and not _is_ignored(path, True, rules):
                yield from _walk(path, rules, syntax)
        elif entry.name.endswith(_YAML) and _can_be_opened(entry) and not _is_ignored(path, False, rules):
            yield path


def _can_be_opened(entry: os.DirEntry[str]) -> bool:
    """Not a folder, and not a pipe, which would wait for whoever writes to it. A link to nothing counts: that
    is for the loader to tell."""
    if not entry.is_symlink():
        return entry.is_file()
    return not entry.is_dir() and not Path(entry.path).is_fifo()


def _is_ignored(path: Path, is_folder: bool, rules: list[_IgnoreRules]) -> bool:
    """The last rule that names a path decides, as in git."""
    verdicts = (one.verdict(path, is_folder) for one in rules)
    return next((said for said in reversed(list(verdicts)) if said is not None), False)


def _rules(folder: Path, syntax: str) -> list[_IgnoreRules]:
    try:
        lines = (folder / IGNORE_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [_IgnoreRules(folder.absolute(), _regexps(lines) if syntax == "regexp" else _globs(lines))]


def _globs(lines: list[str]) -> _Rule:
    from pathspec import GitIgnoreSpec  # the library that Airflow reads these files with

    spec = GitIgnoreSpec.from_lines(lines)
    return lambda path: spec.check_file(path).include


def _regexps(lines: list[str]) -> _Rule:
    written = [line for text in lines if (line := re.sub(r"\s*#.*", "", text))]
    patterns = [pattern for line in written if (pattern := _compiled(line)) is not None]
    return lambda path: True if any(one.search(path.rstrip("/")) for one in patterns) else None


def _compiled(line: str) -> re.Pattern[str] | None:
    try:
        return re.compile(line)
    except re.error:
        return None  # Airflow, too, passes over a pattern that it cannot read
