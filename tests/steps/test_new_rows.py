"""When there are enough rows that no training has seen."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

from airflow_mlops.core.causes import Taker, claim_of
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.new_rows import new_rows

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
PER_DAY = 20


@pytest.fixture
def look(config, backends):
    """``look(day, minimum, run)``: what is found as of a day."""

    def found(day: float, minimum: int = 1, run: str = "1"):
        taker = Taker("mine", "mine", run, START + timedelta(days=day))
        return new_rows(config, backends.ledger.entries("churn"), taker, minimum, backends), taker

    return found


def trained(day: int) -> Entry:
    window = Window(START, START + timedelta(days=day))
    return Entry("churn", "gated", "run-1", window.end, "churn.train", "r1", window=window)


def test_before_any_training_every_row_is_new(look):
    found, _ = look(10)
    assert found is not None
    assert found.scores == {"rows": 10 * PER_DAY}
    assert found.window == Window(START, START + timedelta(days=9, minutes=PER_DAY - 1, microseconds=1))


def test_rows_count_from_the_end_of_the_latest_training_and_too_few_are_no_cause(look, backends):
    backends.ledger.append(trained(8))
    assert look(10, minimum=2 * PER_DAY + 1)[0] is None
    found, _ = look(10, minimum=2 * PER_DAY)
    assert found is not None
    assert found.reasons == ("40 labelled rows since 2024-01-09T00:00+00:00, 40 asked for",)


def test_what_a_consumer_took_is_not_new_to_it_again(look, backends):
    found, taker = look(10)
    backends.ledger.append(claim_of(found, taker))
    assert look(10, run="2")[0] is None
    later, _ = look(11, run="2")
    assert later.scores == {"rows": PER_DAY}


def test_rows_without_a_label_cannot_be_trained_on_and_are_no_new_data(look, root):
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows["churned"] = rows["churned"].astype("float").where(rows["at"] < START + timedelta(days=5))
    rows.to_parquet(path)
    found, _ = look(10)
    assert found.scores == {"rows": 5 * PER_DAY}


def test_nothing_to_read_is_no_cause(look, backends):
    backends.ledger.append(trained(30))
    assert look(20)[0] is None
