"""The reference of the YAML file, from the JSON Schema that the types become."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

YAML_INTRO = """\
# The YAML file

<!-- Written by docs/generate.py from airflow_mlops/config. Change the types, then run `make docs`. -->

One file describes one model. `airflow-mlops lint` checks it, and `airflow-mlops schema` prints the same as a
JSON Schema for editors. A key that is not listed here is refused.

- **Moments** are written as `2026-01-01` or `2026-01-01T06:00Z`. Without a zone they are UTC.
- **Periods** are a number and a unit (months, weeks, days, hours, minutes or seconds), as in `3 months` or
  `14d`.
- **Import paths** are `package.module:function`. The code is loaded where the step runs, never when Airflow
  parses the file.
- Words that YAML readers disagree about (`yes`, `on`, `012`, `1_000`, `1:30`) are refused. Quote them, or
  write what is meant.
- Secrets do not belong here. Name an Airflow connection instead.
"""

LEVELS_INTRO = """\
## Levels

`level` fills in what the file leaves out. Each key may be given all the same.

| level | `deploy.automatic` | `deploy.approval` | `retraining.enabled` | `preflight.enabled` | monitor DAG |
|---|---|---|---|---|---|
"""


def yaml_page() -> str:
    """Every part of the file with its keys, in the order in which they stand in the types."""
    from airflow_mlops.config.schema import json_schema

    schema = json_schema()
    reference = _YamlReference(schema["$defs"])
    reference.add("The whole file", schema)
    return "\n".join([YAML_INTRO, LEVELS_INTRO + "\n".join(_levels()) + "\n", *reference.sections])


def _levels() -> Iterator[str]:
    from airflow_mlops.config.levels import PRESETS

    for level, preset in PRESETS.items():
        on = (preset.automatic, preset.approval, preset.retraining, preset.preflight)
        words = [f"`{str(value).lower()}`" for value in on]
        monitored = "if `monitor.cron` is given" if level < 2 else "yes"
        yield f"| {' | '.join([str(level), *words, monitored])} |"


class _YamlReference:
    """Sections of the parts of a JSON Schema; a part that is used twice is written once."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self.sections: list[str] = []
        self._definitions = definitions
        self._titles: dict[str, str] = {}

    def add(self, title: str, part: Mapping[str, Any], path: str = "") -> None:
        position = len(self.sections)
        self.sections.append("")
        required = part.get("required", ())
        later: list[tuple[str, str, str]] = []
        rows = []
        for name, field in part["properties"].items():
            below = f"{path}{name}"
            later += [(reference, below, kind) for reference, kind in _references(field)]
            for reference, kind in _references(field):
                self._titles.setdefault(reference, _title(below, kind))
            default = "required" if name in required else _default(field)
            rows.append(f"| `{name}` | {self._type(field)} | {default} | {self._meaning(field)} |")
        about = [as_markdown(part["description"]), ""] if path else []
        table = ["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""]
        self.sections[position] = "\n".join([f"## {title}", "", *about, *table])
        for reference, below, kind in later:
            if self._titles[reference] == _title(below, kind) and self._is_new(reference):
                self.add(_title(below, kind), self._definitions[reference], f"{below}.")

    def _is_new(self, reference: str) -> bool:
        head = f"## {self._titles[reference]}\n"
        return not any(section.startswith(head) for section in self.sections)

    def _meaning(self, field: Mapping[str, Any]) -> str:
        """Its description, else what the one part that it holds says of itself."""
        parts = [self._definitions[reference] for reference, _ in _references(field)]
        said: str = field.get("description") or (parts[0]["description"] if len(parts) == 1 else "")
        return as_markdown(said).replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")

    def _type(self, field: Mapping[str, Any]) -> str:
        if not field:
            return "values"
        match field:
            case {"anyOf": kinds}:
                return " or ".join(self._type(kind) for kind in kinds if kind.get("type") != "null")
            case {"$ref": _} | {"oneOf": _}:
                return " or ".join(self._link(reference) for reference, _ in _references(field))
            case {"const": value}:
                return f"`{value}`"
            case {"enum": values}:
                return ", ".join(f"`{value}`" for value in values)
            case {"type": "array", "items": items}:
                return f"list{_size(field)} of {self._type(items)}"
            case {"type": "object", "additionalProperties": dict() as values}:
                return f"mapping{_size(field)} of names to {self._type(values)}"
            case {"type": "object"}:
                return "mapping"
            case {"type": kind}:
                return f"{_WORDS[kind]}{_bounds(field)}"
        raise TypeError(f"no words for {field}")

    def _link(self, reference: str) -> str:
        title = self._titles[reference]
        anchor = "".join(c for c in title.lower() if c.isalnum() or c in " -_").replace(" ", "-")
        return f"[{title}](#{anchor})"


_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "pattern": "matching `{}`",
}


def _title(path: str, kind: str) -> str:
    return f"{path}, type {kind}" if kind else path


def _references(field: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names of the parts that a field holds, each with the ``type`` that tells it from the others."""
    match field:
        case {"oneOf": _, "discriminator": {"mapping": kinds}}:
            return [(reference.rpartition("/")[2], kind) for kind, reference in kinds.items()]
        case {"$ref": reference}:
            return [(reference.rpartition("/")[2], "")]
        case {"anyOf": kinds}:
            return [found for kind in kinds for found in _references(kind)]
        case {"type": "array", "items": items}:
            return _references(items)
        case {"type": "object", "additionalProperties": dict() as values}:
            return _references(values)
    return []


def _bounds(field: Mapping[str, Any]) -> str:
    said = [words.format(field[key]) for key, words in _LIMITS.items() if key in field]
    if field.get("examples"):
        said.append("as in " + ", ".join(f"`{example}`" for example in field["examples"]))
    return f", {', '.join(said)}".replace("|", "\\|") if said else ""


def _size(field: Mapping[str, Any]) -> str:
    least = field.get("minItems", field.get("minProperties"))
    return "" if least is None else f" (at least {least})"


def _default(field: Mapping[str, Any]) -> str:
    if _references(field) and field.get("default") is None:
        return "" if "default" in field else "the defaults of its keys"
    default = field.get("default")
    if isinstance(default, dict) and default:
        return "the defaults of its keys"
    return "" if default in (None, {}, [], "") else f"`{json.dumps(default)}`"


def as_markdown(text: str) -> str:
    """Docstrings mark code by two backticks, Markdown by one."""
    return text.replace("``", "`")
