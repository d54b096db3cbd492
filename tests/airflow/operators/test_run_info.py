"""What a step learns of its run."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.windows import Period, Window, resolve_window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.operators.partitions import PartitionKeys
from airflow_mlops.operators.run_info import run_info

UTC = timezone.utc
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def day(number: int, month: int = 3) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


@pytest.fixture
def learn(make_context):
    def learn(**given):
        return run_info(
            make_context(**given),
            now=NOW,
            config_digest="d1",
            start_before=lambda end: end - timedelta(days=2),
        )

    return learn


@pytest.mark.parametrize(
    ("run_type", "kind"),
    [
        ("scheduled", "scheduled"),
        ("manual", "manual"),
        ("operator_triggered", "manual"),
        ("asset_triggered", "asset"),
        ("asset_materialization", "manual"),
        ("backfill", "backfill"),
    ],
)
def test_every_way_that_airflow_starts_a_run_has_a_kind(learn, run_type, kind):
    assert learn(run_type=run_type).kind == kind


def test_the_key_names_the_run_and_never_the_try(learn):
    run = learn()
    assert (run.key.dag_id, run.key.run_id, run.key.map_index) == ("churn.train", "r1", -1)


def test_the_person_who_started_the_run_is_its_actor(learn):
    assert learn(triggering_user_name="ada").actor == "ada"
    assert learn().actor == "airflow"


@pytest.mark.parametrize(
    ("key", "window"),
    [
        ("2026", Window(day(1, 1), datetime(2027, 1, 1, tzinfo=UTC))),
        ("2026-02", Window(day(1, 2), day(1))),
        ("2026-03-01", Window(day(1), day(2))),
        ("2026-03-01T05", Window(day(1) + timedelta(hours=5), day(1) + timedelta(hours=6))),
        ("europe", None),
        ("2026-13", None),
        ("2026-03-01T05:30:00", None),
        (None, None),
    ],
)
def test_a_partition_key_that_names_a_period_is_a_window(key, window):
    assert PartitionKeys().window(key) == window


def test_the_zero_width_interval_of_a_bare_cron_is_no_window(learn):
    sources = learn(data_interval_start=day(1), data_interval_end=day(1)).sources
    assert sources.data_interval is None
    assert sources.run_after == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_data_interval_is_taken_as_it_is(learn):
    sources = learn(data_interval_start=day(1), data_interval_end=day(2)).sources
    assert sources.data_interval == Window(day(1), day(2))


def test_the_window_of_a_run_by_hand_beats_the_interval_that_airflow_infers_from_the_clock(learn):
    """Airflow's form is filled with a logical date of now, which gives each run by hand an interval."""
    inferred = {"data_interval_start": day(1), "data_interval_end": day(2)}
    given = {"window_start": "2026-02-01", "window_end": "2026-02-05"}
    by_hand = learn(**inferred, params=given).sources
    assert resolve_window(by_hand, Period(seconds=1)) == Window(day(1, 2), day(5, 2))
    assert learn(**inferred).sources.data_interval == Window(day(1), day(2))
    backfill = learn(**inferred, params=given, run_type="backfill").sources
    assert resolve_window(backfill, Period(seconds=1)) == Window(day(1), day(2))


def test_params_without_a_zone_are_utc_and_the_start_may_be_left_to_the_yaml(learn):
    both = {"window_start": "2026-02-01", "window_end": "2026-03-01T00:00:00+02:00"}
    assert learn(params=both).sources.params == Window(day(1, 2), day(1) - timedelta(hours=2))
    end_only = {"window_start": None, "window_end": "2026-03-05"}
    assert learn(params=end_only).sources.params == Window(day(3), day(5))
    assert learn(params={"window_start": None, "window_end": None}).sources.params is None


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window_end": "yesterday"}, "window_end is 'yesterday', which is no date"),
        ({"window_start": "2026-03-01"}, "a window_start but no window_end"),
        ({"window_start": "2026-03-02", "window_end": "2026-03-01"}, "is not before window_end"),
    ],
)
def test_params_that_make_no_window_are_refused_by_name(learn, params, message):
    with pytest.raises(DataRefused, match=message):
        learn(params=params)
