"""A file of an older ``apiVersion`` to the newest, by edits of its text: comments, quotes, blank lines and
the order of keys stay as their author left them.

The text is never written anew from parsed values. What an edit makes of it is read again, and must say what
the edit means and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from airflow_mlops.config.migration.edits import Edit, Move, Rename, Replace
from airflow_mlops.config.migration.layout import Layout
from airflow_mlops.config.migration.rewrite import ByHand, rewritten
from airflow_mlops.config.problems import InvalidConfig, KeyPath, Problem
from airflow_mlops.config.source import Document, read_source

_KEEPS_LINES = re.compile(r"[|>][1-9]?\+[1-9]?[ \t]*(#.*)?$")

# version -> the next version, and what to do to a file to get there
Migrations = Mapping[str, tuple[str, tuple[Edit, ...]]]

MIGRATIONS: Migrations = {
    # The language of the previews before 0.1.0.
    "airflow-mlops/v1beta1": (
        "airflow-mlops/v1",
        (
            Move(("retries",), ("execution", "retries")),
            Move(("deploy", "canary", "steps"), ("deploy", "steps")),
            Move(("deploy", "canary", "minimum_requests"), ("deploy", "analysis", "minimum_requests")),
            Move(("deploy", "canary", "minimum_duration"), ("deploy", "analysis", "minimum_duration")),
            Move(("deploy", "canary", "max_error_rate"), ("deploy", "analysis", "errors", "max_rate")),
            Move(("deploy", "canary", "max_latency_ratio"), ("deploy", "analysis", "latency", "max_ratio")),
            Rename(("deploy", "on_deadline"), "on_inconclusive"),
        ),
    ),
}
_BOM = "\ufeff"
_VERSION = ("apiVersion",)


@dataclass(frozen=True, slots=True)
class Migrated:
    """A file's text in the newest language, and the version it was in. Equal versions: nothing changed."""

    text: str
    was: str
    now: str

    @property
    def is_changed(self) -> bool:
        return self.was != self.now


def migrate(text: str, path: str, migrations: Migrations = MIGRATIONS) -> Migrated:
    """Carry one file's text to the newest version. It need not be a whole model: keys that are not there are
    not asked for. ``path`` is for messages. Raises ``InvalidConfig`` where a person must decide.
    """
    bom = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    document = read_source(text, path)
    was = _version(document, migrations)
    if was not in migrations:
        return Migrated(bom + text, was, was)
    if document.problems:
        raise InvalidConfig(document.problems)
    steps, now = _steps(was, migrations)
    return Migrated(bom + _edited(document, text, steps), was, now)


def known_versions(migrations: Migrations = MIGRATIONS) -> tuple[str, ...]:
    """All versions that can be told apart, the oldest first."""
    return tuple(dict.fromkeys([*migrations, *(then for then, _ in migrations.values())]))


def _version(document: Document, migrations: Migrations) -> str:
    given = document.root.value.get("apiVersion")
    known = known_versions(migrations)
    if given in known:
        return str(given)
    message = "missing" if given is None else f"{given!r} is not a version this release knows"
    hint = f"it knows {', '.join(known)}"
    raise InvalidConfig([document.problem(document.value_place(_VERSION), _VERSION, message, hint)])


def _steps(version: str, migrations: Migrations) -> tuple[list[Edit], str]:
    """The edits of all versions on the way to the newest, the version's own line included."""
    steps: list[Edit] = []
    while version in migrations:
        then, edits = migrations[version]
        steps += [*edits, Replace(_VERSION, version, then)]
        version = then
    return steps, version


def _edited(document: Document, text: str, steps: list[Edit]) -> str:
    # Through JSON, so that what an alias shares is no longer shared: an edit here changes one place only.
    values: dict[str, Any] = json.loads(json.dumps(document.root.value))
    problems: list[Problem] = []
    original = text
    for number, step in enumerate(steps):
        try:
            text = rewritten(text, step, values)
        except ByHand as refused:
            problems.append(_by_hand(document, refused, steps[:number]))
            continue
        except (yaml.YAMLError, ValueError) as error:
            raise _bug(document, str(error)) from error
        step.applied(values)
    if problems:
        raise InvalidConfig(problems)
    _check(document, original, text, values)
    return text


def _by_hand(document: Document, refused: ByHand, done: list[Edit]) -> Problem:
    """The problem where the reader of the file finds it: at the key's place before the edits done so far."""
    message = refused.message
    if refused.other is not None:
        line, _ = document.key_place(_before(refused.other, done))
        message = message.format(line=line)
    path = _before(refused.path, done)
    return document.problem(document.key_place(path), path, message, refused.hint)


def _before(path: KeyPath, done: list[Edit]) -> KeyPath:
    for step in reversed(done):
        path = step.before(path)
    return path


def _check(document: Document, original: str, text: str, meant: dict[str, Any]) -> None:
    """The new text says what the edits mean (as JSON, in which 1, 1.0 and true differ), and no comment is
    lost."""
    try:
        said = read_source(text, document.path)
    except InvalidConfig as error:
        raise _bug(document, "the outcome cannot be read") from error
    if said.problems or json.dumps(said.root.value, sort_keys=True) != json.dumps(meant, sort_keys=True):
        raise _bug(document, "the outcome says something else")
    if sorted(Layout(original).comments()) != sorted(Layout(text).comments()):
        raise _bug(document, "a comment is lost")


def _bug(document: Document, what: str) -> InvalidConfig:
    for number, line in enumerate(document.lines, 1):
        if kept := _KEEPS_LINES.search(line):
            message = "a text that keeps its last lines, whose end would change with what is moved beside it"
            hint = "write | or > here, without the +, or move the keys by hand"
            return InvalidConfig([document.problem((number, kept.start() + 1), (), message, hint)])
    message = f"a bug in the migration, nothing was written: {what}"
    return InvalidConfig([Problem(document.path, 0, 0, "", message, "please report it with this file")])
