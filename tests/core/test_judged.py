"""Which rows and features of a window can be judged, where its versions take different features."""

from __future__ import annotations

from airflow_mlops.core.judged import judged_part

FEATURES = ("age", "plan", "visits")
OLD = ("age", "plan")


def test_rows_of_versions_that_take_all_are_left_as_they_are() -> None:
    part = judged_part(FEATURES, FEATURES, {"1": FEATURES, "2": FEATURES}, {"1": 5, "2": 900}, least=200)
    assert (part.features, part.left_out, part.said) == (FEATURES, {}, ())


def test_rows_without_a_feature_of_the_champion_are_left_out_and_told() -> None:
    part = judged_part(FEATURES, FEATURES, {"1": OLD, "2": FEATURES}, {"1": 700, "2": 200}, least=200)
    assert (part.features, part.left_out) == (FEATURES, {"1": 700})
    assert part.said == ("rows that are not compared: 700 of version 1, without visits",)


def test_a_champion_that_has_just_come_is_judged_with_all_others_by_what_they_have_in_common() -> None:
    part = judged_part(FEATURES, FEATURES, {"1": OLD, "2": FEATURES}, {"1": 700, "2": 199}, least=200)
    assert (part.features, part.left_out) == (OLD, {})
    assert part.said == ("not compared, for fewer than 200 rows are of versions that take it: visits",)


def test_a_champion_that_has_not_answered_yet_is_not_missed() -> None:
    part = judged_part(FEATURES, FEATURES, {"1": OLD}, {"1": 50}, least=1)
    assert (part.features, part.left_out) == (OLD, {})


def test_a_feature_that_the_champion_does_not_take_is_not_judged_though_others_take_it() -> None:
    part = judged_part(FEATURES, OLD, {"1": OLD, "2": FEATURES}, {"1": 700, "2": 200}, least=200)
    assert (part.features, part.left_out) == (OLD, {})
    assert part.said == ("not compared, for the champion takes no such feature: visits",)
