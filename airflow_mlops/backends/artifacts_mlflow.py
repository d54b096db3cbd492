"""Files of MLflow runs and models: through the server's proxy, else in the artifact store itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from airflow_mlops.backends.mlflow_rest import MlflowRest
from airflow_mlops.exceptions import BackendUnavailable

_PROXIED = "mlflow-artifacts:/"


class ArtifactFolder:
    """The files under one artifact URI, such as ``mlflow-artifacts:/1/<run>/artifacts`` or ``s3://...``.

    Proxied files need the server alone. For any other store MLflow's own client is imported, which needs
    that store's library and credentials in this process.
    """

    def __init__(self, rest: MlflowRest, uri: str) -> None:
        self._rest = rest
        self._uri = uri.rstrip("/")

    def read(self, path: str) -> bytes:
        """Raises ``KeyError`` if there is no such file, ``BackendUnavailable`` if the store is away."""
        if self._is_proxied:
            try:
                return self._rest.read_artifact(self._proxy_path(path))
            except KeyError as error:
                raise KeyError(path) from error
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(self._store().download_artifacts(path, folder)).read_bytes()
            except FileNotFoundError as error:
                raise KeyError(path) from error
            except Exception as error:  # each store raises its own library's errors
                if _says_missing(error):
                    raise KeyError(path) from error
                raise self._away(error) from error

    def write(self, path: str, body: bytes) -> None:
        """Put one file, replacing what was there."""
        if self._is_proxied:
            self._rest.write_artifact(self._proxy_path(path), body)
            return
        parent, _, name = path.rpartition("/")
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, name)
            local.write_bytes(body)
            try:
                self._store().log_artifact(str(local), parent or None)
            except Exception as error:  # each store raises its own library's errors
                raise self._away(error) from error

    def write_all(self, folder: Path) -> None:
        """Put every file below a local folder."""
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            self.write(file.relative_to(folder).as_posix(), file.read_bytes())

    @property
    def _is_proxied(self) -> bool:
        """``mlflow-artifacts://host/...`` names another server; MLflow's own client finds that one."""
        return self._uri.startswith(_PROXIED) and not self._uri.startswith(f"{_PROXIED}/")

    def _proxy_path(self, path: str) -> str:
        return f"{self._uri.removeprefix(_PROXIED)}/{path}"

    def _store(self) -> Any:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(self._uri)

    def _away(self, error: Exception) -> BackendUnavailable:
        return BackendUnavailable(
            f"the artifact store {self._uri} failed: {type(error).__name__}: {error}. Give this process the "
            "store's credentials, or start MLflow with `--serve-artifacts` so that the server is enough."
        )


def _says_missing(error: Exception) -> bool:
    """botocore's ClientError carries the answer; MLflow's own errors carry a code."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code in {"404", "NoSuchKey"} or getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"
