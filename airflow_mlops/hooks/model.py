"""From what a task is given as its model to that model's configuration and name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.config.described import Described

if TYPE_CHECKING:
    from airflow_mlops.config.models import ModelConfig


def config_of(model: Described | ModelConfig | str | Path, dag: Any) -> ModelConfig | None:
    """The configuration, where more than the model's name was given. A path's file is read now, which raises
    ``ConfigError`` where it is wrong; ``dag`` is the task's own, for the layers around the file."""
    from airflow_mlops.config.models import ModelConfig

    if isinstance(model, Described):
        return model.config
    if isinstance(model, ModelConfig):
        return model
    if not str(model).endswith((".yaml", ".yml")):
        return None
    from airflow_mlops.config.load import load_model
    from airflow_mlops.hooks.site import site_of_task

    path = Path(str(model))
    return load_model(path, site_of_task(path, dag)).config


def name_of(model: Described | ModelConfig | str | Path, dag: Any) -> str:
    """The model's name, which is what ledger and assets know it by."""
    config = config_of(model, dag)
    return config.model if config is not None else str(model)
