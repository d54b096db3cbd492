"""Looks taken together: corrected for how many there are, and of each column the one that says most."""

from __future__ import annotations

from airflow_mlops.core.drift import held_to_rate, worst_of_each
from airflow_mlops.core.values import ColumnDrift


def look(
    column: str, score: float, p_value: float | None, method: str = "psi", slice_: str = ""
) -> ColumnDrift:
    return ColumnDrift(column, method, score, 0.1, p_value, slice=slice_)


def test_p_values_are_corrected_for_all_looks_and_looks_without_one_stay_as_they_are() -> None:
    found = held_to_rate([look("a", 0.2, 0.02), look("b", 1.0, None), look("c", 0.2, 0.9)], 0.05)
    assert [one.p_value for one in found] == [0.04, None, 0.9]
    assert [one.drifted for one in found] == [True, True, False]


def test_what_is_significant_alone_may_be_chance_among_many() -> None:
    one, many = [look("a", 0.2, 0.03)], [look("a", 0.2, 0.03), *(look(str(n), 0.0, 0.8) for n in range(9))]
    assert held_to_rate(one, 0.05)[0].drifted
    assert not held_to_rate(many, 0.05)[0].drifted


def test_a_stricter_rate_asks_for_more() -> None:
    assert held_to_rate([look("a", 0.2, 0.03)], 0.05)[0].drifted
    assert not held_to_rate([look("a", 0.2, 0.03)], 0.01)[0].drifted


def test_of_a_columns_looks_the_drifted_one_that_moved_most_counts_else_the_first() -> None:
    looks = [
        look("a", 0.05, 0.9),
        look("a", 0.3, 0.001, "missing values"),
        look("a", 0.2, 0.001, "new categories"),
    ]
    looks += [
        look("b", 0.01, 0.9),
        look("b", 0.09, 0.001, "missing values"),
        look("a", 0.9, 0.001, slice_="s"),
    ]
    found = worst_of_each(looks)
    assert [(one.slice, one.column, one.method) for one in found] == [
        ("", "a", "missing values"),
        ("", "b", "psi"),
        ("s", "a", "psi"),
    ]


def test_a_look_says_its_slice_its_score_and_whether_chance_explains_it() -> None:
    assert str(look("a", 0.2, 0.0123, slice_="plan=pro")) == (
        "a in plan=pro: psi 0.2000, threshold 0.1000, p 0.012"
    )
