"""Assets that start a training run: one, any of several, all of several, and those that watch the world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Name, Params, Part
from airflow_mlops.config.problems import KeyPath, nearest

_FORMS = ("name", "any", "all")
_KEYS = (*_FORMS, "uri")
_LONGEST = 1_500  # what Airflow's database holds
_TEXT = {"type": "string", "minLength": 1}


class AssetCondition(Part):
    """One asset by ``name`` (and ``uri`` where it has one), ``any`` of several, or ``all`` of several. A bare
    text is a name, and a bare list is ``any`` of its entries.
    """

    name: str | None = Field(None, description="An asset's name in Airflow.")
    uri: str | None = Field(None, description="Its URI, where the producer gave it one.")
    any: tuple[AssetCondition, ...] | None = Field(None, strict=False, description="One of these is enough.")
    all: tuple[AssetCondition, ...] | None = Field(
        None, strict=False, description="Each of these must have been updated since the last run."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """As the file may spell it: entries may be bare names, and there is no null."""
        schema = handler.resolve_ref_schema(handler(core))
        for form, field in schema["properties"].items():
            kind = field["anyOf"][0]
            if form in ("any", "all"):
                kind = {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT, kind["items"]]}}
            else:
                kind = dict(_TEXT)
            schema["properties"][form] = {**kind, "description": field["description"]}
        return schema

    def names(self) -> Iterator[str]:
        """Every asset that is spoken of."""
        if self.name is not None:
            yield self.name
        for part in (*(self.any or ()), *(self.all or ())):
            yield from part.names()


def _spelled_out(value: Any) -> Any:
    """The mapping that a name or a list stands for. All that is wrong is said here, in the file's own words:
    the types above see one spelling only."""
    if isinstance(value, AssetCondition) or value is None:
        return value
    if found := list(_mistakes(value, ())):
        raise Mistakes(*found)
    return _mapping(value)


def _mapping(value: Any) -> Any:
    match value:
        case [only]:
            return _mapping(only)
        case list() | tuple():
            return {"any": [_mapping(entry) for entry in value]}
        case {"any": [*entries]}:
            return _mapping(entries)
        case {"all": [only]}:
            return _mapping(only)
        case {"all": [*entries]}:
            return {"all": [_mapping(entry) for entry in entries]}
        case str():
            return {"name": value}
    return value


def _mistakes(value: Any, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    match value:
        case str():
            yield from _name_mistakes(value, at)
        case [] | ():
            yield at, "needs at least one asset, has none"
        case list() | tuple():
            for index, entry in enumerate(value):
                yield from _mistakes(entry, (*at, index))
        case dict():
            yield from _mapping_mistakes({key: one for key, one in value.items() if one is not None}, at)
        case _:
            yield at, f"must be an asset's name, a list of names, or a mapping of any or all, not {value!r}"


def _mapping_mistakes(value: dict[Any, Any], at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    unknown = [key for key in value if key not in _KEYS]
    for key in unknown:
        hint = nearest(str(key), _KEYS) or f"known here: {', '.join(_KEYS)}"
        yield (*at, key), f"unknown key; {hint}"
    if unknown:
        return
    given = [form for form in _FORMS if form in value]
    if len(given) != 1:
        yield at, "give one of name, any, all"
        return
    if given == ["name"]:
        named = value["name"]
        if isinstance(named, str):
            yield from _name_mistakes(named, (*at, "name"))
        else:
            yield (*at, "name"), f"must be text, not {named!r}"
    elif isinstance(entries := value[given[0]], list | tuple):
        yield from _mistakes(entries, (*at, given[0]))
    else:
        yield (*at, given[0]), "must be a list of assets"
    uri = value.get("uri")
    if uri is not None and (given != ["name"] or not isinstance(uri, str) or "://" not in uri):
        yield (*at, "uri"), "is the URI of one named asset, as in s3://raw/flights"
    elif isinstance(uri, str) and uri.lower().startswith("airflow:"):
        yield (*at, "uri"), "Airflow keeps the scheme airflow:// for itself"


def _name_mistakes(name: str, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if not name.strip() or not name.isascii() or len(name) > _LONGEST or name in ("self", "context"):
        yield at, f"{name[:60]!r} is no asset's name: Airflow takes ASCII text, and neither self nor context"


class _ShortSpellings:
    """A name and a list in the JSON Schema, beside the mapping."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        mapping, nothing = handler(core)["anyOf"]
        several = {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT, mapping]}}
        return {"anyOf": [_TEXT, several, mapping, nothing]}


Assets = Annotated[AssetCondition | None, BeforeValidator(_spelled_out), _ShortSpellings]


class Watch(Part):
    """Something outside of Airflow whose changes start a run: the triggerer looks, and updates an asset."""

    type: Name = Field(
        description="``files``, or a name of the entry point group ``airflow_mlops.watch_triggers``.",
    )
    name: Name | None = Field(
        None, description="The asset it updates is <model>/<name>; the type, if not given."
    )
    path: str | None = Field(
        None,
        min_length=1,
        description="Of files: a file or a glob; a relative path is looked up inside the store.",
    )
    poll_interval: ExactPeriodText = Field(
        "30 seconds", description="Of files: how often it looks. A file counts when two looks see it alike."
    )
    params: Params = Field(default_factory=dict, description="Keyword arguments of a type that is not ours.")

    @model_validator(mode="after")
    def _files_have_a_path(self) -> Self:
        if self.type == "files" and self.path is None:
            raise ValueError("type files needs 'path', a file or a glob")
        if self.type == "files" and self.params:
            raise Mistakes((("params",), "type files takes path and poll_interval, no params"))
        if self.type != "files":
            found = [
                ((key,), f"belongs to type files; give a {self.type} its arguments under 'params'")
                for key in ("path", "poll_interval")
                if key in self.model_fields_set and getattr(self, key) != Watch.model_fields[key].default
            ]
            if found:
                raise Mistakes(*found)
        return self

    @property
    def label(self) -> str:
        """The last part of its asset's name."""
        return self.name or self.type
