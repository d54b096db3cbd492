"""A DAG bundle for a folder of models' YAML files: each run keeps the files it started with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.bundles.folder import ConfigFolderBundle

__all__ = ["ConfigFolderBundle"]


def __getattr__(name: str) -> Any:
    if name == "ConfigFolderBundle":
        from airflow_mlops.bundles.folder import ConfigFolderBundle

        return ConfigFolderBundle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
