"""A model's YAML to its frozen configuration, or to every problem it has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from airflow_mlops.config.levels import cross_checks, with_presets
from airflow_mlops.config.models import API_VERSION, ModelConfig
from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.source import MAX_BYTES, Document, read_source
from airflow_mlops.config.suite import with_suite
from airflow_mlops.config.translate import problems_of
from airflow_mlops.core.identity import content_hash

_OURS = re.compile(rb"""^[ \t]*["']?apiVersion["']?[ \t]*:[ \t]*["']?airflow-mlops/""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A configuration with its level's presets filled in. ``digest`` is the sha256 of what it says:
    comments, order of keys and spelled-out defaults do not change it.
    """

    config: ModelConfig
    digest: str
    path: Path


def load_model(path: Path) -> LoadedModel:
    """Read one model's YAML. Raises ``InvalidConfig`` with all problems of the file, each with its place.

    Results are kept by content, so a folder that is parsed again costs one read per file.
    """
    text = decoded(read_body(path), path)
    config, digest = _parsed(str(path), text)
    if config.validation.suite is None:
        return LoadedModel(config, digest, path)
    try:
        config = with_suite(config, path)
    except ValueError as error:
        at = ("validation", "suite")
        document = read_source(text, str(path))
        message = f"{config.validation.suite} {error}"
        raise InvalidConfig([document.problem(document.value_place(at), at, message)]) from error
    return LoadedModel(config, _digest(config), path)


def find_configs(folder: Path) -> list[Path]:
    """Every ``*.yaml`` or ``*.yml`` at and below a folder that names our ``apiVersion`` (of any version),
    sorted; hidden folders are passed over. A file that cannot be read is listed, so that loading it says
    why. Raises ``InvalidConfig`` if there is no such folder.
    """
    if not folder.is_dir():
        raise _whole_file(folder, "no such folder", "check [mlops] configs_folder or the path given")
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        candidates = (Path(root, name) for name in files if name.endswith((".yaml", ".yml")))
        found += [path for path in candidates if _is_ours(path)]
    return sorted(found)


def names_our_version(text: bytes) -> bool:
    """Whether a YAML's text names our ``apiVersion``, of any version: such a file describes a model."""
    return _OURS.search(text) is not None


def _is_ours(path: Path) -> bool:
    if path.is_fifo():  # opening one would wait for whoever writes to it
        return False
    try:
        with path.open("rb") as file:
            return names_our_version(file.read(MAX_BYTES + 1))
    except OSError:
        return True


def read_body(path: Path) -> bytes:
    """A file's bytes, as many as a YAML may have and one more. Raises ``InvalidConfig``."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte too many is enough to refuse it
    except OSError as error:
        reason = error.strerror or str(error)
        raise _whole_file(path, f"cannot be read: {reason}", "check the path and its permissions") from error


def decoded(body: bytes, path: Path) -> str:
    """The text of a file's bytes, without a byte order mark. Raises ``InvalidConfig``."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        column = error.start - body.rfind(b"\n", 0, error.start)
        message = f"not UTF-8 (byte 0x{body[error.start]:02x})"
        raise InvalidConfig(
            [Problem(str(path), line, column, "", message, "save the file as UTF-8")]
        ) from error


@lru_cache(maxsize=2048)
def _parsed(path: str, text: str) -> tuple[ModelConfig, str]:
    document = read_source(text, path)
    _check_version(document)
    try:
        config = with_presets(ModelConfig.model_validate(document.root.value))
    except ValidationError as error:
        raise InvalidConfig(_merged(document, problems_of(error, document))) from error
    problems = [document.problem(document.key_place(at), at, message) for at, message in cross_checks(config)]
    if problems or document.problems:
        raise InvalidConfig(_merged(document, problems))
    return config, _digest(config)


def _digest(config: ModelConfig) -> str:
    return content_hash(config.model_dump(mode="json"))


def _merged(document: Document, problems: Iterable[Problem]) -> list[Problem]:
    """The reader's problems, and the models' where the reader had none: a trap is also of the wrong type."""
    taken = {(problem.line, problem.column) for problem in document.problems}
    return [*document.problems, *(one for one in problems if (one.line, one.column) not in taken)]


def _check_version(document: Document) -> None:
    """A file in another version's language would fail on every key; say the one thing that matters."""
    given = document.root.value.get("apiVersion")
    if given == API_VERSION or given is None:
        return
    from airflow_mlops.config.migrate import MIGRATIONS  # only a file that is refused anyway pays for it

    at = ("apiVersion",)
    hint = f"this release knows {API_VERSION}"
    if isinstance(given, str) and given in MIGRATIONS:
        hint = f"run: airflow-mlops migrate {document.path}"
    message = f"{given!r} is not a version this release can read"
    raise InvalidConfig([document.problem(document.value_place(at), at, message, hint)])


def _whole_file(path: Path, message: str, hint: str) -> InvalidConfig:
    return InvalidConfig([Problem(str(path), 0, 0, "", message, hint)])
