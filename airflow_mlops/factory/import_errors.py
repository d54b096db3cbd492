"""How a broken YAML shows in Airflow's UI under its own path, without hiding any other model."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from airflow_mlops.exceptions import ConfigError


def can_be_shown() -> bool:
    """Whether this process is the DAG processor's parser of a whole file.

    Everywhere else (a task, ``dags reserialize``, ``tasks test``) a DAG that cannot be serialised would
    stop the command instead of becoming a line in the UI.
    """
    return os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "client" and get_parsing_context().dag_id is None


class BrokenConfig(DAG):
    """Stands in for a YAML that cannot be read; it never becomes a DAG.

    The DAG processor files a serialisation error under the DAG's ``relative_fileloc``. An error under the
    loader's own path would mark every DAG of the loader stale, so this one answers the YAML's path and
    refuses to be serialised. A file importer of our own would be the plain way (AIP-85), but the
    processor of Airflow 3.3 lists ``.py`` files only.
    """

    config_path: Path
    message: str
    _root: Path | None = None

    @property  # an attribute in DAG, which Airflow sets to the path of the loader
    def relative_fileloc(self) -> str:
        path = self.config_path
        if self._root is not None and path.is_relative_to(self._root):
            return str(path.relative_to(self._root))
        return str(path)

    @relative_fileloc.setter
    def relative_fileloc(self, loader: str | None) -> None:
        """Airflow tells where the loader lies below its bundle; what is left of its path is the bundle."""
        if loader and self.fileloc.endswith(loader):
            self._root = Path(self.fileloc.removesuffix(loader))

    def get_serialized_fields(self) -> Any:  # type: ignore[override]  # an instance's refusal
        raise _refusal(self.message)


def broken_config(path: Path, message: str) -> BrokenConfig:
    """A stand-in for the YAML at ``path`` (absolute) whose import error will read ``message``."""
    name = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    dag = BrokenConfig(f"broken_config.{name}", auto_register=False, tags=["broken"])
    dag.config_path = path
    dag.message = message
    return dag


def is_admitted(stand_in: BrokenConfig) -> bool:
    """Whether the deployment's cluster policies let the stand-in pass. One that they refuse (it has neither
    tasks nor an owner) would be an error under the loader's path, where it hides every model."""
    from airflow import settings

    try:
        settings.dag_policy(stand_in)  # type: ignore[no-untyped-call]  # Airflow left it bare
    except Exception:  # noqa: BLE001 (whatever a policy raises is a refusal)
        return False
    return True


def _refusal(message: str) -> ConfigError:
    """The error in the form that Airflow passes through as it is, without wrapping it in a second one."""
    from airflow.exceptions import SerializationError  # the processor has airflow-core; a worker may not

    kind = type("BrokenYaml", (ConfigError, SerializationError), {"__module__": __name__})
    error: ConfigError = kind(message)
    return error
