"""Leaks are found before anything is trained, named by their column, and clean data are left in peace."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.data import Data
from airflow_mlops.config.parts.leakage import FutureLeakage, LabelLeakage, Leakage, TwinLeakage
from airflow_mlops.config.parts.splits import RandomHoldout
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.leakage import leaks_of
from airflow_mlops.steps.requests import DatasetRequest, SnapshotRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.validate import validate


def with_leakage(config, **settings):
    validation = config.validation.model_copy(update={"leakage": Leakage(**settings)})
    return config.model_copy(update={"validation": validation})


def with_data(config, **changes):
    data = Data.model_validate({**config.data.model_dump(), **changes})
    return config.model_copy(update={"data": data})


def change_rows(root, change):
    path = root / "rows" / "all.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def found(config, run, backends):
    taken = snapshot(SnapshotRequest(config, run), backends)
    return [str(leak) for leak in leaks_of(config, taken.dataset, backends)]


def validated(config, run, backends):
    taken = snapshot(SnapshotRequest(config, run), backends)
    return validate(DatasetRequest(config, run, taken), backends)


def refused(config, run, backends):
    """The message of the refusal, and the page with the rows."""
    with pytest.raises(DataRefused) as caught:
        validated(config, run, backends)
    message = str(caught.value)
    return message, backends.store.local_path(message.rsplit("Sample rows: ", 1)[1]).read_text()


def test_the_label_among_the_features_stops_the_run_and_is_named(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(gone=rows["churned"].map({0: "stays", 1: "leaves"})))
    leaking = with_data(config, features={**config.data.features, "gone": "categorical"})
    message, page = refused(leaking, make_run(40), backends)
    assert "1 leak would flatter every model, on 800 rows" in message
    assert "gone alone tells churned: 0 of 800 rows are guessed wrong by it, " in message
    assert "validation.leakage.ignore" in message
    assert "leaves" not in message
    assert "leaves" in page


def test_a_copy_is_called_one(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(copy=rows["churned"].astype(float)))
    leaking = with_data(config, features={**config.data.features, "copy": "numeric"})
    assert found(leaking, make_run(40), backends) == [
        "copy is churned itself: they are equal in all of 800 rows"
    ]


def test_a_number_that_follows_from_a_number_is_found(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(churned=rows["spend"], tax=0.19 * rows["spend"] + 3))
    leaking = with_data(config, features={"age": "numeric", "tax": "numeric"}).model_copy(
        update={"task": "regression"}
    )
    assert found(leaking, make_run(40), backends) == [
        "tax alone explains 100 % of churned (by rank, 800 rows)"
    ]


def test_a_value_that_was_known_only_later_is_from_the_future(config, backends, make_run, root):
    def refunded(rows):
        known = rows["at"].where(np.arange(len(rows)) % 100 > 0, rows["at"] + pd.Timedelta(days=3))
        return rows.assign(refund_at=known, read_at=rows["at"] - pd.Timedelta(hours=1))

    change_rows(root, refunded)
    known = with_data(config, known_at={"spend": "refund_at", "*": "read_at"})
    message, page = refused(known, make_run(40), backends)
    assert (
        "spend is from the future: in 8 of 800 rows it was known (refund_at) only after the row's at, "
        "by up to 3 days" in message
    )
    assert "age is from the future" not in message
    assert "refund_at" in page


def test_one_column_may_say_it_of_all_features(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(loaded=rows["at"] + pd.Timedelta(hours=1)))
    known = with_data(config, known_at={"*": "loaded"})
    told = found(known, make_run(40), backends)
    assert [leak.split(" ")[0] for leak in told] == ["age", "spend", "plan"]
    assert found(with_leakage(known, ignore=("age", "plan")), make_run(40), backends) == [told[1]]


def test_a_missing_value_cannot_be_from_the_future(config, backends, make_run, root):
    def never(rows):
        return rows.assign(loaded=rows["at"] + pd.Timedelta(hours=1), spend=np.nan)

    change_rows(root, never)
    assert found(with_data(config, known_at={"spend": "loaded"}), make_run(40), backends) == []


def test_a_known_at_that_holds_no_times_is_refused(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(loaded="monday"))
    known = with_data(config, known_at={"spend": "loaded"})
    with pytest.raises(
        DataRefused, match=r"'loaded' tells when 'spend' was known, but it holds (object|str)"
    ):
        found(known, make_run(40), backends)


def test_holdout_rows_that_stand_in_training_are_counted(config, backends, make_run, root):
    def copied(rows):
        columns = ["age", "spend", "plan", "churned"]
        rows.loc[700:719, columns] = rows.loc[100:119, columns].to_numpy()
        return rows

    change_rows(root, copied)
    message, page = refused(config, make_run(40), backends)
    assert (
        "20 of 200 holdout rows have an exact twin in training, features and label; within training 0 %"
    ) in message
    assert "Rows at fault: 20 of 200 holdout rows" in page


def test_copies_across_a_random_holdout_are_counted_as_well(config, backends, make_run, root):
    random = with_data(config, holdout={"type": "random", "share": 0.4})
    taken = snapshot(SnapshotRequest(random, make_run(40)), backends)
    ours, theirs = (
        backends.datasets.load(taken.dataset, part)["id"].head(30) for part in ("holdout", "train")
    )

    def copied(rows):
        columns, by_id = ["age", "spend", "plan", "churned"], rows.set_index("id")
        by_id.loc[ours, columns] = by_id.loc[theirs, columns].to_numpy()
        return by_id.reset_index()

    change_rows(root, copied)
    assert found(random, make_run(40), backends)[0].startswith("30 of ")


def test_a_warning_is_reported_and_stops_nothing(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(spend=rows["churned"] * 2.0))
    lenient = with_leakage(config, label=LabelLeakage(severity="warning"))
    report = validated(lenient, make_run(40), backends)
    assert report.summary["success"] is True
    assert report.summary["leakage"][0]["severity"] == "warning"
    assert "spend alone tells churned" in report.summary["leakage"][0]["leak"]
    assert "spend alone tells churned" in backends.store.local_path(report.uri).read_text()


def test_what_is_ignored_or_switched_off_is_not_looked_for(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(spend=rows["churned"] * 2.0, age=1.0, plan="free"))
    run = make_run(40)
    assert found(with_leakage(config, ignore=("spend",)), run, backends) == []
    off = {
        "label": LabelLeakage(enabled=False),
        "twins": TwinLeakage(enabled=False),
        "future": FutureLeakage(enabled=False),
    }
    assert found(with_leakage(config, **off), run, backends) == []


def test_a_leak_and_a_failed_expectation_are_told_together(config, backends, make_run, root):
    def both(rows):
        rows.loc[:9, "age"] = np.nan
        return rows.assign(spend=rows["churned"] * 2.0)

    change_rows(root, both)
    message, _ = refused(config, make_run(40), backends)
    assert "1 of 2 expectations failed and 1 leak would flatter every model" in message
    assert "expect_column_values_to_not_be_null on age: 10 of 800 rows" in message


@pytest.mark.parametrize("seed", range(12))
def test_clean_data_are_left_in_peace(config, backends, make_run, root, seed):
    rng = np.random.default_rng(seed)

    def clean(rows):
        count = len(rows)
        odds = rng.uniform(0, 4) * rows["age"] + rng.uniform(-3, 3)
        return rows.assign(
            spend=rng.choice([rng.normal(size=count).round(1), np.exp(rng.normal(size=count))]),
            plan=rng.choice(["a", "b", "c", "d"][: seed % 4 + 1], count),
            person=rng.integers(0, 400, count),
            churned=(rng.uniform(size=count) < 1 / (1 + np.exp(-odds))).astype(int),
        )

    change_rows(root, clean)
    run = make_run(40)
    assert found(config, run, backends) == []
    random = with_data(config, holdout=RandomHoldout(type="random", share=0.3), group="person")
    assert found(random, run, backends) == []
    coarse = with_data(config, features={"plan": "categorical"})
    assert found(coarse, run, backends) == []
    number = with_data(config, label="age", features={"spend": "numeric", "plan": "categorical"})
    assert found(number.model_copy(update={"task": "regression"}), run, backends) == []


def test_a_column_to_ignore_is_a_feature(tmp_path, config):
    path = tmp_path / "churn.yaml"
    path.write_text(path.read_text().replace("validation:\n", "validation:\n  leakage: {ignore: [agee]}\n"))
    with pytest.raises(InvalidConfig, match=r"validation.leakage.ignore\[0\]: 'agee' is no feature"):
        load_model(path)


def test_times_that_lie_before_the_row_are_fine(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(loaded=rows["at"]))
    assert found(with_data(config, known_at={"*": "loaded"}), make_run(40), backends) == []
