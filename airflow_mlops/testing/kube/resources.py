"""Which kinds are served, under which paths and by which schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import yaml

Schema = dict[str, Any]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One served kind. ``immutable`` are paths of fields that never change after creation;
    ``counts_generations`` says whether a change of the spec counts ``metadata.generation`` up.
    ``custom`` kinds are validated and pruned as custom resources are."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    status: bool = False
    counts_generations: bool = True
    immutable: tuple[tuple[str, ...], ...] = ()
    schema: Schema = field(default_factory=dict, repr=False, compare=False, hash=False)
    custom: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As the messages have it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def full_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class Catalog:
    """The kinds that are served now: those of every cluster, and what custom resource definitions add."""

    def __init__(self) -> None:
        text = files(__package__).joinpath("builtin.yaml").read_text(encoding="utf-8")
        self._builtin = [
            Resource(**{**one, "immutable": tuple(map(tuple, one.get("immutable", ())))})
            for one in yaml.safe_load(text)["resources"]
        ]
        self._custom: dict[str, list[Resource]] = {}

    def __iter__(self) -> Iterator[Resource]:
        yield from self._builtin
        for resources in self._custom.values():
            yield from resources

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        for one in self:
            if (one.group, one.version, one.plural) == (group, version, plural):
                return one
        return None

    def install(self, definition: Object) -> None:
        """Serve what a CustomResourceDefinition defines."""
        spec = definition["spec"]
        self._custom[definition["metadata"]["name"]] = [
            Resource(
                spec["group"],
                version["name"],
                spec["names"]["kind"],
                spec["names"]["plural"],
                spec["scope"] == "Namespaced",
                "status" in version.get("subresources", {}),
                schema=version["schema"]["openAPIV3Schema"],
                custom=True,
            )
            for version in spec["versions"]
            if version["served"]
        ]

    def remove(self, name: str) -> None:
        self._custom.pop(name, None)


def shipped_definitions() -> list[Object]:
    """The custom resource definitions that come with this package, for this server or a real one."""
    found: list[Object] = []
    for file in files(__package__).joinpath("crds").iterdir():
        if file.name.endswith(".yaml"):
            found += [one for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]
    return found
