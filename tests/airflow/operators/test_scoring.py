"""The operators of the score pipeline: the window that a run takes, and what it announces."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mlops.config.load import load_model
from airflow_mlops.operators import AnnounceOperator, ChoosePartitionsOperator, ScoreOperator
from airflow_mlops.steps import catalog as steps

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def choose(yaml_file, backends, make_context):
    """``choose(score, **of the run)``: the names of the partitions that a run chooses."""

    def choose(score, **run):
        yaml_file.write_text(f"{yaml_file.read_text()}score: {json.dumps(score)}\n")
        config = load_model(yaml_file).config
        operator = ChoosePartitionsOperator(task_id="choose_partitions", model=config)
        chosen = operator.execute(make_context(dag_id="churn.score", **run))
        return [one["partition"]["name"] for one in chosen["partitions"]]

    return choose


def test_a_scheduled_run_scores_its_interval(choose):
    day = datetime(2026, 2, 27, tzinfo=timezone.utc)
    interval = {"data_interval_start": day, "data_interval_end": day.replace(day=28)}
    assert choose({}, run_type="scheduled", **interval) == ["2026-02-27"]


def test_a_run_by_hand_scores_what_was_over_or_the_window_that_it_is_given(choose):
    assert choose({}) == ["2026-02-28"]


def test_a_person_may_give_the_end_alone(choose):
    assert choose({"window": "2 days"}, params={"window_end": "2026-02-20"}) == ["2026-02-18", "2026-02-19"]


def test_a_partition_key_is_read_in_the_zone_of_the_scoring(choose):
    schedule = {"assets": "raw/customers", "partitioned": True, "timezone": "Europe/Paris"}
    run = {"run_type": "asset_triggered", "partition_key": "2026-02-03"}
    assert choose({"schedule": schedule}, **run) == ["2026-02-03"]


def test_a_window_that_cuts_through_a_day_fails_for_good(choose):
    with pytest.raises(AirflowFailException, match="whole partitions of one day"):
        choose({}, params={"window_start": "2026-02-01T06:00", "window_end": "2026-02-03"})


def test_nothing_chosen_is_nothing_to_score(config, backends, make_context):
    with pytest.raises(AirflowSkipException, match="there is no chosen to work on"):
        ScoreOperator(task_id="score", model=config, chosen=None).execute(make_context())


def test_the_source_of_the_rows_may_hold_airflows_templates(yaml_file, backends, make_context, monkeypatch):
    source = {"type": "parquet", "path": "landed/{{ run_id }}/*.parquet"}
    yaml_file.write_text(f"{yaml_file.read_text()}score: {json.dumps({'source': source})}\n")
    requests = []
    monkeypatch.setattr(steps, "run_step", lambda name, request, _: requests.append(request))
    operator = ChoosePartitionsOperator(task_id="choose_partitions", model=load_model(yaml_file).config)
    with pytest.raises(AirflowSkipException):
        operator.execute({**make_context(), "run_id": "r1"})
    assert requests[0]["config"]["score"]["source"]["path"] == "landed/r1/*.parquet"


def test_new_predictions_are_announced_in_backfills_too_and_versions_are_not(make_context):
    outlets = [Asset("churn/predictions")]
    given = {"value": {"rows": 60, "config": "d"}, "outlets": outlets}
    told = AnnounceOperator(task_id="a", backfills=True, **given).execute(make_context("backfill"))
    assert told == {"rows": 60}
    with pytest.raises(AirflowSkipException, match="neither promoted nor deployed"):
        AnnounceOperator(task_id="b", **given).execute(make_context("backfill"))
