"""What each way to write a schedule becomes in Airflow, and what is refused with its place in the file."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk import Asset, AssetAll, AssetAny, AssetOrTimeSchedule, PartitionedAssetTimetable
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.factory import load_file

UTC = timezone.utc


@pytest.fixture
def dags(model_yaml):
    """The DAGs of a model with this schedule, each kept and read back as Airflow does."""

    def make(schedule, level=1, more=""):
        made = load_file(model_yaml(level=level, more=f"schedule: {schedule}\n{more}"))
        for dag in made.values():
            kept = json.loads(json.dumps(DagSerialization.to_dict(dag)))
            DagSerialization.from_dict(kept)
        return made

    return make


@pytest.fixture
def timetable(dags):
    """The training DAG's timetable as the scheduler has it."""
    from airflow.serialization.encoders import coerce_to_core_timetable

    return lambda schedule: coerce_to_core_timetable(dags(schedule)["rain.train"].timetable)


def following(timetable, start, *, catchup=True):
    from airflow.timetables.base import TimeRestriction
    from pendulum import instance

    restriction = TimeRestriction(instance(start), None, catchup)
    return timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)


def at(month, day=1, hour=0):
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        ("{every: 6 hours, start: 2026-01-01}", at(1), at(1, 1, 6)),
        ("{every: 1 month, start: 2026-01-01}", at(1), at(2)),
        ("{every: 6 hours, start: 2026-01-01, end: 2026-02-01}", at(1), at(1, 1, 6)),
        (
            "{timetable: {name: CronTriggerTimetable, params: {cron: '0 6 * * *', interval: 2 hours}}, "
            "start: 2026-01-01}",
            at(1, 1, 4),
            at(1, 1, 6),
        ),
        (
            "{timetable: {name: MultipleCronTriggerTimetable, params: {crons: ['0 9 * * *', '0 6 * * *'], "
            "interval: 1 day}}, timezone: Europe/Paris, start: 2026-01-01, end: 2026-06-01}",
            datetime(2025, 12, 31, 5, tzinfo=UTC),
            at(1, 1, 5),
        ),
        (
            "{timetable: {name: EventsTimetable, params: {event_dates: ['2026-03-01', '2026-02-01T06:00Z']}},"
            " start: 2026-01-01}",
            at(2, 1, 6),
            at(2, 1, 6),
        ),
    ],
)
def test_a_clock_gives_the_first_interval_after_the_start(timetable, schedule, start, end):
    first = following(timetable(schedule), at(1)).data_interval
    assert (first.start, first.end) == (start, end)


def test_whatever_the_clock_a_schedule_ends(timetable):
    made = timetable("{every: 6 hours, start: 2026-01-01, end: 2026-02-01}")
    assert following(made, at(2)) is not None
    assert following(made, at(2, 1, 1)) is None
    assert made.periodic


@pytest.mark.parametrize(
    ("cron", "zone", "key", "begins"),
    [
        ("@daily", "Asia/Kolkata", "2026-01-02", datetime(2026, 1, 1, 18, 30, tzinfo=UTC)),
        ("@monthly", "UTC", "2026-02", at(2)),
        ("@yearly", "UTC", "2027", datetime(2027, 1, 1, tzinfo=UTC)),
        ("@hourly", "UTC", "2026-01-01T13", at(1, 1, 13)),
        ("30 6 * * 1", "Europe/Paris", "2026-01-05T06:30", datetime(2026, 1, 5, 5, 30, tzinfo=UTC)),
    ],
)
def test_a_partitioned_cron_names_the_start_of_its_interval_in_the_zone(timetable, cron, zone, key, begins):
    made = timetable(f"{{cron: '{cron}', timezone: {zone}, start: 2026-01-01, partitioned: true}}")
    first = following(made, at(1, 1, 12) + timedelta(minutes=1))
    assert (first.partition_key, first.partition_date) == (key, begins)
    assert first.run_after > begins


def test_a_partitioned_cron_ends(timetable):
    made = timetable("{cron: '@daily', start: 2026-01-01, end: 2026-02-01, partitioned: true}")
    assert following(made, at(2)).partition_key == "2026-02-01"
    assert following(made, at(2, 2)) is None


A, B, C = Asset("a"), Asset("b"), Asset("c", uri="s3://c")


@pytest.mark.parametrize(
    ("schedule", "condition"),
    [
        ("{assets: a}", A),
        ("{assets: [a]}", A),
        ("{assets: [a, b]}", AssetAny(A, B)),
        ("{assets: {any: [a, b]}}", AssetAny(A, B)),
        ("{assets: {all: [a, {any: [b, {name: c, uri: 's3://c'}]}]}}", AssetAll(A, AssetAny(B, C))),
    ],
)
def test_assets_start_a_run_by_name_any_or_all(dags, schedule, condition):
    assert dags(schedule)["rain.train"].timetable.asset_condition == condition


def test_partitioned_assets_run_for_each_key_and_so_does_the_rollout_that_follows(dags):
    made = dags("{assets: [a, b], partitioned: true}", level=2)
    for dag, condition in (("rain.train", AssetAny(A, B)), ("rain.deploy", Asset("rain/challenger"))):
        assert isinstance(made[dag].timetable, PartitionedAssetTimetable)
        assert made[dag].timetable.asset_condition == condition


WATCHED = "monitor: {cron: '@daily'}\nretraining: {causes: [drift]}\n"


def test_assets_and_a_clock_are_each_enough(dags):
    made = dags("{cron: '@daily', start: 2026-01-01, assets: a, watch: [{type: files, path: x}]}")
    schedule = made["rain.train"].timetable
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert isinstance(schedule.asset_condition, AssetAny)
    assert [asset.name for asset in schedule.asset_condition.objects] == ["a", "rain/files"]


def test_a_watched_path_is_an_asset_with_a_trigger_that_is_its_own(dags):
    made = dags("{watch: [{type: files, path: 'inbox/*.csv', poll_interval: 5 minutes, name: letters}]}")
    asset = made["rain.train"].timetable.asset_condition
    (watcher,) = asset.watchers
    assert asset.name == "rain/letters"
    assert watcher.trigger.serialize() == (
        "airflow_mlops.triggers.files.NewFilesTrigger",
        {"asset": "rain/letters", "path": "inbox/*.csv", "poll_interval": 300.0},
    )


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (
            "{timetable: {name: EventTimetable}, start: 2026-01-01}",
            "23:30: schedule.timetable.name: Airflow knows no timetable 'EventTimetable'; "
            "did you mean 'EventsTimetable'?",
        ),
        (
            "{timetable: {name: os.path}, start: 2026-01-01}",
            "23:30: schedule.timetable.name: Airflow knows no timetable 'os.path'; Airflow's own are",
        ),
        (
            "{timetable: {name: DeltaTriggerTimetable, params: {detla: 1 day}}, start: 2026-01-01}",
            "schedule.timetable.params: DeltaTriggerTimetable does not take these",
        ),
        (
            "{timetable: {name: DeltaTriggerTimetable, params: {delta: 1 month}}, start: 2026-01-01}",
            "'1 month' is not always equally long",
        ),
        (
            "{watch: [{type: file, params: {path: x}}]}",
            "23:27: schedule.watch[0].type: nobody provides the watcher 'file'; did you mean 'files'?",
        ),
    ],
)
def test_what_airflow_does_not_know_is_refused_at_its_place(model_yaml, schedule, said):
    with pytest.raises(InvalidConfig) as refused:
        load_file(model_yaml(more=f"schedule: {schedule}\n"))
    assert said in str(refused.value)
