"""One configuration, from a real YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    return load_model(Path(__file__).parents[1] / "churn.yaml").config
