"""The JSON Schemas of a model's YAML, its layers and policies, for editors and for other checkers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Language = Literal["model", "layer", "policy"]
# What the functions below gave when the package was made: files, so that an editor can be pointed at them.
SCHEMA_FILES: Mapping[Language, Path] = {
    language: Path(__file__).with_name(f"{language}.schema.json") for language in get_args(Language)
}

# What an editor offers at a key. The table stands here and not at the fields: it is for nothing else.
EXAMPLES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "": {
        "model": ("flight_delay",),
        "description": ("Will a flight arrive more than 15 minutes late?",),
        "owner": ("flight-operations",),
        "tags": (["example", "flights"],),
    },
    "Schedule": {
        "timezone": ("UTC", "America/New_York"),
        "assets": ("raw/flights", ["raw/flights", "raw/weather"], {"all": ["raw/flights", "raw/weather"]}),
        "watch": ([{"type": "files", "path": "inbox/flights/*.parquet"}],),
    },
    "NamedTimetable": {
        "name": ("EventsTimetable", "MultipleCronTriggerTimetable", "my_plugin.timetables.Workdays"),
        "params": ({"event_dates": ["2026-03-01T06:00Z", "2026-04-01T06:00Z"]},),
    },
    "Watch": {"path": ("inbox/flights/*.parquet",)},
    "WebhookAlert": {"conn_id": ("alerts",), "endpoint": ("/hooks/mlops",)},
    "AlertRoute": {"events": (["drift", "decay"], ["promoted", "rolled_back"])},
    "Alerts": {"severity": ({"drift": "info"},)},
    "SlackWebhookAlert": {"conn_id": ("slack_default",)},
    "SmtpAlert": {"conn_id": ("smtp_default",), "to": (["mlops@example.com"],)},
    "Execution": {"pool": ("training",), "queue": ("gpu",)},
    "PythonSource": {"callable": ("flight_delay.data:flights",), "params": ({"airport": "JFK"},)},
    "ParquetSource": {"path": ("inbox/flight_delay/*.parquet", "/data/flights/2013-*.parquet")},
    "Data": {
        "time_column": ("departs_at",),
        "key": ("flight_id",),
        "label": ("late",),
        "group": ("patient_id",),
        "features": ({"carrier": "categorical", "distance": "numeric"},),
        "known_at": ({"refunds": "refunded_at", "*": "loaded_at"},),
    },
    "Leakage": {"ignore": (["distance"],)},
    "Validation": {"suite": ("expectations.json",)},
    "ExpectationConfig": {
        "type": ("expect_column_values_to_not_be_null", "expect_column_values_to_be_between"),
        "kwargs": ({"column": "distance", "min_value": 10, "max_value": 5500},),
    },
    "Retraining": {
        "hold_back": (["new_data"],),
        "quiet": ([{"hours": "08:00-18:00", "days": ["mon", "tue", "wed", "thu", "fri"]}],),
    },
    "QuietHours": {"hours": ("08:00-18:00", "22:00-06:00")},
    "Training": {
        "callable": ("flight_delay.model:train",),
        "estimator": (
            "sklearn.ensemble.HistGradientBoostingClassifier",
            "sklearn.linear_model.LogisticRegression",
        ),
        "params": ({"max_depth": 3},),
        "trusted_types": (["lightgbm.sklearn.LGBMClassifier"],),
    },
    "EvaluationConfig": {
        "metrics": (
            ["roc_auc", "log_loss"],
            ["root_mean_squared_error", {"metric": "mean_pinball_loss", "params": {"alpha": 0.9}}],
        )
    },
    "MetricItem": {
        "name": ("ndcg_at_10", "cost"),
        "params": ({"k": 10},),
        "callable": ("flight_delay.metrics:minutes_lost",),
        "cost": ({"false_positive": 10, "false_negative": "amount"},),
    },
    "Gates": {
        "rules": (
            [
                {"type": "threshold", "metric": "roc_auc", "minimum": 0.7},
                {"type": "champion", "metric": "log_loss", "margin": 0.01},
            ],
        )
    },
    "Drift": {
        "features": ({"distance": {"method": "wasserstein", "threshold": 0.2}},),
        "freshness": ("1 hour",),
    },
    "DriftSlices": {"by": (["carrier", ["origin", "weekday"]],), "edges": ({"distance": [500, 1500]},)},
    "Score": {
        "path": ("predictions/{model}/date={partition}",),
        "keep": (["region", "plan"],),
        "shadow_share": (0.1,),
        "chunk": ("1 hour",),
    },
    "Deploy": {
        "approval": (True, {"users": ["ada", "grace"], "four_eyes": True, "timeout": "2 days"}),
        "steps": ([0.1, 0.5],),
    },
    "SageMakerTargetConfig": {
        "endpoint": ("churn",),
        "role": ("arn:aws:iam::123456789012:role/sagemaker-models",),
        "image": ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow-pyfunc:3.17.2",),
        "model_data": ("s3://churn-models/versions",),
        "region": ("eu-west-1",),
        "subnets": (["subnet-0a1b2c3d"],),
        "security_groups": (["sg-0a1b2c3d"],),
    },
    "SageMakerGuardrails": {"alarms": (["churn-5xx", "churn-latency"],)},
    "Multivariate": {
        "columns": (["carrier", "distance", "temp"],),
        "groups": ({"title_embedding": ["title_*"]},),
    },
    "Quality": {"metric": ("log_loss",), "margin": (0.01,), "minimum_labels": (500,)},
    "BusinessMetric": {
        "name": ("orders_per_visit",),
        "query": (
            'sum(increase(orders_total{version="$challenger"}[$elapsed])) / '
            'sum(increase(visits_total{version="$challenger"}[$elapsed]))',
        ),
        "minimum": (0.02,),
    },
    "Approval": {"users": (["ada", "grace"],), "timeout": ("2 days",)},
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


def file_schema(language: Language) -> dict[str, Any]:
    """The schema of a file as people write it: with ``vars``, and ``${...}`` where a value may stand."""
    match language:
        case "model":
            schema = json_schema()
            return _with_references({**schema, "properties": schema["properties"] | _VARS})
        case "layer":
            return _with_references(_layer(json_schema()))
        case "policy":
            return _policy()


def schema_text(language: Language) -> str:
    """``file_schema(language)`` as it is written to its file."""
    return json.dumps(file_schema(language), indent=2, ensure_ascii=False) + "\n"


_VARS: Mapping[str, Any] = {
    "vars": {
        "type": "object",
        "additionalProperties": True,
        "description": "Values with names of their own: ${vars.name} elsewhere stands for one, in this file "
        "and in those below.",
        "examples": [{"bucket": "/data/prod", "rows": 5000}],
    }
}
_LOCKED: Mapping[str, Any] = {
    "locked": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Keys that no later layer, and no model, may say otherwise.",
        "examples": [["deploy.approval", "gates.minimum_rows"]],
    }
}
_REFERENCE: Mapping[str, Any] = {
    "type": "string",
    "pattern": r"\$\{[^{}]*\}",
    "description": "A variable, as in ${vars.rows}, ${model} or ${profile}.",
}


def _layer(schema: dict[str, Any]) -> dict[str, Any]:
    """All that a model's file may say but its name, and none of it needed: a layer gives a part."""
    properties = {key: one for key, one in schema["properties"].items() if key != "model"}
    for part in [schema, *schema["$defs"].values()]:
        part.pop("required", None)
    for part in schema["$defs"].values():
        for field in part.get("properties", {}).values():
            for kind in (field, field.get("items", {})):
                if "oneOf" in kind:  # without a type the half of one may be half of another as well
                    kind["anyOf"] = kind.pop("oneOf")
                    kind.pop("discriminator", None)
    return {
        **schema,
        "title": "Defaults or a profile of airflow-mlops",
        "description": "defaults.yaml, or profiles/NAME.yaml: what the models at and below its folder say "
        "where their own files are silent.",
        "examples": [{"apiVersion": "airflow-mlops/v1", "owner": "growth", "execution": {"retries": 3}}],
        "properties": {**properties, **_VARS, **_LOCKED},
        "required": ["apiVersion"],
    }


def _policy() -> dict[str, Any]:
    from airflow_mlops.config.policy import Policy

    schema = Policy.model_json_schema(mode="validation")
    for part in [schema, *schema["$defs"].values()]:
        _annotate(part, {}, schema["$defs"])
    about = "policy.yaml: what an organisation asks of every model at and below its folder."
    rule = {"name": "a model has an owner", "key": "owner", "given": True}
    example = {"apiVersion": "airflow-mlops/v1", "rules": [rule]}
    named = {"$schema": DIALECT, "title": "A policy of airflow-mlops", "description": about}
    return {**schema, **named, "examples": [example]}


def _with_references(schema: dict[str, Any]) -> dict[str, Any]:
    """A number, a word or a list may be a reference as well; free text may hold one in any case."""
    for part in [schema, *schema["$defs"].values()]:
        for key, field in part.get("properties", {}).items():
            if key not in _LITERAL and _is_bound(field):
                told = {name: field.pop(name) for name in _ANNOTATIONS if name in field}
                items = field.get("items", {"$ref": ""})
                if _is_bound(items) or any("enum" in kind for kind in items.get("anyOf", ())):
                    field["items"] = {"anyOf": [field["items"], {"$ref": "#/$defs/Reference"}]}
                kinds = field.get("anyOf") if list(field) == ["anyOf"] else [field]
                part["properties"][key] = {**told, "anyOf": [*kinds, {"$ref": "#/$defs/Reference"}]}
    return {**schema, "$defs": {**schema["$defs"], "Reference": dict(_REFERENCE)}}


# Keys that decide what the rest of a part means, or that are about references themselves.
_LITERAL = ("apiVersion", "model", "type", "vars", "locked")
_ANNOTATIONS = ("description", "default", "examples")


def _is_bound(field: Mapping[str, Any]) -> bool:
    """Whether a schema refuses some text, and is no part with keys of its own."""
    if "$ref" in field or "oneOf" in field or field.get("type") == "object":
        return False
    if kinds := field.get("anyOf"):
        # A part may stand beside a value: true, or who is asked.
        plain = [kind for kind in kinds if "$ref" not in kind and kind.get("type") != "null"]
        return bool(plain) and all(_is_bound(kind) for kind in plain)
    return field.get("type") != "string" or "pattern" in field or "enum" in field


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
