"""The JSON Schema of a model's YAML, for editors and for other checkers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# What json_schema() gave when the package was made: a file, so that an editor can be pointed at it.
SCHEMA_FILE = Path(__file__).with_name("model.schema.json")

# What an editor offers at a key. The table stands here and not at the fields: it is for nothing else.
EXAMPLES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "": {
        "model": ("flight_delay",),
        "description": ("Will a flight arrive more than 15 minutes late?",),
        "owner": ("flight-operations",),
        "tags": (["example", "flights"],),
    },
    "Schedule": {"timezone": ("UTC", "America/New_York")},
    "PythonSource": {"callable": ("flight_delay.data:flights",), "params": ({"airport": "JFK"},)},
    "ParquetSource": {"path": ("inbox/flight_delay/*.parquet", "/data/flights/2013-*.parquet")},
    "Data": {
        "time_column": ("departs_at",),
        "key": ("flight_id",),
        "label": ("late",),
        "features": ({"carrier": "categorical", "distance": "numeric"},),
    },
    "Validation": {"suite": ("expectations.json",)},
    "ExpectationConfig": {
        "type": ("expect_column_values_to_not_be_null", "expect_column_values_to_be_between"),
        "kwargs": ({"column": "distance", "min_value": 10, "max_value": 5500},),
    },
    "Training": {
        "callable": ("flight_delay.model:train",),
        "estimator": (
            "sklearn.ensemble.HistGradientBoostingClassifier",
            "sklearn.linear_model.LogisticRegression",
        ),
        "params": ({"max_depth": 3},),
        "trusted_types": (["lightgbm.sklearn.LGBMClassifier"],),
    },
    "EvaluationConfig": {"metrics": (["roc_auc", "log_loss"], ["root_mean_squared_error", "r2"])},
    "Gates": {
        "rules": (
            [
                {"type": "threshold", "metric": "roc_auc", "minimum": 0.7},
                {"type": "champion", "metric": "log_loss", "margin": 0.01},
            ],
        )
    },
    "Canary": {"steps": ([0.1, 0.5],)},
    "Compute": {"python": ("/opt/training/bin/python",)},
}
WHOLE_FILE: Mapping[str, Any] = {
    "apiVersion": "airflow-mlops/v1",
    "model": "churn",
    "owner": "growth",
    "level": 1,
    "task": "binary_classification",
    "schedule": {"cron": "@weekly", "start": "2026-01-01"},
    "data": {
        "source": {"type": "python", "callable": "churn.data:customers"},
        "time_column": "seen_at",
        "key": "customer_id",
        "label": "churned",
        "features": {"age": "numeric", "spend": "numeric", "plan": "categorical"},
        "window": {"length": "6 months"},
        "holdout": {"length": "14 days"},
    },
    "training": {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"},
    "evaluation": {"metrics": ["roc_auc", "log_loss"]},
    "gates": {"rules": [{"type": "threshold", "metric": "roc_auc", "minimum": 0.7}]},
}


def json_schema() -> dict[str, Any]:
    """Draft 2020-12 of the whole file. It knows shapes, names and ranges; what parts ask of one another
    (metrics that fit the task, windows longer than the holdout) only the linter knows.
    """
    # Not at the top: who only wants the file need not wait for the types.
    from airflow_mlops.config.models import ModelConfig

    schema = ModelConfig.model_json_schema(mode="validation")
    schema.pop("description", None)
    for name, part in [("", schema), *schema["$defs"].items()]:
        _annotate(part, EXAMPLES.get(name, {}), schema["$defs"])
    return {
        "$schema": DIALECT,
        "title": "A model of airflow-mlops",
        "description": "One YAML file describes one model: what it learns from, what it must prove, how it "
        "is shipped and watched.",
        "examples": [dict(WHOLE_FILE)],
        **{key: value for key, value in schema.items() if key != "title"},
    }


def schema_text() -> str:
    """``json_schema()`` as it is written to ``SCHEMA_FILE``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _annotate(
    part: dict[str, Any], examples: Mapping[str, tuple[Any, ...]], definitions: Mapping[str, Any]
) -> None:
    """Pydantic's titles repeat the keys ("Time Column"), and editors print them above each description. A
    key without a description of its own gets that of the part, or parts, that may stand there.
    """
    for key, field in part.get("properties", {}).items():
        field.pop("title", None)
        if key in examples:
            field["examples"] = list(examples[key])
        if "description" not in field:
            kinds = field.get("oneOf") or field.get("anyOf") or [field]
            names = [kind["$ref"].rpartition("/")[2] for kind in kinds if "$ref" in kind]
            field["description"] = " Or: ".join(definitions[name]["description"] for name in names)
