"""A Great Expectations suite kept as JSON beside the YAML, read into the configuration.

Steps may run where the YAML's folder is not; and a changed suite has to change the digest.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airflow_mlops.config.layers import Dependency
from airflow_mlops.config.models import ModelConfig, never_null
from airflow_mlops.config.parts.data import ExpectationConfig
from airflow_mlops.config.source import MAX_BYTES, unfit
from airflow_mlops.config.text import regular_bytes


def with_suite(config: ModelConfig, suite: str, yaml_path: Path) -> tuple[ModelConfig, Dependency]:
    """The suite's expectations first, the YAML's own after them, and the file they are from. Raises
    ``ValueError`` that says why the suite cannot be used.

    Only files at or below the YAML's folder are read: the name is its author's, the rights are Airflow's.
    """
    folder = yaml_path.parent.resolve()
    file = Path(os.path.realpath(folder / suite))  # resolve() fails on a link to itself
    if not file.is_relative_to(folder):
        raise ValueError("must lie in the YAML's own folder or below it")
    body = _bytes(file)
    listed = _expectations(body)
    for index, expectation in enumerate(listed):
        if (problem := never_null(expectation, config.data)) is not None:
            raise ValueError(f"expectation {index}: {problem}")
    expectations = (*listed, *config.validation.expectations)
    validation = config.validation.model_copy(update={"expectations": expectations})
    dependency = Dependency(yaml_path.parent / suite, hashlib.sha256(body).hexdigest())
    return config.model_copy(update={"validation": validation}), dependency


def _bytes(file: Path) -> bytes:
    try:
        body = regular_bytes(file)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    if len(body) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    return body


def _expectations(body: bytes) -> tuple[ExpectationConfig, ...]:
    try:
        suite = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    if (wrong := unfit(suite)) is not None:
        raise ValueError(wrong)
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
