"""What is no upstream fault: chance, a part of a day, a season that the reference does not have."""

from __future__ import annotations

import pytest

from airflow_mlops.core.faults import (
    LEVELS,
    Categories,
    ColumnSummary,
    Fault,
    Numbers,
    Reference,
    RowNames,
    TableSummary,
    faults_of,
    late_fault,
)
from airflow_mlops.core.faults.summary import Category

NAMES = RowNames("id", "at")


def hours(start: int, count: int, rows: int = 30) -> TableSummary:
    found = [0] * 24
    for hour in range(start, start + count):
        found[hour % 24] += rows
    return TableSummary(rows=sum(found), columns={}, hours=tuple(found))


def numbers(values: list[float]) -> Numbers:
    ordered = sorted(values)
    count = len(ordered)
    return Numbers(
        count=count,
        minimum=ordered[0],
        maximum=ordered[-1],
        quantiles=tuple(ordered[min(int(level * count), count - 1)] for level in LEVELS),
        at_minimum=ordered.count(ordered[0]),
        at_maximum=ordered.count(ordered[-1]),
        whole=count,
        distinct=len(set(ordered)),
        most_common=max(map(ordered.count, set(ordered))) / count,
        decimals=0,
        sentinels={"0": ordered.count(0.0), "-999": ordered.count(-999.0)},
    )


def of_numbers(values: list[float]) -> TableSummary:
    column = ColumnSummary("x", "numeric", len(values), 0, numbers=numbers(values))
    return TableSummary(rows=len(values), columns={"x": column})


def of_categories(counts: list[int]) -> TableSummary:
    rows = sum(counts)
    listed = tuple(Category(str(place), str(place), count) for place, count in enumerate(counts))
    column = ColumnSummary("x", "categorical", rows, 0, categories=Categories(rows, listed))
    return TableSummary(rows=rows, columns={"x": column})


def kinds(known: TableSummary, window: TableSummary) -> list[str]:
    return [one.kind for one in faults_of(Reference(known), window, NAMES)]


def test_the_hours_of_a_part_of_a_day_are_not_compared() -> None:
    """The reference's newest row is of 21 o'clock, so its stretches begin at 3, 9, 15 and 21."""
    stretches = tuple(hours(3 + 6 * place, 6) for place in range(8))
    reference, window = Reference(hours(0, 24, 500), stretches), hours(6, 6)
    (found,) = faults_of(reference, window, NAMES)
    assert found == Fault(("at",), "time_zone", "the hours of the day are shifted by +3")
    assert faults_of(reference, window, NAMES, by_hour=False) == ()


@pytest.mark.parametrize(("rows", "found"), [(40, []), (400, ["constant"])])
def test_few_rows_of_one_common_value_are_chance(rows: int, found: list[str]) -> None:
    assert kinds(of_numbers([1.0] * 850 + [2.0] * 150), of_numbers([1.0] * rows)) == found
    assert kinds(of_categories([850, 130, 20]), of_categories([rows])) == found


def test_the_lowest_number_of_a_cold_season_stands_for_nothing_else() -> None:
    summer = of_numbers([float(10 + place % 20) for place in range(1_000)])
    winter = [float(max(place % 16, 0)) for place in range(200)]
    assert kinds(summer, of_numbers(winter)) == []
    broken = [-999.0] * 10 + [float(10 + place % 20) for place in range(190)]
    assert kinds(summer, of_numbers(broken)) == ["sentinel"]


HOUR, DAY, GAP = 3_600.0, 86_400.0, 300.0


def landed(at: float, delay: float, cut: float = 0.0) -> float:
    """The newest row at a moment, where each day's rows land so long after its end."""
    return (at - delay - cut) // DAY * DAY + cut - 60


def told_late(known: float, newest: float, end: float, days: float = 4) -> bool:
    """Of a window of some days, against a reference with a row every five minutes."""
    reference = Reference(TableSummary(rows=10_000, columns={}, last=known, longest_gap=GAP))
    window = TableSummary(rows=1_000, columns={}, last=newest)
    return late_fault(NAMES, reference, window, end, days * DAY) is not None


@pytest.mark.parametrize("delay", [0.0, 2 * HOUR, 11 * HOUR, 23 * HOUR])
@pytest.mark.parametrize("trained", [0.0, 3 * HOUR, 12 * HOUR, 17.5 * HOUR])
def test_rows_that_land_once_a_day_are_late_at_no_hour_by_which_they_have_landed(
    trained: float, delay: float
) -> None:
    """The window ends by as much earlier as the reference's newest row was older than its own."""
    learnt = 100 * DAY + trained
    known = landed(learnt, delay)
    for quarter in range(4 * 24):
        now = 104 * DAY + quarter * HOUR / 4
        end, newest = now - (learnt - known), landed(now, delay)
        assert not told_late(known, newest, end), (quarter / 4, end - newest)
        assert told_late(known, newest - 2 * DAY, end), quarter / 4
        if quarter * HOUR / 4 >= trained >= delay:
            assert told_late(known, newest - DAY, end), quarter / 4


def test_rows_that_come_all_day_are_late_at_any_hour_once_a_good_part_is_missing() -> None:
    known = 100 * DAY - 60
    for hour in range(24):
        end = 104 * DAY + hour * HOUR
        assert not told_late(known, end - 60, end)
        assert told_late(known, end - 40 * HOUR, end)
