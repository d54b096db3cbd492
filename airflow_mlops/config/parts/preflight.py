"""What is tried in small before a training run spends time and money."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from airflow_mlops.config.parts.base import ExactPeriodText, Imported, Part

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def _test_path(text: str) -> str:
    parts = text.removesuffix("/").split("/")
    if not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(
            f"{text!r} is no path of tests: name a folder or a test_*.py file as it lies in Airflow's "
            "plugins/ folder, such as churn/tests, without a leading slash or dots that lead out of it"
        )
    return "/".join(parts)


TestPath = Annotated[
    str,
    AfterValidator(_test_path),
    Imported(),
    Field(min_length=1, max_length=500, examples=["churn/tests"]),
]


class Preflight(Part):
    """Tests of the pipeline at the head of a training run: its own tests, its contracts, a sample run."""

    enabled: bool | None = Field(
        None, description="Whether training waits for it; the level decides if not given."
    )
    tests: tuple[TestPath, ...] = Field(
        (),
        strict=False,
        description="Folders or files of pytest tests, looked for where the training code is: in Airflow's "
        "plugins/ folder, in the DAG bundle, on PYTHONPATH.",
    )
    sample_rows: int = Field(
        2_000, ge=50, le=1_000_000, description="Newest training rows that the sample run and the tests get."
    )
    timeout: ExactPeriodText = Field(
        "10 minutes",
        description="How long the tests may take, and a saved model to answer in a fresh process.",
    )
