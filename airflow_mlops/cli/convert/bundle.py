"""A Databricks bundle's files: databricks.yml, what it includes, and its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from airflow_mlops.cli.convert.draft import Left
from airflow_mlops.cli.convert.reading import Node, Place, read_yaml

FILES = ("databricks.yml", "databricks.yaml")
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """``resources`` is kind to name to node, over all files; ``left`` are parts that were not looked into."""

    path: Path
    root: Node
    resources: Mapping[str, Mapping[str, Node]]
    left: list[Left] = field(default_factory=list)

    @property
    def name(self) -> str:
        node = self.root.at("bundle", "name")
        return node.text if node is not None else ""

    def resolved(self, node: Node) -> Node:
        """With the bundle's own variables in place of ``${var.name}``, where they have a default; a reference
        to anything else (the target, the workspace, the environment) stays as it is."""
        if not isinstance(node.value, str):
            return node
        text = node.value
        for _ in range(3):  # a default may name another variable
            text = _REFERENCE.sub(lambda found: self._variable(found[1], found[0]), text)
        return replace(node, value=text)

    def _variable(self, reference: str, otherwise: str) -> str:
        if reference == "bundle.name":
            return self.name or otherwise
        kind, _, name = reference.partition(".")
        default = self.root.at("variables", name, "default") if kind == "var" else None
        return default.text if default is not None and default.text else otherwise


def find_bundle(source: Path) -> Path:
    """The databricks.yml of a folder: in it, or in the one folder below it that has one, as mlops-stacks
    generates it. Raises ``click.ClickException`` otherwise."""
    here = [source / name for name in FILES if (source / name).is_file()]
    below = sorted(path for name in FILES for path in source.glob(f"*/{name}") if path.is_file())
    found = here or below
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.ClickException(f"{source} holds no databricks.yml; a dag-factory source is one YAML file")
    listed = ", ".join(map(str, found))
    raise click.ClickException(f"{source} holds several bundles ({listed}); give one of them")


def read_bundle(path: Path, root: Node) -> Bundle:
    """The bundle with the files that it includes; those that it does not are not deployed, and not read."""
    left: list[Left] = []
    resources: dict[str, dict[str, Node]] = {}
    included = _included(path, root, left)
    for part in [root, *(read_yaml(file) for file in included)]:
        for kind, group in part.entries.get("resources", Node({}, root.place)).entries.items():
            resources.setdefault(kind, {}).update(group.entries)
    for file in sorted((path.parent / "resources").glob("*.y*ml")):
        if file.resolve() not in {one.resolve() for one in included}:
            why = (
                f"{path.name} does not include it, so Databricks does not deploy it; include it to convert it"
            )
            left.append(Left(Place(str(file), 1, 1), "the file", why))
    return Bundle(path, root, resources, left)


def _included(path: Path, root: Node, left: list[Left]) -> list[Path]:
    """Files that the include patterns find, in their order; nothing outside the bundle's folder is read."""
    found: list[Path] = []
    folder = path.parent.resolve()
    patterns = root.at("include")
    for node in patterns.items if patterns is not None else []:
        pattern = node.text.removeprefix("./")
        if not pattern or pattern.startswith("/") or ".." in Path(pattern).parts:
            left.append(Left(node.place, f"include {node.text}", "lies outside the bundle's folder"))
            continue
        try:
            files = [file for file in sorted(path.parent.glob(pattern)) if file.is_file() and file != path]
        except ValueError as error:
            left.append(Left(node.place, f"include {node.text}", f"no pattern of files: {error}"))
            continue
        if not files:
            left.append(Left(node.place, f"include {node.text}", "there is no such file"))
        for file in files:
            if not file.resolve().is_relative_to(folder):
                left.append(
                    Left(node.place, f"include {file}", "a link that leads out of the bundle's folder")
                )
            elif file not in found:
                found.append(file)
    return found
