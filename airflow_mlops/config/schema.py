"""The JSON Schema of a model's YAML, for editors and for other checkers."""

from __future__ import annotations

from typing import Any

from airflow_mlops.config.models import ModelConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12 of the whole file. It knows shapes, names and ranges; what parts ask of one another
    (metrics that fit the task, windows longer than the holdout) only the linter knows.
    """
    schema = ModelConfig.model_json_schema(mode="validation")
    schema.pop("description", None)
    return {
        "$schema": DIALECT,
        "title": "A model of airflow-mlops",
        "description": "One YAML file describes one model: what it learns from, what it must prove, how it "
        "is shipped and watched.",
        **{key: value for key, value in schema.items() if key != "title"},
    }
