"""Holdouts and groups: which rows train, which judge, and which champion may be judged by them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.parts.data import Data, TrainingWindow
from airflow_mlops.config.parts.splits import NewestHoldout, RandomHoldout
from airflow_mlops.core.values import Verdict
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import EvaluateRequest, RegisterRequest, SnapshotRequest, TrainRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.split import split
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
RANDOM = RandomHoldout(type="random", share=0.3)


def with_data(config, **changes):
    return config.model_copy(update={"data": config.data.model_copy(update=changes)})


def change_rows(root, change):
    path = root / "rows" / "all.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def of_people(rows, people=60, seed=1):
    """Rows of so many people, each met in a few days of its own, some of them again much later."""
    day = (rows["at"] - pd.Timestamp(START)).dt.days
    person = day.astype(int) + 1_000 * np.random.default_rng(seed).integers(0, people // 10, len(rows))
    again = np.arange(len(rows)) % 50 == 0
    return rows.assign(person=person.where(~again, 7).astype("int64"))


def taken_of(config, run, backends):
    return snapshot(SnapshotRequest(config, run), backends)


def parts_of(taken, backends):
    return {part: backends.datasets.load(taken.dataset, part) for part in ("train", "holdout", "left_out")}


def champion(config, run, backends):
    """A model of this run, which becomes the champion."""
    taken = taken_of(config, run, backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    request = RegisterRequest(config, run, taken, trained, evaluation, Verdict("pass", ()))
    backends.tracking.set_alias("churn", "champion", register(request, backends).version)


def problem(config, run, backends):
    """What a challenger's evaluation says against its comparison with the champion."""
    taken = taken_of(config, run, backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    assert evaluation.champion is not None
    return evaluation.champion_problem


def test_earlier_rows_of_a_group_that_stands_in_the_holdout_are_left_out_of_training(
    config, backends, make_run, root
):
    change_rows(root, of_people)
    grouped = with_data(config, group="person")
    taken = taken_of(grouped, make_run(40), backends)
    parts = parts_of(taken, backends)
    assert len(parts["holdout"]) == 200
    assert set(parts["left_out"]["person"]) == {7}
    assert taken.dataset.left_out_rows == len(parts["left_out"]) > 0
    assert not set(parts["train"]["person"]) & set(parts["holdout"]["person"])
    assert sum(map(len, parts.values())) == taken.dataset.rows == 800
    assert len(parts["train"]) == taken.dataset.training_rows


def test_without_a_group_nothing_is_left_out(config, backends, make_run, root):
    change_rows(root, of_people)
    assert taken_of(config, make_run(40), backends).dataset.left_out_rows == 0


def test_rows_without_a_group_stand_alone(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(person=pd.array([None] * len(rows), dtype="string")))
    taken = taken_of(with_data(config, group="person"), make_run(40), backends)
    assert (taken.dataset.left_out_rows, taken.dataset.training_rows) == (0, 600)


def test_a_group_is_no_feature(config, backends, make_run, root):
    change_rows(root, of_people)
    run, grouped = make_run(40), with_data(config, group="person")
    taken = taken_of(grouped, run, backends)
    trained = train(TrainRequest(grouped, run, taken), backends)
    estimator = backends.tracking.runs[trained.run_id]["estimator"]
    assert list(estimator.feature_names_in_) == ["age", "spend", "plan"]


def test_too_few_rows_after_leaving_out_are_refused_with_the_group(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(person=np.arange(len(rows)) % 20))
    with pytest.raises(DataRefused, match=r"0 labelled rows .* \(600 left out, whose person is in the hold"):
        taken_of(with_data(config, group="person"), make_run(40), backends)


def test_a_random_holdout_takes_its_share_from_the_whole_window(config, backends, make_run):
    taken = taken_of(with_data(config, holdout=RANDOM), make_run(40), backends)
    parts = parts_of(taken, backends)
    assert len(parts["holdout"]) / 800 == pytest.approx(0.3, abs=0.05)
    assert parts["holdout"]["at"].min() < pd.Timestamp(START + timedelta(days=2))
    assert parts["train"]["at"].max() > pd.Timestamp(START + timedelta(days=38))
    assert taken.dataset.left_out_rows == 0


def test_a_row_is_on_the_same_side_of_a_random_holdout_in_every_run(config, backends, make_run):
    random = with_data(config, holdout=RANDOM)
    early, late = (parts_of(taken_of(random, make_run(day), backends), backends) for day in (40, 55))
    assert set(early["holdout"]["id"]) < set(late["holdout"]["id"])
    assert not set(early["holdout"]["id"]) & set(late["train"]["id"])
    rolling = with_data(random, window=TrainingWindow(length="20 days"))
    newer = parts_of(taken_of(rolling, make_run(45), backends), backends)
    assert not set(early["holdout"]["id"]) & set(newer["train"]["id"])
    assert not set(early["train"]["id"]) & set(newer["holdout"]["id"])
    larger = with_data(config, holdout=RandomHoldout(type="random", share=0.4))
    more = parts_of(taken_of(larger, make_run(40), backends), backends)
    assert set(early["holdout"]["id"]) < set(more["holdout"]["id"])


def test_a_random_holdout_takes_whole_groups(config, backends, make_run, root):
    change_rows(root, of_people)
    random = with_data(config, holdout=RANDOM, group="person")
    early, late = (parts_of(taken_of(random, make_run(day), backends), backends) for day in (40, 55))
    assert not set(early["train"]["person"]) & set(early["holdout"]["person"])
    assert not set(late["train"]["person"]) & set(early["holdout"]["person"])


def test_how_numbers_are_held_does_not_move_a_row(config):
    data = Data.model_validate({**config.data.model_dump(), "group": "person", "holdout": RANDOM})
    rows = pd.DataFrame({"id": range(50), "at": pd.Timestamp(START), "person": range(100, 150)})
    as_floats = rows.assign(person=rows["person"].astype(float))
    as_text = rows.assign(person=rows["person"].astype(str))
    found = [split(one, data, model="m", holdout_start=START) for one in (rows, as_floats, as_text)]
    assert found[0] == found[1] == found[2]


def test_a_random_holdout_needs_no_room_for_a_newest_slice(config, backends, make_run):
    changed = with_data(config, holdout=RANDOM, minimum_rows=10)
    assert taken_of(changed, make_run(5), backends).dataset.rows == 100
    with pytest.raises(DataRefused, match="holdout of 10 days starts"):
        taken_of(with_data(changed, holdout=NewestHoldout(length="10 days")), make_run(5), backends)
    with pytest.raises(DataRefused, match=r"the window starts 2024-01-01.* and it ends 2024-01-01"):
        taken_of(changed, make_run(0), backends)


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        (RANDOM, RANDOM, None),
        (RANDOM, RandomHoldout(type="random", share=0.2), None),
        (RANDOM, RandomHoldout(type="random", share=0.4), "holdout was 0.3 of the rows, and this one is 0.4"),
        (RANDOM, NewestHoldout(length="10 days"), r"trained on rows until 2024-02-10.*2024-02-15"),
        (NewestHoldout(length="10 days"), RANDOM, r"trained on rows until 2024-01-31.*starts 2024-01-01"),
        (NewestHoldout(length="10 days"), NewestHoldout(length="10 days"), None),
        (NewestHoldout(length="10 days"), NewestHoldout(length="30 days"), "rows until 2024-01-31"),
    ],
    ids=["alike", "smaller", "larger", "random, newest", "newest, random", "newest", "longer"],
)
def test_a_champion_that_was_trained_on_the_holdout_is_not_compared(
    config, backends, make_run, theirs, ours, told
):
    champion(with_data(config, holdout=theirs), make_run(40), backends)
    found = problem(with_data(config, holdout=ours), make_run(55, run_id="r2"), backends)
    assert found is None if told is None else pd.Series([found]).str.contains(told).all(), found


def test_a_random_champion_is_compared_by_time_once_its_whole_window_is_past(config, backends, make_run):
    champion(with_data(config, holdout=RANDOM), make_run(40), backends)
    assert problem(config, make_run(50, run_id="r2"), backends) is None
    assert problem(config, make_run(49, run_id="r3"), backends) is not None


def test_another_column_draws_another_random_holdout(config, backends, make_run, root):
    change_rows(root, of_people)
    champion(with_data(config, holdout=RANDOM), make_run(40), backends)
    grouped = with_data(config, holdout=RANDOM, group="person")
    assert "drawn by id, and this one is drawn by person" in problem(
        grouped, make_run(55, run_id="r2"), backends
    )


def test_a_champion_that_knows_the_groups_of_the_holdout_is_not_compared(config, backends, make_run, root):
    def returning(rows):
        day = (rows["at"] - pd.Timestamp(START)).dt.days.astype(int)
        return of_people(rows).assign(
            person=day.where((day < 45) | (np.arange(len(rows)) % 2 == 0), day - 40)
        )

    change_rows(root, returning)
    grouped = with_data(config, group="person")
    champion(grouped, make_run(40), backends)
    told = problem(grouped, make_run(55, run_id="r2"), backends)
    assert "earlier rows of the same person as 100 of 200 holdout rows" in told
    random = with_data(grouped, holdout=RANDOM)
    champion(random, make_run(40, run_id="r3"), backends)
    assert problem(random, make_run(55, run_id="r4"), backends) is None
    assert "it knows person of it" in problem(grouped, make_run(55, run_id="r5"), backends)


def test_a_champion_of_before_there_were_groups_cannot_be_told_to_be_ignorant(
    config, backends, make_run, root
):
    champion(config, make_run(40), backends)
    change_rows(root, of_people)
    told = problem(with_data(config, group="person"), make_run(55, run_id="r2"), backends)
    assert "nobody knows which person it was trained on" in told
