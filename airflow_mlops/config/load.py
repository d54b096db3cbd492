"""A model's YAML and its layers to its frozen configuration, or to every problem they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from airflow_mlops.config.imports import refused_imports
from airflow_mlops.config.layers import (
    Dependency,
    find_layers_above,
    find_layers_of,
    read_layer,
    read_policy,
    wrong_version,
)
from airflow_mlops.config.levels import cross_checks, with_presets
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.overlay import Composition, compose
from airflow_mlops.config.policy import WrittenPolicy
from airflow_mlops.config.problems import InvalidConfig, KeyPath, Problem
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import Document, read_source
from airflow_mlops.config.substitution import substitute
from airflow_mlops.config.suite import with_suite
from airflow_mlops.config.translate import problems_of
from airflow_mlops.core.identity import content_hash

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A configuration with its layers merged and its level's presets filled in.

    ``digest`` is the sha256 of what it says: comments, order of keys, spelled-out
    defaults and the layer that says a thing do not change it. ``layers`` tells where each value came from,
    ``used`` which variables stood in it; ``dependencies`` are the files that decided.
    """

    config: ModelConfig
    digest: str
    path: Path
    layers: Composition
    used: Mapping[KeyPath, tuple[str, ...]]
    dependencies: tuple[Dependency, ...]

    @property
    def text(self) -> str:
        """The configuration as JSON, in the order of its keys, which is that of a model's columns. Made when
        it is asked for: who only checks a file does not keep it."""
        return self.config.model_dump_json()


def load_model(path: Path, site: Site | None = None) -> LoadedModel:
    """Read one model's YAML with all its layers. Raises ``InvalidConfig`` with all problems, each with the
    file and place that it is about.

    The latest results are kept by content; what a parse of a whole folder makes is kept on disk, by the
    factory.
    """
    site = site or Site()
    files = find_layers_of(path, site)
    made = _made_of_texts(files.texts, files.policies, site.profile, site.imports)
    return _loaded(made, path, files.dependencies)


def load_document(own: Document, path: Path, site: Site) -> LoadedModel:
    """The same of values that no text stands behind, with the layers that count for a file at ``path``.
    What a whole file needs of its text (syntax, traps, size) does not apply."""
    files = find_layers_above(path, site)
    made = _made(own, files.texts, files.policies, site.profile, site.imports)
    return _loaded(made, path, files.dependencies)


def _loaded(made: _Made, path: Path, dependencies: tuple[Dependency, ...]) -> LoadedModel:
    config, digest = made.config, made.digest
    if (name := config.validation.suite) is not None:
        try:
            config, suite = with_suite(config, name, path)
        except ValueError as error:
            at = ("validation", "suite")
            message = f"{name} {error}"
            raise InvalidConfig([made.layers.at_value(at, message)]) from error
        digest = content_hash(config.model_dump(mode="json"))
        dependencies = (*dependencies, suite)
    return LoadedModel(config, digest, path, made.layers, made.used, dependencies)


@dataclass(frozen=True, slots=True)
class _Made:
    config: ModelConfig
    digest: str
    layers: Composition
    used: Mapping[KeyPath, tuple[str, ...]]


@lru_cache(maxsize=16)
def _made_of_texts(
    texts: tuple[tuple[str, str], ...],
    policies: tuple[tuple[str, str], ...],
    profile: str | None,
    imports: tuple[str, ...],
) -> _Made:
    *above, (path, text) = texts
    return _made(read_source(text, path), above, policies, profile, imports)


def _made(
    own: Document,
    above: Iterable[tuple[str, str]],
    policies: Iterable[tuple[str, str]],
    profile: str | None,
    imports: tuple[str, ...],
) -> _Made:
    if (problem := wrong_version(own)) is not None:
        raise InvalidConfig([problem])
    layers, problems = compose([*_all(read_layer, above), own])
    rules = _all(read_policy, policies)
    substituted = substitute(layers, profile)
    problems = [*layers.problems(), *problems, *substituted.problems]
    try:
        config = with_presets(ModelConfig.model_validate(substituted.value))
    except ValidationError as error:
        raise InvalidConfig(_merged(problems, problems_of(error, layers))) from error
    settings = config.model_dump(mode="json")
    found = [
        *(layers.at_key(at, message) for at, message in cross_checks(config)),
        *_refused(config, rules, layers, imports),
        *(one for rule in rules for one in rule.broken_by(config, settings, layers, profile)),
    ]
    if found or problems:
        raise InvalidConfig(_merged(problems, found))
    return _Made(config, content_hash(settings), layers, substituted.used)


def _all(read: Callable[[str, str], _Read], files: Iterable[tuple[str, str]]) -> list[_Read]:
    """Every layer read. Raises ``InvalidConfig`` with the problems of all of them."""
    layers: list[_Read] = []
    problems: list[Problem] = []
    for path, text in files:
        try:
            layers.append(read(path, text))
        except InvalidConfig as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidConfig(problems)
    return layers


def _refused(
    config: ModelConfig, rules: Iterable[WrittenPolicy], layers: Composition, imports: tuple[str, ...]
) -> Iterable[Problem]:
    """Each list of allowed packages must allow a path; the defaults count where there is none at all."""
    lists = [one for one in (imports, *(rule.policy.allowed_imports for rule in rules)) if one]
    for allowed in lists or [()]:
        for at, message, hint in refused_imports(config, allowed):
            yield layers.at_value(at, message, hint)


def _merged(known: list[Problem], more: Iterable[Problem]) -> list[Problem]:
    """The first problems, and the others where there was none before: a trap is also of the wrong type."""
    taken = {(problem.path, problem.line, problem.column, problem.key) for problem in known}
    return [*known, *(one for one in more if (one.path, one.line, one.column, one.key) not in taken)]
