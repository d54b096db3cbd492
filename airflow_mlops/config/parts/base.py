"""What every part of a YAML is made of: strict models, and the kinds of text and numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from airflow_mlops.config.cron import checked_cron
from airflow_mlops.core.windows import Period


class Mistakes(ValueError):
    """What a validator finds wrong further down: ``(path below the checked part, message)``, all at once.

    Pydantic keeps the exception, so the loader can point at each key instead of the whole part.
    """

    def __init__(self, *found: tuple[tuple[str | int, ...], str]) -> None:
        super().__init__("; ".join(message for _, message in found))
        self.found = found


class Part(BaseModel):
    """Frozen, refuses keys it does not know, and converts nothing: ``"3"`` and ``true`` are no numbers.

    Only lists are read as tuples (``strict=False`` on those fields), for YAML and JSON know no tuples. The
    whole is built when the first file is read, not each part by itself.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, ser_json_inf_nan="strings", defer_build=True
    )


# What a time of pandas can hold, in nanoseconds.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261


def _period_text(text: str) -> str:
    return str(Period.parse(text))


def _exact_period_text(text: str) -> str:
    period = Period.parse(text)
    if period.months:
        raise ValueError(f"{text!r} is not always equally long; say it in weeks, days, hours or minutes")
    return str(period)


def whole(value: Any) -> Any:
    """A literal compares by value, and ``True == 1 == 1.0``."""
    if type(value) is not int:
        raise ValueError(f"must be 1, 2 or 3, not {value!r}")
    return value


def _utc(value: Any) -> Any:
    """YAML dates arrive as text (the reader resolves no timestamps); a bare date is midnight UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not a moment such as 2013-01-01 or 2013-01-01T06:00Z") from error
    if isinstance(value, datetime) and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}, not in {value.year}")
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value


@dataclass(frozen=True, slots=True)
class Imported:
    """Marks text that is imported where a step runs, so that the allow-list finds it wherever it stands."""


_END = r"\Z"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text looks like, as a regular expression (``^...$``) that a JSON Schema may give, too.

    Python's engine reads it: in pydantic's own all of ours together take several times the memory of the rest
    of the types. Python's ``$`` would also stand before a newline at the end.
    """

    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(pattern=re.compile(self.pattern.removesuffix("$") + _END))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}


def shown_pattern(checked: str) -> str:
    """A shape's expression as it was given."""
    return checked.removesuffix(_END) + "$" if checked.endswith(_END) else checked


Name = Annotated[str, Shape(r"^[a-z][a-z0-9_]{0,63}$")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ImportPath = Annotated[str, Shape(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"), Imported()]
ClassPath = Annotated[str, Shape(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"), Imported()]
PeriodText = Annotated[str, AfterValidator(_period_text), Field(examples=["3 months", "14 days", "36h"])]
ExactPeriodText = Annotated[
    str, AfterValidator(_exact_period_text), Field(examples=["6 hours", "90 seconds"])
]
CronText = Annotated[str, AfterValidator(checked_cron), Field(examples=["@daily", "0 6 1 * *"])]
Moment = Annotated[
    datetime,
    BeforeValidator(_utc),
    WithJsonSchema({"type": "string", "examples": ["2013-01-01", "2013-01-01T06:00:00+00:00"]}),
]
Share = Annotated[float, Field(ge=0, le=1)]
Params = dict[str, Any]
