"""From the losses of batches to a signal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

import pytest

from airflow_mlops.config.models import ModelConfig  # noqa: F401  (parts are only whole with it)
from airflow_mlops.config.parts.monitor_performance import Performance
from airflow_mlops.core.detectors import Batch, PageHinkley, Watched, watch
from airflow_mlops.core.detectors.watch import FEWEST

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
ALL = ("page_hinkley", "adwin", "kswin", "ddm", "eddm")


def batches(count: int, *, first: int = 0, level: float = 0.2, seed: int = 0) -> list[Batch]:
    random = Random(seed)
    return [
        Batch(START + timedelta(days=first + day), random.gauss(level, 0.02), 100) for day in range(count)
    ]


def made(*names: str) -> list[Watched]:
    return [one.watched for one in Performance(metric="roc_auc", detectors=names).detectors]


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@pytest.mark.parametrize("name", ALL)
def test_a_rise_of_three_spreads_is_seen_by_every_detector_and_not_before_it_is_there(name) -> None:
    reference = batches(14)
    calm, worse = batches(40, first=14, seed=1), batches(60, first=54, level=0.26, seed=2)
    (quiet,) = (watch(one, reference, calm, day(14)) for one in made(name))
    assert not quiet.fired
    (signal,) = (watch(one, reference, [*calm, *worse], day(14)) for one in made(name))
    assert signal.fired, signal
    assert signal.at is not None
    assert day(54) <= signal.at < day(114)


@pytest.mark.parametrize("name", ALL)
def test_where_nothing_changes_hardly_any_alarm_is_raised(name) -> None:
    alarms = 0
    for seed in range(40):
        reference, calm = batches(30, seed=seed), batches(90, first=30, seed=1000 + seed)
        (signal,) = (watch(one, reference, calm, day(30)) for one in made(name))
        alarms += signal.fired
    assert alarms <= 5, alarms


def test_the_unit_is_the_losss_own_spread_so_its_scale_does_not_matter() -> None:
    reference, served = (
        batches(14),
        [*batches(20, first=14, seed=1), *batches(20, first=34, level=0.3, seed=2)],
    )

    def times(factor: float, some: list[Batch]) -> list[Batch]:
        return [Batch(one.start, factor * one.loss, one.rows) for one in some]

    (small,) = (watch(one, reference, served, day(14)) for one in made("page_hinkley"))
    (large,) = (
        watch(one, times(1000, reference), times(1000, served), day(14)) for one in made("page_hinkley")
    )
    assert small == large
    assert small.fired


def test_an_alarm_of_an_earlier_window_is_no_news_for_this_one() -> None:
    reference = batches(14)
    served = [*batches(20, first=14, level=0.3, seed=1), *batches(10, first=34, level=0.3, seed=2)]
    (signal,) = (watch(one, reference, served, day(34)) for one in made("page_hinkley"))
    assert (signal.state, signal.earlier) == ("quiet", 1)
    assert watch(made("page_hinkley")[0], reference, served, day(14)).fired


def test_with_few_batches_a_detector_learns_and_says_so() -> None:
    signal = watch(Watched("page_hinkley", PageHinkley()), batches(3), batches(3, first=3), day(3))
    assert (signal.state, signal.batches, signal.fired) == ("learning", 6, False)
    assert "6 batches are too few" in signal.reason


def test_without_a_holdout_the_first_batches_served_say_what_is_usual() -> None:
    calm = batches(20, seed=1)
    worse = [*calm, *batches(20, first=20, level=0.3, seed=2)]
    assert len(calm) > FEWEST
    assert not watch(made("page_hinkley")[0], (), calm, day(0)).fired
    assert watch(made("page_hinkley")[0], (), worse, day(0)).fired


def test_batches_may_come_in_any_order_since_labels_do() -> None:
    reference = batches(14)
    served = [*batches(20, first=14, seed=1), *batches(20, first=34, level=0.3, seed=2)]
    mixed = list(served)
    Random(5).shuffle(mixed)
    first, second = (watch(made("page_hinkley")[0], reference, some, day(14)) for some in (served, mixed))
    assert first == second


def test_a_loss_that_falls_is_an_improvement_and_no_drift() -> None:
    reference = batches(30)
    better = batches(40, first=30, level=0.05, seed=3)
    for one in made(*ALL):
        assert not watch(one, reference, better, day(30)).fired, one.name


def test_a_loss_that_never_varied_is_no_error() -> None:
    reference = [Batch(day(number), 0.0, 50) for number in range(10)]
    served = [Batch(day(10), 0.0, 50), Batch(day(11), 0.4, 50)]
    assert watch(made("page_hinkley")[0], reference, served, day(10)).fired


@pytest.mark.parametrize("moved", [0, 2, -3])
def test_an_alarm_that_was_told_stands_and_is_no_news_though_labels_have_moved_it(moved: int) -> None:
    reference = batches(14)
    served = [*batches(20, first=14, seed=1), *batches(30, first=34, level=0.3, seed=2)]
    (first,) = (watch(one, reference, served, day(14)) for one in made("adwin"))
    assert first.fired
    assert first.at is not None
    told = first.at + timedelta(days=moved)
    (again,) = (watch(one, reference, served, day(14), told) for one in made("adwin"))
    assert (again.fired, again.earlier, again.standing) == (False, 1, first.at)
    assert f"quiet after 64 batches; its last alarm was at {first.at:%Y-%m-%d}" in again.reason


def test_a_second_rise_is_news_although_the_first_was_told() -> None:
    served = [*batches(20, first=14, seed=1), *batches(30, first=34, level=0.3, seed=2)]
    (first,) = (watch(one, batches(14), served, day(14)) for one in made("adwin"))
    worse = [*served, *batches(20, first=64, level=0.5, seed=3)]
    (second,) = (watch(one, batches(14), worse, day(14), first.at) for one in made("adwin"))
    assert second.fired
    assert second.at is not None
    assert second.at >= day(64)
    assert second.standing == first.at
