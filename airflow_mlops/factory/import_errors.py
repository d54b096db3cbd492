"""DAGs that never become one: Airflow files why under the YAML's own path, and no other model is hidden."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_mlops.exceptions import ConfigError

# MySQL keeps 65,535 bytes of an import error; one that is too long would take the others along.
_LONGEST = 15_000


class BrokenConfig(DAG):
    """Stands in for a YAML that cannot be read; it never becomes a DAG.

    The DAG processor files a serialisation error under the DAG's ``relative_fileloc``. An error under the
    loader's own path would mark every DAG of the loader stale, so this one answers the YAML's path and
    refuses to be serialised. A file importer of our own would be the plain way (AIP-85), but the
    processor of Airflow 3.3 lists ``.py`` files only. What it leans on is listed in ``contract.py``.
    """

    config_path: Path
    message: str
    _root: Path | None = None

    @property  # an attribute in DAG, which Airflow sets to the path of the loader
    def relative_fileloc(self) -> str:
        path = self.config_path
        if self._root is not None and path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        return storable(str(path))

    @relative_fileloc.setter
    def relative_fileloc(self, loader: str | None) -> None:
        """Airflow tells where the loader lies below its bundle; what is left of its path is the bundle."""
        if loader and self.fileloc.endswith(loader):
            self._root = Path(self.fileloc.removesuffix(loader))

    def get_serialized_fields(self) -> Any:  # type: ignore[override]  # an instance's refusal
        raise _refusal(self.message)


class ListedProblems(DAG):
    """All broken YAMLs for a command that lists what it has parsed itself. It refuses to be put into the
    list of DAGs, and its message becomes the loader's import error there: in nobody's database."""

    message: str

    def validate(self) -> None:
        raise _refusal(self.message)


def broken_config(path: Path, message: str) -> BrokenConfig:
    """A stand-in for the YAML at ``path`` (absolute) whose import error will read ``message``."""
    name = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    dag = BrokenConfig(f"broken_config.{name}", auto_register=False, tags=["broken"])
    dag.config_path = path
    dag.message = storable(message)
    return dag


def listed_problems(messages: list[str]) -> ListedProblems:
    dag = ListedProblems("broken_configs", auto_register=False)
    dag.message = storable("\n\n".join(messages))
    return dag


def storable(text: str) -> str:
    """What every database takes: of a bounded length, without NUL bytes and what is not Unicode. Snippets
    and the names of files may hold either."""
    plain = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(plain) <= _LONGEST:
        return plain
    return plain[:_LONGEST] + "\n… and more, which `airflow-mlops lint` shows"


def _refusal(message: str) -> ConfigError:
    """The error in the form that Airflow passes through as it is, without wrapping it in a second one."""
    from airflow.exceptions import SerializationError  # the processor has airflow-core; a worker may not

    kind = type("BrokenYaml", (ConfigError, SerializationError), {"__module__": __name__})
    error: ConfigError = kind(message)
    return error
