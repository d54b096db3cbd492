"""The cause of a failure, its next step, and which failures are one and the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.failures import Raised, failure_of


def ours(name: str, message: str, *above: str) -> Raised:
    return Raised((name, *above, "MlopsError", "Exception"), message, is_ours=True)


AIRFLOWS = Raised(("AirflowFailException", "AirflowException", "Exception"), "as below")


@pytest.mark.parametrize(
    ("chain", "cause", "next_step"),
    [
        ([AIRFLOWS, ours("DataRefused", "2 of 3 expectations failed")], "data", "mend the data"),
        (
            [AIRFLOWS, ours("TrainingFailed", "your code"), Raised(("KeyError",), "x")],
            "code",
            "mend the code",
        ),
        ([Raised(("KeyError", "LookupError", "Exception"), "age")], "code", "mend the code"),
        ([ours("ConfigChanged", "the YAML of churn changed")], "code", "start a new run"),
        ([ours("MissingExtra", "shap is not installed")], "infrastructure", "install what"),
        ([AIRFLOWS, ours("StoreUnavailable", "away", "BackendUnavailable")], "infrastructure", "is back"),
        (
            [Raised(("ConnectionResetError", "ConnectionError", "OSError"), "reset")],
            "infrastructure",
            "is back",
        ),
        ([AIRFLOWS, ours("LedgerDamaged", "x.json is no entry")], "infrastructure", "restore the file"),
        ([Raised(("AirflowTaskTimeout", "BaseException"), "Timeout")], "infrastructure", "execution.timeout"),
        (
            [
                ours(
                    "StoreUnavailable",
                    "the store cannot use /x: No space left on device",
                    "BackendUnavailable",
                )
            ],
            "quota",
            "make room",
        ),
        ([ours("TrainingFailed", "it raised"), Raised(("MemoryError",), "")], "quota", "make room"),
        ([Raised(("ApiException",), "pods is forbidden: exceeded quota: team")], "quota", "make room"),
        ([Raised(("HTTPStatusError",), "429 Too Many Requests")], "quota", "make room"),
    ],
)
def test_the_cause_of_a_failure_is_told_with_what_to_do_next(chain, cause, next_step) -> None:
    found = failure_of("train", chain)
    assert (found.cause, next_step in found.next_step) == (cause, True), found
    assert str(found).startswith(f"Cause: {cause} ({found.error}). Next: ")


def test_only_our_own_messages_are_kept() -> None:
    found = failure_of("train", [ours("TrainingFailed", "it raised\nline 2"), Raised(("KeyError",), "Ada")])
    assert found.said == "it raised"
    assert failure_of("train", [Raised(("KeyError",), "Ada")]).said == ""


def test_what_our_message_quotes_of_others_is_not_kept() -> None:
    quoted = "could not convert string to float: 'Ada Lovelace'"
    chain = [
        AIRFLOWS,
        ours("TrainingFailed", f"plugins.fit raised ValueError on 99 rows: {quoted}"),
        Raised(("ValueError",), quoted),
    ]
    assert failure_of("train", chain).said == "plugins.fit raised ValueError on 99 rows"


@given(
    rows=st.integers(0, 10**9), seconds=st.floats(0, 1e6), name=st.from_regex(r"[a-z]{1,9}", fullmatch=True)
)
def test_failures_that_differ_in_numbers_paths_and_quoted_words_are_one(rows, seconds, name) -> None:
    def failed(rows: int, seconds: float, name: str) -> str:
        message = f"'{name}': {rows} of 99 rows after {seconds} s, at file:///store/{name}/{rows}.parquet"
        return failure_of("validate", [ours("DataRefused", message)]).fingerprint

    assert failed(rows, seconds, name) == failed(1, 2.5, "age")


def test_another_step_error_or_message_is_another_failure() -> None:
    prints = {
        failure_of(step, [ours(error, message)]).fingerprint
        for step in ("train", "validate")
        for error in ("DataRefused", "TrainingFailed")
        for message in ("the feed of age is broken", "the feed of spend is broken")
    }
    assert len(prints) == 8
