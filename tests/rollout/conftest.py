"""One configuration, from a real YAML."""

from __future__ import annotations

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig

YAML = """\
apiVersion: airflow-mlops/v1
model: churn
owner: tests
level: 2
schedule: {start: 2024-01-01}
task: binary_classification
data:
  source: {type: parquet, path: "rows/*.parquet"}
  time_column: at
  key: id
  label: churned
  features: {age: numeric}
  window: {start: 2024-01-01}
  holdout: {length: 10 days}
validation: {expectations: [{type: expect_column_values_to_not_be_null, kwargs: {column: age}}]}
training: {estimator: sklearn.linear_model.LogisticRegression}
evaluation: {metrics: [roc_auc]}
gates: {rules: [{type: threshold, metric: roc_auc, minimum: 0.6}]}
"""


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    path = tmp_path_factory.mktemp("config") / "churn.yaml"
    path.write_text(YAML)
    return load_model(path).config
