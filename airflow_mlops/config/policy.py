"""An organisation's rules for its models: ``policy.yaml``, for all files at and below its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import SchemaError, SchemaValidator, core_schema

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.overlay import Composition, part_of
from airflow_mlops.config.parts.base import Mistakes, Part
from airflow_mlops.config.problems import KeyPath, Problem, dotted, nearest
from airflow_mlops.config.source import Document
from airflow_mlops.config.translate import all_keys

Texts = tuple[Annotated[str, StringConstraints(min_length=1)], ...]
_LONGEST_MATCHED = 1_000


class When(Part):
    """Which models a rule is for. What is left out does not matter."""

    profile: Texts | None = Field(None, strict=False, min_length=1, description="In one of these profiles.")
    level: tuple[Literal[1, 2, 3], ...] | None = Field(
        None, strict=False, min_length=1, description="Of one of these levels."
    )
    tags: Texts | None = Field(None, strict=False, min_length=1, description="With one of these tags.")
    task: Texts | None = Field(None, strict=False, min_length=1, description="For one of these tasks.")


class Rule(Part):
    """What one setting must be. All the demands that a rule makes must hold."""

    name: str = Field(min_length=1, description="What the rule is called where it is broken.")
    key: str = Field(min_length=1, description="The setting, as in deploy.approval or gates.rules.")
    when: When = Field(default_factory=lambda: When(), description="Which models it is for; all if left out.")
    given: bool | None = Field(
        None, description="true: a file or layer must say it, a default is not enough. false: none may."
    )
    equals: Any = Field(None, description="The setting is this value.")
    one_of: tuple[Any, ...] = Field((), strict=False, min_length=1, description="It is one of these.")
    minimum: float | None = Field(None, description="It is a number of at least this.")
    maximum: float | None = Field(None, description="It is a number of at most this.")
    matches: str | None = Field(None, description="It is text that fits this regular expression as a whole.")
    contains: Any = Field(
        None,
        description="It is a list that holds this; of a mapping, an entry with at least its keys and values.",
    )
    hint: str = Field("", description="What to do about it, for who reads the error.")

    @field_validator("key")
    @classmethod
    def _known(cls, key: str) -> str:
        known = {dotted(path) for path in all_keys(ModelConfig)}
        if key not in known:
            hint = nearest(key, known) or "airflow-mlops schema lists them"
            raise ValueError(f"{key!r} is no setting of a model; {hint}")
        return key

    @field_validator("matches")
    @classmethod
    def _readable(cls, pattern: str | None) -> str | None:
        for whole in (pattern or "", _whole(pattern or "")):
            try:
                _matcher(whole)
            except SchemaError as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {_reason(error)}") from error
        return pattern

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        empty = [name for name in ("given", "minimum", "maximum", "matches") if self._is_empty(name)]
        if empty:
            raise Mistakes(*(((name,), "needs a value") for name in empty))
        if not self.demands:
            raise ValueError(f"demands nothing; give one of {', '.join(_DEMANDS)}")
        return self

    def _is_empty(self, name: str) -> bool:
        return name in self.model_fields_set and getattr(self, name) is None

    @property
    def demands(self) -> list[str]:
        """The names of the demands that this rule makes."""
        return [name for name in _DEMANDS if name in self.model_fields_set]


class Policy(Part):
    """The rules of an organisation, and the packages that its models' code may come from."""

    apiVersion: Literal["airflow-mlops/v1"] = Field(  # noqa: N815 (the word Kubernetes users know)
        description="Version of this file's language."
    )
    allowed_imports: Texts = Field(
        (), strict=False, description="Packages that import paths may lead to; any but Python's own if empty."
    )
    rules: tuple[Rule, ...] = Field((), strict=False, description="What must hold of every model.")


_DEMANDS = ("given", "equals", "one_of", "minimum", "maximum", "matches", "contains")


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """A policy and the file it stands in."""

    policy: Policy
    document: Document

    def broken_by(
        self, config: ModelConfig, settings: Mapping[str, Any], composition: Composition, profile: str | None
    ) -> Iterator[Problem]:
        """A problem for each demand that a model does not meet, at the setting. ``settings`` is the
        configuration as JSON."""
        for index, rule in enumerate(self.policy.rules):
            if not _is_for(rule.when, config, profile):
                continue
            path: KeyPath = tuple(rule.key.split("."))
            value = part_of(settings, path)
            is_given = composition.origin(path) is not None
            line = self.document.key_place(("rules", index))[0]
            for demand in rule.demands:
                if not _is_met(demand, rule, value, is_given):
                    told = _told(demand, getattr(rule, demand))
                    by = f"by {self.document.path}:{line} ({rule.name})"
                    yield composition.at_value(path, f"{told}, {by}", rule.hint)


def _is_for(when: When, config: ModelConfig, profile: str | None) -> bool:
    return (
        (when.profile is None or profile in when.profile)
        and (when.level is None or config.level in when.level)
        and (when.tags is None or bool(set(when.tags) & set(config.tags)))
        and (when.task is None or config.task in when.task)
    )


def _is_met(demand: str, rule: Rule, value: Any, is_given: bool) -> bool:
    match demand:
        case "given":
            return is_given == rule.given
        case "equals":
            return _same(value, rule.equals)
        case "one_of":
            return any(_same(value, one) for one in rule.one_of)
        case "matches":
            return _fits(str(rule.matches), value)
        case "contains":
            return isinstance(value, list) and any(_holds(one, rule.contains) for one in value)
        case "minimum":
            return _is_number(value) and bool(value >= (rule.minimum or 0))
    return _is_number(value) and bool(value <= (rule.maximum or 0))


def _told(demand: str, wanted: Any) -> str:
    match demand:
        case "given":
            return "must be said here or in a layer" if wanted else "must not be said"
        case "equals":
            return f"must be {_said(wanted)}"
        case "one_of":
            return f"must be one of {', '.join(_said(one) for one in wanted)}"
        case "matches":
            return f"must fit {wanted!r}"
        case "contains":
            return f"must contain {_said(wanted)}"
    return f"must be at {'least' if demand == 'minimum' else 'most'} {wanted:g}"


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_said(one)}" for key, one in value.items())
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _same(value: Any, wanted: Any) -> bool:
    """``1`` is no ``true``, but ``1`` is ``1.0``. A part that says whether it is ``required`` is compared by
    that alone, as where its file says a bare true."""
    if isinstance(wanted, bool) and isinstance(value, dict):
        value = value.get("required")
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _holds(entry: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(entry, dict):
        return all(key in entry and _holds(entry[key], one) for key, one in wanted.items())
    return _same(entry, wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _fits(pattern: str, value: Any) -> bool:
    """A longer text is not tried."""
    if not isinstance(value, str) or len(value) > _LONGEST_MATCHED:
        return False
    return bool(_matcher(_whole(pattern)).isinstance_python(value))


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> SchemaValidator:
    """By pydantic's engine (Rust's regex), whose time grows with the text's length and no faster. Python's
    own takes hours over ``(a+)+`` and 40 letters that the author of a model chose."""
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _reason(error: SchemaError) -> str:
    """The last line of what the engine says, which is the one with the reason."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip().removeprefix("error: ") if lines else "unreadable"
