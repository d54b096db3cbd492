"""What a model's own tests are handed: by the preflight of a run, or by hand on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.model_tests import CONFIG_FILE, FOLDER_VARIABLE, SAMPLE_FILE
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig

if TYPE_CHECKING:
    import pandas as pd


def handed_config(yaml: str | None) -> ModelConfig:
    """The run's configuration, or that of a YAML."""
    if (folder := _folder()) is not None:
        return ModelConfig.model_validate_json((folder / CONFIG_FILE).read_bytes())
    if yaml is None:
        pytest.skip("runs in a preflight; by hand, give --mlops-model=dags/your_model.yaml")
    return load_model(Path(yaml)).config


def handed_sample(parquet: str | None) -> pd.DataFrame:
    """The run's sample, or the rows of a Parquet file."""
    if (folder := _folder()) is not None:
        return parquet_bytes.from_bytes((folder / SAMPLE_FILE).read_bytes())
    if parquet is None:
        pytest.skip("runs in a preflight; by hand, give --mlops-sample=rows.parquet")
    return parquet_bytes.from_bytes(Path(parquet).read_bytes())


def _folder() -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None
