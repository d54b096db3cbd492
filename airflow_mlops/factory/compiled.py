"""What rendering a model needs. Making it costs the YAML reader and the types, so whoever finds it in the
cache imports neither."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_mlops.plan.graph import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_mlops.config.layers import Dependency
    from airflow_mlops.config.load import LoadedModel
    from airflow_mlops.config.site import Site


class ConfigText(Mapping[str, Any]):
    """A configuration's JSON, read when somebody looks into it: as values it takes ten times the memory, and
    a parse of a thousand models looks into none."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return self.text

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.text)
        return values


class Compiled(NamedTuple):
    """A model's plan, and its configuration as JSON values, which its operators read when they run. Where
    the YAML lies is not in it: equal files give equal values in every version of a bundle."""

    config: ConfigText
    plan: Plan


def compile_file(path: Path, site: Site) -> tuple[Compiled, tuple[Dependency, ...]]:
    """Read and check one YAML with its layers, and say which files decided. Raises ``ConfigError``."""
    loaded = read_file(path, site)
    return compiled(loaded), loaded.dependencies


def read_file(path: Path, site: Site) -> LoadedModel:
    """One YAML with its layers. Raises ``ConfigError``."""
    from airflow_mlops.config.load import load_model

    return load_model(path, site)


def compiled(loaded: LoadedModel) -> Compiled:
    """What is rendered of a configuration."""
    from airflow_mlops.plan.compile import compile_plan

    return Compiled(ConfigText(loaded.text), compile_plan(loaded.config, loaded.digest))
