"""What an evaluation keeps with the training run in MLflow, by the names of the files."""

from __future__ import annotations

EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "predictions.parquet"
IMPORTANCE_FILE = "importance.json"
SMOKE_FILE = "smoke.json"
