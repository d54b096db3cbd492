"""A Great Expectations suite kept as JSON beside the YAML, read into the configuration.

Steps may run where the YAML's folder is not; and a changed suite has to change the digest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import ExpectationConfig
from airflow_mlops.config.source import MAX_BYTES


def with_suite(config: ModelConfig, yaml_path: Path) -> ModelConfig:
    """The suite's expectations first, the YAML's own after them. Raises ``ValueError`` that says why the
    suite cannot be used.

    Only files at or below the YAML's folder are read: the name is its author's, the rights are Airflow's.
    """
    name = config.validation.suite
    if name is None:
        return config
    folder = yaml_path.parent.resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise ValueError("must lie in the YAML's own folder or below it")
    expectations = (*_read(file), *config.validation.expectations)
    validation = config.validation.model_copy(update={"expectations": expectations})
    return config.model_copy(update={"validation": validation})


def _read(file: Path) -> tuple[ExpectationConfig, ...]:
    try:
        with file.open("rb") as opened:
            body = opened.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        suite = json.loads(body)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    listed = suite.get("expectations") if isinstance(suite, dict) else None
    if not isinstance(listed, list):
        raise ValueError('has no list "expectations", so it is not a Great Expectations suite')
    return tuple(_expectation(index, item) for index, item in enumerate(listed))


def _expectation(index: int, item: Any) -> ExpectationConfig:
    """``expectation_type`` is what suites saved before Great Expectations 1.0 call ``type``."""
    if not isinstance(item, dict):
        raise ValueError(f"expectation {index} is not an object")
    known = {
        "type": item.get("type", item.get("expectation_type")),
        "kwargs": item.get("kwargs", {}),
        "severity": item.get("severity") or "critical",
    }
    try:
        return ExpectationConfig.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"expectation {index}: {where}: {first['msg']}") from error
