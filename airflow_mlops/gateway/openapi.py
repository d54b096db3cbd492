"""The API described for its callers, with the champion's signature as the schema of a row."""

from __future__ import annotations

from typing import Any

from airflow_mlops.gateway.rows import Signature

_KINDS: dict[str, list[str]] = {
    "numeric": ["number", "boolean", "null"],
    "categorical": ["string", "integer", "boolean", "null"],
    "text": ["string", "null"],
}
_ROLLOUT = {"name": "rollout_id", "in": "path", "required": True, "schema": {"type": "string"}}


def openapi(model: str, signature: Signature | None, *, max_rows: int) -> dict[str, Any]:
    """An OpenAPI 3.1 document. Without a champion a row is any object."""
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{model} gateway", "version": "1"},
        "paths": {
            "/predict": {"post": _predict(max_rows)},
            "/invocations": {"post": _invocations(signature)},
            "/health": {"get": _simple("The process lives")},
            "/ready": {"get": _simple("A champion is loaded", "503", "No champion is loaded")},
            "/ping": {"get": _simple("As /ready, by the name that MLflow gave it", "503", "No champion")},
            "/version": {"get": _simple("MLflow's version")},
            "/metrics": {"get": _simple("Prometheus metrics")},
            "/admin/traffic": {
                "get": _admin("What is being served"),
                "put": _admin("Open a rollout or change its stage", "TrafficChange"),
            },
            "/admin/observations/{rollout_id}": {
                "get": {**_admin("What was seen in the open stage"), "parameters": [_ROLLOUT]}
            },
            "/admin/smoke": {"post": _admin("Predict with a version off the live path", "Smoke")},
            "/admin/promote": {"post": _admin("Make a version the champion", "Promotion")},
            "/admin/rollback": {"post": _admin("All rows to the champion", "RollBack")},
            "/admin/flush": {"post": _admin("Write the inference log now")},
            "/admin/refresh": {"post": _admin("Look at the registry's champion alias now")},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Row": _row(signature), **_admin_schemas()},
        },
    }


def _row(signature: Signature | None) -> dict[str, Any]:
    if signature is None:
        return {"type": "object", "description": "No model is loaded yet."}
    properties: dict[str, Any] = {name: {"type": _KINDS[kind]} for name, kind in signature.columns.items()}
    if signature.key_column:
        properties.setdefault(
            signature.key_column,
            {
                "type": ["string", "integer", "null"],
                "minLength": 1,
                "description": "Rows with one key stay with one version.",
            },
        )
    if signature.time_column:
        properties[signature.time_column] = {"type": ["string", "null"], "format": "date-time"}
    return {
        "type": "object",
        "properties": properties,
        "required": list(signature.columns),
        "additionalProperties": False,
    }


def _predict(max_rows: int) -> dict[str, Any]:
    rows = {
        "type": "array",
        "minItems": 1,
        "maxItems": max_rows,
        "items": {"$ref": "#/components/schemas/Row"},
    }
    prediction = {
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "prediction": {
                "description": "Probability of the positive class, class probabilities, or the value."
            },
            "version": {"type": "string"},
            "role": {"enum": ["champion", "challenger"]},
        },
    }
    answer = {
        "type": "object",
        "properties": {
            "request_id": {"type": "string"},
            "model": {"type": "string"},
            "predictions": {"type": "array", "items": prediction},
        },
    }
    return {
        "summary": "Predict rows; each is answered by the champion or, in a canary, by the challenger",
        "parameters": [{"name": "X-Request-Id", "in": "header", "schema": {"type": "string"}}],
        "requestBody": {
            "required": True,
            "content": _json(
                {
                    "type": "object",
                    "properties": {"rows": rows},
                    "required": ["rows"],
                    "additionalProperties": False,
                }
            ),
        },
        "responses": {
            "200": {"description": "One prediction per row, in order", "content": _json(answer)},
            "408": {"description": "The body did not come in time"},
            "413": {"description": "The body is too large"},
            "422": {"description": "The rows do not fit the model; each problem names its row and field"},
            "500": {"description": "The champion raised"},
            "503": {"description": "No champion is loaded, or too much is under way"},
        },
    }


def _invocations(signature: Signature | None) -> dict[str, Any]:
    """The bodies of MLflow's scoring server. A row may have fields that the model does not take."""
    names = [] if signature is None else list(signature.columns)
    row: dict[str, Any] = {"type": "object", "required": names}
    if signature is not None:
        row["properties"] = {name: {"type": _KINDS[kind]} for name, kind in signature.columns.items()}
    rows = {"type": "array", "minItems": 1, "items": row}
    lists = {"type": "array", "minItems": 1, "items": {"type": "array"}}
    split = {
        "type": "object",
        "properties": {"columns": {"type": "array", "items": {"type": "string"}}, "data": lists},
        "required": ["data"],
    }
    by_column = {"type": "object", "required": names}
    bodies = {
        "dataframe_split": split,
        "dataframe_records": rows,
        "instances": {"anyOf": [rows, lists, by_column]},
        "inputs": {"anyOf": [rows, lists, by_column]},
    }
    one_of = [
        {"type": "object", "properties": {name: schema}, "required": [name]}
        for name, schema in bodies.items()
    ]
    predictions = {"type": "object", "properties": {"predictions": {"type": "array"}}}
    return {
        "summary": "Predict rows as MLflow's scoring server does; split, counted and logged as /predict",
        "parameters": [{"name": "X-Request-Id", "in": "header", "schema": {"type": "string"}}],
        "requestBody": {
            "required": True,
            "content": {**_json({"oneOf": one_of}), "text/csv": {"schema": {"type": "string"}}},
        },
        "responses": {
            "200": {"description": "One prediction per row, in order", "content": _json(predictions)},
            "400": {"description": "The rows do not fit the model"},
            "408": {"description": "The body did not come in time"},
            "413": {"description": "The body is too large"},
            "415": {"description": "The body is neither JSON nor CSV in UTF-8"},
            "500": {"description": "The champion raised"},
            "503": {"description": "No champion is loaded, or too much is under way"},
        },
    }


def _admin(summary: str, body: str | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": summary,
        "security": [{"token": []}],
        "responses": {
            "200": {"description": summary},
            "401": {"description": "The token is missing or wrong"},
            "403": {"description": "A web page asked, and the gateway has no token"},
            "409": {"description": "The state of the rollout does not allow it"},
            "422": {"description": "The version cannot be loaded or served"},
            "503": {"description": "The registry or the disk is away"},
        },
    }
    if body is not None:
        described["requestBody"] = {
            "required": True,
            "content": _json({"$ref": f"#/components/schemas/{body}"}),
        }
    return described


def _simple(summary: str, code: str | None = None, otherwise: str = "") -> dict[str, Any]:
    responses = {"200": {"description": summary}}
    if code is not None:
        responses[code] = {"description": otherwise}
    return {"summary": summary, "responses": responses}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _admin_schemas() -> dict[str, Any]:
    from airflow_mlops.gateway.bodies import Promotion, RollBack, Smoke, TrafficChange

    return {one.__name__: one.model_json_schema() for one in (TrafficChange, Smoke, Promotion, RollBack)}
