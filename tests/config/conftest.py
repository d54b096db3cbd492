"""The smallest model that is complete, with more at the end of its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()


@pytest.fixture
def load(tmp_path: Path):
    def load(more: str) -> ModelConfig:
        path = tmp_path / "wine.yaml"
        path.write_text(f"{MINIMAL}{more}\n")
        return load_model(path).config

    return load
