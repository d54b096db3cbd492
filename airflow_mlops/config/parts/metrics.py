"""The metrics there are, and which task each is for."""

from __future__ import annotations

from typing import Literal

from airflow_mlops.core.values import TaskKind

Metric = Literal[
    "roc_auc", "log_loss", "average_precision", "brier_score", "accuracy", "f1",
    "mean_absolute_error", "root_mean_squared_error", "r2",
]  # fmt: skip

METRICS_OF: dict[TaskKind, frozenset[str]] = {
    "binary_classification": frozenset(
        {"roc_auc", "log_loss", "average_precision", "brier_score", "accuracy", "f1"}
    ),
    "multiclass_classification": frozenset({"log_loss", "accuracy", "f1"}),
    "regression": frozenset({"mean_absolute_error", "root_mean_squared_error", "r2"}),
}
