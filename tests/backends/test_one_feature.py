"""How well one feature tells the label: leaks of every form are seen, honest features are not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.one_feature import halves, told_by

ROWS = 2_000
RANDOM = np.random.default_rng(0)
FLAG = pd.Series(RANDOM.uniform(size=ROWS) < 0.1).astype(int)
COLOUR = pd.Series(RANDOM.integers(0, 4, ROWS))
AMOUNT = pd.Series(np.exp(3 * RANDOM.normal(size=ROWS)))  # heavy tails


def explained(feature: pd.Series, label: pd.Series, *, kind: str = "numeric", classes: bool = True) -> float:
    told = told_by(feature, kind, label, halves(len(label)), classes=classes)  # type: ignore[arg-type]
    assert told is not None
    return told.explained


@pytest.mark.parametrize(
    ("feature", "label", "kind", "classes"),
    [
        (FLAG.astype(float), FLAG, "numeric", True),
        (1 - FLAG * 7.5, FLAG, "numeric", True),
        (FLAG.map({0: "no", 1: "yes"}), FLAG, "categorical", True),
        (pd.Series(np.where(FLAG == 1, "gone", None)), FLAG, "categorical", True),
        (pd.Series(np.where(FLAG == 1, RANDOM.normal(size=ROWS), np.nan)), FLAG, "numeric", True),
        (pd.Series(np.abs(RANDOM.normal(size=ROWS)) * np.where(FLAG == 1, -1, 1)), FLAG, "numeric", True),
        (COLOUR.map({0: 3.0, 1: 1.0, 2: 2.0, 3: 0.0}), COLOUR, "numeric", True),
        (AMOUNT * 1.19, AMOUNT, "numeric", False),
        (np.log(AMOUNT), AMOUNT, "numeric", False),
        (-(AMOUNT**3), AMOUNT, "numeric", False),
        (pd.Series(np.abs(np.linspace(-1, 1, ROWS))).sample(frac=1, random_state=0, ignore_index=True), None,
         "numeric", False),
    ],
    ids=["copy", "scaled", "words", "only where true", "missing elsewhere", "sign", "renumbered", "with tax",
         "logarithm", "turned round", "mirrored"],
)  # fmt: skip
def test_what_tells_the_label_alone_is_seen(feature, label, kind, classes) -> None:
    label = feature.map(lambda value: (value - 0.5) ** 2) if label is None else label
    assert explained(feature, label, kind=kind, classes=classes) > (0.98 if classes else 0.999)


def test_a_leak_that_is_wrong_now_and_then_is_seen_and_counted() -> None:
    noisy = FLAG.where(RANDOM.uniform(size=ROWS) > 0.001, 1 - FLAG)
    told = told_by(noisy, "numeric", FLAG, halves(ROWS), classes=True)
    assert told is not None
    assert told.wrong == int((noisy != FLAG).sum()) > 0
    assert told.wrong_without == int(FLAG.sum())
    assert told.explained == 1 - told.wrong / told.wrong_without > 0.98


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        (pd.Series(np.arange(ROWS, dtype=float)), "numeric"),
        (pd.Series([f"id {number}" for number in range(ROWS)]), "categorical"),
        (pd.Series(1.0, index=range(ROWS)), "numeric"),
        (pd.Series(np.nan, index=range(ROWS)), "numeric"),
        (pd.Series(RANDOM.normal(size=ROWS)), "numeric"),
        (FLAG + RANDOM.normal(size=ROWS), "numeric"),
    ],
    ids=["row number", "identifier", "constant", "missing", "noise", "signal"],
)
@pytest.mark.parametrize("classes", [True, False])
def test_honest_features_are_far_from_accused(feature: pd.Series, kind: str, classes: bool) -> None:
    assert explained(feature, FLAG if classes else AMOUNT, kind=kind, classes=classes) < 0.5


def test_yesterdays_value_of_a_slow_series_stays_below_what_is_asked_of_a_forecast() -> None:
    walk = np.cumsum(RANDOM.normal(size=10_001))
    assert explained(pd.Series(walk[:-1]), pd.Series(walk[1:]), classes=False) < 0.9999


def test_a_state_that_lasts_is_not_told_by_the_time_of_the_row() -> None:
    state = pd.Series(np.arange(ROWS) // 40 % 2)
    assert explained(pd.Series(np.arange(ROWS, dtype=float)), state) < 0.5


def test_a_feature_that_names_the_group_is_not_accused_where_groups_are_kept_apart() -> None:
    person = RANDOM.integers(0, 100, ROWS)
    weight, ill = RANDOM.normal(size=100)[person], pd.Series(RANDOM.integers(0, 2, 100)[person])
    together = told_by(pd.Series(weight), "numeric", ill, halves(ROWS), classes=True)
    apart = told_by(pd.Series(weight), "numeric", ill, halves(ROWS, groups=person), classes=True)
    assert together is not None
    assert apart is not None
    assert together.explained > 0.98
    assert apart.explained < 0.5


def test_too_few_rows_of_the_other_classes_say_nothing() -> None:
    few = pd.Series([1] * 19 + [0] * 500)
    assert told_by(few, "numeric", few, halves(519), classes=True) is None
    assert told_by(AMOUNT[:30], "numeric", AMOUNT[:30], halves(30), classes=False) is None
    assert told_by(AMOUNT, "numeric", AMOUNT * 0, halves(ROWS), classes=False) is None


def test_a_label_of_very_many_classes_is_looked_at_in_good_memory() -> None:
    label = pd.Series(np.arange(ROWS) % 80)
    assert explained(label.astype(float), label) > 0.98
