"""A schedule that ends, and the runs by hand that it leaves alone."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from airflow.sdk import CronDataIntervalTimetable
from airflow.timetables.base import DataInterval, TimeRestriction
from pendulum import UTC, instance

from airflow_mlops.factory.timetable import Until


def day(month: int, number: int = 1, year: int = 2013):
    return instance(datetime(year, month, number, tzinfo=timezone.utc))


@pytest.fixture
def timetable() -> Until:
    return Until(CronDataIntervalTimetable("@monthly", timezone="UTC"), end=day(12, 31))


def following(timetable, start, *, latest=None, catchup=True):
    last = DataInterval(start, start.add(months=1))
    return timetable.next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(day(1), latest, catchup)
    )


def test_the_last_interval_is_the_one_that_starts_before_the_end(timetable):
    november = following(timetable, day(11))
    assert (november.data_interval.start, november.data_interval.end) == (day(12), day(1, year=2014))
    assert following(timetable, day(12)) is None


def test_an_earlier_bound_still_holds_as_in_a_backfill(timetable):
    assert following(timetable, day(2), latest=day(2, 15)) is None
    assert following(timetable, day(2), latest=day(3, 15)).data_interval.start == day(3)


def test_without_catchup_nothing_is_due_years_later(timetable):
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(day(1), None, False)
    )
    assert first is None


def test_it_survives_serialisation(timetable):
    again = Until.deserialize(timetable.serialize())
    assert again.serialize() == timetable.serialize()
    assert following(again, day(12)) is None


def test_a_run_by_hand_after_the_end_has_an_interval(timetable):
    interval = timetable.infer_manual_data_interval(run_after=instance(datetime(2026, 5, 3, tzinfo=UTC)))
    assert interval.end == instance(datetime(2026, 5, 1, tzinfo=UTC))


@pytest.mark.airflow
def test_airflow_keeps_it_and_sets_no_end_that_would_empty_a_run_by_hand(mlops_load_model_dags):
    from pathlib import Path

    from airflow.serialization.serialized_objects import DagSerialization

    dags = mlops_load_model_dags(Path(__file__).parents[2] / "configs" / "flight_delay.yaml")
    train = dags["flight_delay.train"]
    assert train.end_date is None
    kept = DagSerialization.from_dict(DagSerialization.to_dict(train))
    assert kept.end_date is None
    assert isinstance(kept.timetable, Until)
