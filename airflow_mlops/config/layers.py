"""The layers of one model's file: which files they are, read, and held to what a layer may say."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from airflow_mlops.config.models import API_VERSION, ModelConfig
from airflow_mlops.config.overlay import LOCKED, VARS, Composition
from airflow_mlops.config.policy import Policy, WrittenPolicy
from airflow_mlops.config.problems import MAX_PROBLEMS, InvalidConfig, Problem, nearest
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import Document, read_source
from airflow_mlops.config.text import decoded, printable, read_body, whole_file
from airflow_mlops.config.translate import problems_of
from airflow_mlops.config.tree import DEFAULTS, POLICY, PROFILES

# What names one model cannot stand above several.
_OF_ONE_MODEL = ("model",)
_MOST_LOCKED = 100  # each is compared in each layer of each model
# A part of a path below profiles/, which must not lead elsewhere.
_PROFILE = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Dependency:
    """A file that decides what a configuration says, and the sha256 of its bytes; None where there is no such
    file, but one would count."""

    path: Path
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Layers:
    """Paths with their texts. ``texts`` are the defaults from the topmost folder down, then the profile's
    files in the same order, then the model's own file."""

    texts: tuple[tuple[str, str], ...]
    policies: tuple[tuple[str, str], ...]
    dependencies: tuple[Dependency, ...]


def find_layers_of(path: Path, site: Site) -> Layers:
    """Read a model's file and all that counts for it.

    Raises ``InvalidConfig`` where one cannot be read, and where the profile in force has no file at all.
    """
    reading = _Reading(site.root)
    above = _read_above(path, site, reading)
    texts = (*above.texts, reading.needed(path))
    return Layers(texts, above.policies, tuple(reading.dependencies))


def find_layers_above(path: Path, site: Site) -> Layers:
    """What counts for a file at ``path``, without the file itself: it may be no YAML at all."""
    return _read_above(path, site, _Reading(site.root))


def _read_above(path: Path, site: Site, reading: _Reading) -> Layers:
    folders = site.folders(path)
    if site.profile is not None and not _PROFILE.fullmatch(site.profile):
        hint = "a profile's name is letters, digits, _, - and dots, as in prod; see [mlops] profile"
        raise whole_file(path, f"the profile {site.profile!r} is no name", hint)
    defaults = [reading.optional(folder / DEFAULTS) for folder in folders]
    profiles = []
    if site.profile is not None:
        profiles = [reading.optional(folder / PROFILES / f"{site.profile}.yaml") for folder in folders]
        if not any(profiles):
            raise InvalidConfig([_no_such_profile(path, site.profile, folders)])
    policies = [reading.optional(folder / POLICY) for folder in folders]
    texts = _given([*defaults, *profiles])
    return Layers(texts, _given(policies), tuple(reading.dependencies))


def layer_names(profile: str | None) -> tuple[str, ...]:
    """The files that may lie in each folder, by their path below it."""
    names = (DEFAULTS, POLICY)
    return names if profile is None else (*names, f"{PROFILES}/{profile}.yaml")


@lru_cache(maxsize=512)
def read_layer(path: str, text: str) -> Document:
    """A defaults or profile file. Raises ``InvalidConfig`` with what is wrong with it as a layer; whether its
    settings fit is told with each model that they are for."""
    document = read_source(text, path)
    problems = [*_version_problems(document)]
    for key in islice(document.root.value, MAX_PROBLEMS):
        at = (key,)
        if key in _OF_ONE_MODEL:
            hint = "it belongs in the model's own file"
            problems.append(document.problem(document.key_place(at), at, "names one model", hint))
        elif key not in ModelConfig.model_fields and key not in (LOCKED, VARS):
            hint = nearest(key, [*ModelConfig.model_fields, LOCKED, VARS])
            problems.append(document.problem(document.key_place(at), at, "unknown key", hint))
    locked = document.root.value.get(LOCKED, [])
    if isinstance(locked, list) and len(locked) > _MOST_LOCKED:
        message = f"more than {_MOST_LOCKED} keys"
        problems.append(
            document.problem(document.key_place((LOCKED,)), (LOCKED,), message, "lock the parts they are in")
        )
    if not isinstance(locked, list) or not all(isinstance(one, str) for one in locked):
        place, hint = document.value_place((LOCKED,)), "as in [deploy.approval]"
        problems.append(document.problem(place, (LOCKED,), "must be a list of keys", hint))
    if problems:
        raise InvalidConfig([*document.problems, *problems])
    return document


@lru_cache(maxsize=64)
def read_policy(path: str, text: str) -> WrittenPolicy:
    """A policy file. Raises ``InvalidConfig`` with all its problems."""
    document = read_source(text, path)
    if problems := [*document.problems, *_version_problems(document)]:
        raise InvalidConfig(problems)
    try:
        policy = Policy.model_validate(document.root.value)
    except ValidationError as error:
        layers = Composition((document,), document.root.value)
        raise InvalidConfig(problems_of(error, layers, Policy)) from error
    return WrittenPolicy(policy, document)


def check_layer(path: Path, site: Site) -> list[Problem]:
    """What is wrong with a defaults, profile or policy file by itself."""
    try:
        own = _Reading(site.root).needed(path)
        if path.name == POLICY:
            return list(read_policy(*own).document.problems)
        return list(read_layer(*own).problems)
    except InvalidConfig as error:
        return list(error.problems)


def wrong_version(document: Document) -> Problem | None:
    """A file in another version's language would fail on every key; say the one thing that matters."""
    given = document.root.value.get("apiVersion")
    if given == API_VERSION or given is None:
        return None
    from airflow_mlops.config.migration.migrate import MIGRATIONS  # for a file that is refused anyway

    at = ("apiVersion",)
    hint = f"this release knows {API_VERSION}"
    if isinstance(given, str) and given in MIGRATIONS and not document.path.endswith(".py"):
        hint = f"run: airflow-mlops migrate {document.path}"
    message = f"{given!r} is not a version this release can read"
    return document.problem(document.value_place(at), at, message, hint)


def _given(files: list[tuple[str, str] | None]) -> tuple[tuple[str, str], ...]:
    return tuple(one for one in files if one is not None)


def _version_problems(document: Document) -> Iterator[Problem]:
    if (problem := wrong_version(document)) is not None:
        yield problem
    elif document.root.value.get("apiVersion") is None:
        at = ("apiVersion",)
        yield document.problem(document.key_place(at), at, "missing", f"begin with apiVersion: {API_VERSION}")


class _Reading:
    """Reads files and remembers what they held."""

    def __init__(self, root: Path | None) -> None:
        self.dependencies: list[Dependency] = []
        self._root = None if root is None else Path(os.path.realpath(root))

    def optional(self, path: Path) -> tuple[str, str] | None:
        if not os.path.lexists(path):
            self.dependencies.append(Dependency(path, None))
            return None
        return self.needed(path)

    def needed(self, path: Path) -> tuple[str, str]:
        if printable(path) != str(path):
            raise whole_file(path, "has a name that cannot be printed", "rename it")
        target = Path(os.path.realpath(path))
        if self._root is not None and not target.is_relative_to(self._root):
            message = f"is a link to {target}, outside of {self._root}"
            raise whole_file(path, message, "put the file itself there")
        body = read_body(target, shown=path)
        self.dependencies.append(Dependency(path, hashlib.sha256(body).hexdigest()))
        return str(path), decoded(body, path)


def _no_such_profile(path: Path, profile: str, folders: tuple[Path, ...]) -> Problem:
    known = sorted({file.stem for folder in folders for file in (folder / PROFILES).glob("*.yaml")})
    hint = nearest(profile, known) or (f"there are {', '.join(known)}" if known else "write that file")
    message = f"the profile {profile!r} is in force, and there is no {folders[0] / PROFILES / profile}.yaml"
    return Problem(str(path), 0, 0, "", message, hint)
