"""Fairness: fairlearn's own values, intervals, groups that are too small, and what is refused."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from sklearn.metrics import mean_absolute_error

from airflow_mlops.backends.catalog import load_part
from airflow_mlops.config.parts.gates_groups import FAIRNESS_OF, FairnessMeasure
from airflow_mlops.exceptions import DataRefused, MissingExtra

BINARY = sorted(FAIRNESS_OF["binary_classification"])


@pytest.fixture
def fairness(settings_of):
    """``fairness(material, measure, sensitive=...)``: the finding of a rule with any bound."""

    def measured(material, measure, sensitive="language", **more):
        bound = "minimum" if measure.endswith("_ratio") else "maximum"
        written = {"type": "fairness", "measure": measure, "sensitive": sensitive, bound: 0.5}
        return load_part("gate.fairness")(settings_of(**written, **more), material)

    return measured


@pytest.mark.parametrize("measure", [name for name in BINARY if hasattr(fairlearn, name)])
def test_a_value_is_fairlearns_own(fairness, material_of, people, measure) -> None:
    frame, answers = people
    [found] = fairness(material_of(frame, answers), measure).measurements
    expected = getattr(fairlearn, measure)(
        frame["y"], (answers >= 0.5).astype(int), sensitive_features=frame["language"]
    )
    assert found.estimate.value == pytest.approx(expected, abs=1e-12)
    assert found.estimate.low <= expected <= found.estimate.high
    assert (found.name, found.rows) == (f"{measure.replace('_', ' ')} by language", 3_000)


def test_fairlearn_has_a_function_for_most_measures_and_a_frame_for_the_others() -> None:
    own = {name for name in get_args(FairnessMeasure) if hasattr(fairlearn, name)}
    assert len(own) >= 6
    assert {"demographic_parity_difference", "equalized_odds_ratio", "equal_opportunity_ratio"} <= own


@pytest.mark.parametrize(
    ("measure", "metric"),
    [
        ("mean_prediction_difference", fairlearn.mean_prediction),
        ("mean_absolute_error_difference", mean_absolute_error),
    ],
)
def test_numbers_are_compared_by_their_means(fairness, material_of, people, measure, metric) -> None:
    frame, answers = people
    frame = frame.assign(y=frame["y"] + frame["signal"])
    [found] = fairness(material_of(frame, answers, task="regression"), measure).measurements
    by_group = fairlearn.MetricFrame(
        metrics=metric, y_true=frame["y"], y_pred=answers, sensitive_features=frame["language"]
    )
    assert found.estimate.value == pytest.approx(by_group.difference(), abs=1e-12)
    assert found.estimate.low < found.estimate.value < found.estimate.high


def test_several_classes_are_compared_by_accuracy(fairness, material_of, people) -> None:
    frame, answers = people
    named = frame.assign(y=frame["y"].map({0: "no", 1: "yes"}))
    material = material_of(named, np.column_stack([1 - answers, answers]), task="multiclass_classification")
    [found] = fairness(material, "accuracy_score_difference").measurements
    [two] = fairness(material_of(frame, answers), "accuracy_score_difference").measurements
    assert found.estimate == two.estimate


def test_the_threshold_of_the_decision_counts(fairness, material_of, people) -> None:
    frame, answers = people
    material = material_of(frame, answers, decision_threshold=0.7)
    [found] = fairness(material, "demographic_parity_difference").measurements
    expected = fairlearn.demographic_parity_difference(
        frame["y"], answers >= 0.7, sensitive_features=frame["language"]
    )
    assert found.estimate.value == pytest.approx(expected, abs=1e-12)


def test_several_columns_are_cut_one_by_one_and_a_list_is_crossed(fairness, material_of, people) -> None:
    frame, answers = people
    finding = fairness(
        material_of(frame, answers),
        "demographic_parity_difference",
        ["language", "age", ["language", "age"]],
        edges={"age": [30, 50]},
    )
    names = [item.name.partition(" by ")[2] for item in finding.measurements]
    assert names == ["language", "age", "language x age"]
    assert [point.name for point in finding.figures[1].points] == ["age < 30", "30 <= age < 50", "age >= 50"]
    assert finding.figures[2].points[0].name == "language=de, age < 30"
    assert "all comparisons together" in finding.notes[0]


def test_more_comparisons_and_more_groups_widen_the_interval(fairness, material_of, people) -> None:
    frame, answers = people
    material = material_of(frame, answers)
    [alone] = fairness(material, "demographic_parity_difference").measurements
    first, _ = fairness(material, "demographic_parity_difference", ["language", "age"]).measurements
    assert first.estimate.value == alone.estimate.value
    assert first.estimate.low < alone.estimate.low
    assert first.estimate.high > alone.estimate.high


def test_small_groups_are_named_and_left_out(fairness, material_of, people) -> None:
    frame, answers = people
    finding = fairness(material_of(frame, answers), "demographic_parity_difference", minimum_rows=200)
    few = int((frame["language"] == "hi").sum())
    assert f"By language, left out as too small: language=hi ({few} rows)." in finding.notes
    assert finding.measurements[0].rows == 3_000 - few
    assert [point.name for point in finding.figures[0].points] == [
        "language=de",
        "language=en",
        "language=fr",
    ]


def test_a_group_with_few_positives_is_left_out_where_positives_count(fairness, material_of, people) -> None:
    frame, answers = people
    frame = frame.assign(y=frame["y"].where(frame["language"] != "hi", 0))
    odds = fairness(material_of(frame, answers), "equalized_odds_difference")
    assert "language=hi (0 positives)" in odds.notes[1]
    parity = fairness(material_of(frame, answers), "demographic_parity_difference")
    assert len(parity.notes) == 1


def test_missing_values_are_a_group(fairness, material_of, people) -> None:
    frame, answers = people
    frame = frame.assign(language=frame["language"].where(frame["language"] != "fr", None))
    finding = fairness(material_of(frame, answers), "demographic_parity_difference")
    assert "language=missing" in [point.name for point in finding.figures[0].points]


def test_one_group_alone_cannot_be_compared_and_the_reason_says_which_were_too_small(
    fairness, material_of, people
) -> None:
    frame, answers = people
    with pytest.raises(DataRefused, match=r"language has 1 group .* left out: language=de \(\d+ rows\)"):
        fairness(material_of(frame, answers), "demographic_parity_difference", minimum_rows=1_000)


def test_a_ratio_of_nothing_is_refused(fairness, material_of, people) -> None:
    frame, answers = people
    with pytest.raises(DataRefused, match="0 in every group"):
        fairness(material_of(frame, answers * 0), "demographic_parity_ratio")


def test_each_group_has_its_rate_in_the_report(fairness, material_of, people) -> None:
    frame, answers = people
    finding = fairness(material_of(frame, answers), "equalized_odds_difference")
    assert [figure.title for figure in finding.figures] == [
        "True positive rate by language",
        "False positive rate by language",
    ]
    german = finding.figures[0].points[0]
    of_it = (frame["language"] == "de") & (frame["y"] == 1)
    assert (german.rows, german.estimate.value) == (of_it.sum(), (answers[of_it] >= 0.5).mean())


def test_without_fairlearn_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"airflow-mlops\[fairness\]"):
        load_part("gate.fairness")
