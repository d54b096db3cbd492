"""The breast_cancer example's data and YAML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.config.load import load_model

REPOSITORY = Path(__file__).resolve().parents[2]
UTC = timezone.utc
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "plugins")
        yield


@pytest.fixture(scope="module")
def rows(plugins: None) -> pd.DataFrame:
    from breast_cancer.data import biopsies

    return biopsies(START, END)


def test_every_biopsy_has_a_time_of_its_own_in_2024(rows: pd.DataFrame) -> None:
    assert len(rows) == 569
    assert rows["taken_at"].is_unique
    assert rows["taken_at"].between(START, END).all()
    assert rows["biopsy_id"].is_unique


def test_two_calls_give_equal_rows(rows: pd.DataFrame) -> None:
    from breast_cancer.data import biopsies

    pd.testing.assert_frame_equal(rows, biopsies(START, END))


def test_the_made_up_times_do_not_sort_the_labels(rows: pd.DataFrame) -> None:
    shares = rows.groupby(rows["taken_at"].dt.quarter)["malignant"].mean()
    assert shares.between(0.3, 0.45).all()
    assert rows["malignant"].mean() == pytest.approx(212 / 569)


def test_the_yaml_names_the_columns_there_are_and_its_model_trains(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    config = load_model(REPOSITORY / "configs" / "breast_cancer.yaml").config
    assert set(config.data.columns) == set(rows.columns)
    trainer = connect(Endpoints(store=str(tmp_path))).trainer("estimator", str(config.training.estimator))
    features, label = rows[list(config.data.features)], rows["malignant"]
    model = trainer.fit(features.head(400), label.head(400), config.training.params, config.training.seed)
    answers = model.predict_proba(features.tail(169))[:, 1]
    assert ((answers > 0.5) == label.tail(169)).mean() > 0.9
