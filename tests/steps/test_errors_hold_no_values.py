"""What the backends raise and log over rows has none of their values, whatever a library says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.model_tests import run_model_tests
from airflow_mlops.backends.sagemaker import artifact
from airflow_mlops.backends.sagemaker.errors import translated
from airflow_mlops.backends.splits import split_rows
from airflow_mlops.core.folds import Folds
from airflow_mlops.exceptions import DataRefused, ModelRefused

MARK = "zqx"


def test_a_container_that_quotes_the_rows_in_its_error_is_told_by_its_log() -> None:
    arn = "arn:aws:logs:eu-west-1:1:log-group:/aws/sagemaker/Endpoints/churn"
    answered: Any = {
        "Error": {"Code": "ModelError", "Message": f"could not convert string to float: '{MARK}'"},
        "OriginalStatusCode": 400,
        "OriginalMessage": f'{{"error_code": "BAD_REQUEST", "message": "no such plan: {MARK}"}}',
        "LogStreamArn": arn,
    }
    error = translated(ClientError(answered, "InvokeEndpoint"), "sagemaker:InvokeEndpoint")
    assert isinstance(error, ModelRefused)
    assert str(error) == f"the model's container answered 400 to the rows; more is in its log ({arn})"


def test_a_container_that_names_what_is_missing_is_told_in_its_words() -> None:
    answered: Any = {
        "Error": {"Code": "ModelError", "Message": "failed"},
        "OriginalStatusCode": 400,
        "OriginalMessage": f'{{"message": "Model is missing inputs [\'temp\']. Given: {MARK}"}}',
    }
    error = translated(ClientError(answered, "InvokeEndpoint"), "sagemaker:InvokeEndpoint")
    assert "answered 400 to the rows: Model is missing inputs ['temp']; more is in its log" in str(error)
    assert MARK not in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (f'{{"error": "{MARK}"}}'.encode(), "JSON (dict) of 16 bytes"),
        (MARK.encode(), "what is no JSON of 3 bytes"),
        (f'["{MARK}"]'.encode(), "JSON (list) of 7 bytes"),
    ],
)
def test_a_container_that_answers_otherwise_is_not_quoted(body: bytes, kind: str) -> None:
    with pytest.raises(ModelRefused) as refused:
        artifact.answers(body, None)
    assert MARK not in str(refused.value)
    assert kind in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([f"{MARK}{at}" for at in range(6)], "n_splits=4 cannot be greater than the number of members"),
        ([MARK, 1, None, 2.5, MARK, 3], "folds cannot be drawn"),
        ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "folds cannot be drawn"),
    ],
)
def test_labels_that_cannot_be_split_are_told_by_their_number(labels: list[Any], said: str) -> None:
    rows = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=6, tz="UTC"), "churned": labels})
    with pytest.raises(DataRefused) as refused:
        split_rows(rows, Folds("k_fold", folds=4), time_column="at", label="churned")
    assert said in str(refused.value)
    assert MARK not in str(refused.value)


TESTS = f"""
    import json
    import unittest

    import pytest

    PLAN = "{MARK}"

    def test_bare_assert():
        assert PLAN in ("free", "pro")

    def test_of_a_library():
        json.loads(PLAN)

    def test_of_numbers():
        float(PLAN)

    def test_a_key():
        {{}}[PLAN]

    class TestByUnittest(unittest.TestCase):
        def test_equal(self):
            self.assertEqual(PLAN, "free")

    @pytest.fixture
    def broken():
        raise ValueError(PLAN)

    def test_of_a_fixture(broken):
        pass

    def test_own_words():
        assert len(PLAN) > 5, "too few rows"

    def test_failed_by_hand():
        pytest.fail("two plans at least")

    def test_a_wrong_name(nobody):
        pass
"""


def test_a_models_tests_that_fail_are_told_by_class_and_line_and_by_their_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tests_of_churn").mkdir()
    (tmp_path / "tests_of_churn" / "test_rows.py").write_text(dedent(TESTS))
    ran = run_model_tests(
        ["tests_of_churn"], config_json="{}", sample=pd.DataFrame({"a": [1]}), timeout_seconds=60
    )
    told = {result.id.rpartition("::")[2]: result.told for result in ran.of("failed")}
    assert [text for text in told.values() if MARK in text] == []
    assert any(MARK in result.details for result in ran.results)  # for the report
    assert {name: text.partition(" (tests_of_churn/test_rows.py:")[0] for name, text in told.items()} == {
        "test_bare_assert": "AssertionError",
        "test_of_a_library": "json.decoder.JSONDecodeError",
        "test_of_numbers": "ValueError: could not convert string to float",
        "test_a_key": "KeyError",
        "test_equal": "AssertionError",
        "test_of_a_fixture": "ValueError",
        "test_own_words": "AssertionError: too few rows",
        "test_failed_by_hand": "Failed: two plans at least",
        "test_a_wrong_name": "fixture 'nobody' not found",
    }
    assert told["test_bare_assert"].endswith(':10: assert PLAN in ("free", "pro"))')


def damage(path: Path, at: int) -> None:
    body = bytearray(path.read_bytes())
    body[at : at + 12] = b"\xff" * 12
    path.write_bytes(bytes(body))


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[int], Path]:
    """Rows with a mark in each, damaged from a byte on."""

    def made(at: int) -> Path:
        path = tmp_path / f"rows{at}.parquet"
        plans = [f"{MARK}{at}" for at in range(500)]
        pd.DataFrame({"plan": plans, "age": np.arange(500.0)}).to_parquet(path, compression=None)
        damage(path, at)
        return path

    return made


@pytest.mark.parametrize("at", [0, 4, 16, 40, 400, 3000, -8, -40, -200])
def test_a_damaged_file_is_told_without_what_is_in_it(
    damaged: Callable[[int], Path], backends: Any, at: int
) -> None:
    path = damaged(at)
    said = []
    for read in (
        lambda: list(ParquetRows("current", (path,)).batches(["plan", "age"])),
        lambda: backends.datasets.load_frame(path.as_uri()),
    ):
        try:
            read()
        except DataRefused as error:
            said.append(str(error))
        except (KeyError, ValueError) as error:
            raise AssertionError(f"{type(error)} is no refusal") from error
    assert [text for text in said if MARK in text] == []
