"""Models' YAML files as people write them, in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_MODEL = """\
apiVersion: airflow-mlops/v1
model: {name}
description: Will it rain tomorrow?
owner: weather
tags: [forecasts]
level: {level}
task: binary_classification
data:
  source: {{type: parquet, path: rain.parquet}}
  time_column: day
  key: station
  label: rain
  features: {{pressure: numeric, cloud: categorical}}
  window: {{length: 3 months}}
  holdout: {{length: 14 days}}
training:
  estimator: sklearn.linear_model.LogisticRegression
evaluation:
  metrics: [roc_auc]
gates:
  rules:
    - {{type: threshold, metric: roc_auc, minimum: 0.6}}
{more}"""

_WATCHED = """\
schedule: {cron: "@monthly", start: 2026-01-01, timezone: Europe/Paris}
monitor:
  cron: "@daily"
  labels:
    source: {type: parquet, path: labels.parquet}
  performance: {metric: roc_auc}
"""


@pytest.fixture
def model_yaml(tmp_path: Path) -> Callable[..., Path]:
    """``model_yaml(name, level=1, more="", at=None)``: write a model's YAML, ``<name>.yaml`` in the test's
    folder unless ``at`` says otherwise. A model of level 3 is scheduled and watched, as it must be.
    """

    def write(name: str = "rain", level: int = 1, more: str = "", at: str | None = None) -> Path:
        path = tmp_path / (at or f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_MODEL.format(name=name, level=level, more=(_WATCHED if level == 3 else "") + more))
        return path

    return write
