"""The stretch of time that a partition key names."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_mlops.core.windows import Period, Window
from airflow_mlops.operators.partitions import PartitionKeys


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("keys", "key", "window"),
    [
        (
            PartitionKeys("Asia/Kolkata"),
            "2026-03-02",
            Window(utc(2026, 3, 1, 18, 30), utc(2026, 3, 2, 18, 30)),
        ),
        (PartitionKeys("Europe/Paris"), "2026-03", Window(utc(2026, 2, 28, 23), utc(2026, 3, 31, 22))),
        # The clocks go forward: the day has 23 hours, and an hour is an hour.
        (PartitionKeys("Europe/Paris"), "2026-03-29", Window(utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))),
        (PartitionKeys("Europe/Paris"), "2026-03-29T01", Window(utc(2026, 3, 29), utc(2026, 3, 29, 1))),
        (
            PartitionKeys("Europe/Paris", cron="30 6 * * 1"),
            "2026-03-23T06:30",
            Window(utc(2026, 3, 23, 5, 30), utc(2026, 3, 30, 4, 30)),
        ),
        (
            PartitionKeys(length=Period(seconds=7 * 86_400)),
            "2026-03-02T00:00:00",
            Window(utc(2026, 3, 2), utc(2026, 3, 9)),
        ),
        (
            PartitionKeys("Europe/Paris", length=Period(seconds=3_600)),
            "2026-03-02T00:00:00Z",
            Window(utc(2026, 3, 2), utc(2026, 3, 2, 1)),
        ),
        (PartitionKeys(), "eu-west", None),
        (PartitionKeys(), "2026-13", None),
        (PartitionKeys(), None, None),
    ],
)
def test_a_key_is_read_in_the_zone_and_ends_where_its_period_does(keys, key, window):
    assert keys.window(key) == window
    assert not keys.is_unclear(key)


@pytest.mark.parametrize("key", ["2026-03-02T00:00:00", "2026-03-02 06:30", "2026-03-02T00:00:00.5+02:00"])
def test_a_moment_alone_is_unclear(key):
    assert PartitionKeys().window(key) is None
    assert PartitionKeys().is_unclear(key)
