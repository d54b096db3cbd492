"""Which files of a folder describe models, and which are layers: defaults, profiles and policies."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from airflow_mlops.config.ignore import IgnoreRules
from airflow_mlops.config.site import Site
from airflow_mlops.config.text import regular_bytes, whole_file

DEFAULTS = "defaults.yaml"
POLICY = "policy.yaml"
PROFILES = "profiles"
LIES_ABOVE = "lies above {folder}, the folder that Airflow reads, so it does not count; move it there"

_YAML = (".yaml", ".yml")

_OURS = re.compile(rb"""^[ \t]*["']?apiVersion["']?[ \t]*:[ \t]*["']?airflow-mlops/""", re.MULTILINE)
_NAMES_A_MODEL = re.compile(rb"""^["']?model["']?[ \t]*:""", re.MULTILINE)


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
    yield from _walk(folder, _rules_above(folder, walked))


def would_find(path: Path, folder: Path, site: Site) -> bool:
    """Whether ``find_yaml`` gives a path that is there, told by the folders on the way to it alone."""
    if not path.is_relative_to(folder) or not path.name.endswith(_YAML) or not path.is_file():
        return False
    rules, at = _rules_above(folder, site).inside(folder), folder
    for name in path.relative_to(folder).parts[:-1]:
        at = at / name
        if name.startswith(".") or at.is_symlink() or rules.ignore(at, is_folder=True):
            return False
        rules = rules.inside(at)
    return not rules.ignore(path, is_folder=False)


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
        return regular_bytes(path)
    except OSError:
        return None


def _rules_above(folder: Path, site: Site) -> IgnoreRules:
    *above, _ = site.folders(folder.absolute() / DEFAULTS)
    rules = IgnoreRules(above[0] if above else folder.absolute(), site.ignore_syntax)
    for one in above:
        rules = rules.inside(one)
    return rules


def _walk(folder: Path, rules: IgnoreRules) -> Iterator[Path]:
    """Not by recursion: a tree may be deeper than Python's stack."""
    waiting: list[tuple[Path, IgnoreRules | None]] = [(folder, rules)]
    while waiting:
        path, above = waiting.pop()
        if above is None:
            yield path
            continue
        here = above.inside(path)
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        except OSError:
            continue  # a folder that may not be read holds nothing for us, as for Airflow
        for entry in entries:
            inside = path / entry.name
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and not here.ignore(inside, is_folder=True):
                    waiting.append((inside, here))
            elif (
                entry.name.endswith(_YAML)
                and _may_be_a_file(entry)
                and not here.ignore(inside, is_folder=False)
            ):
                waiting.append((inside, None))


def _may_be_a_file(entry: os.DirEntry[str]) -> bool:
    """Not a folder, a pipe or a device. A link to nothing, or to itself, counts: that is for the loader to
    tell."""
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return entry.is_symlink()
