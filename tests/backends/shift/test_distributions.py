"""Scores, classes and labels as small distributions."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter

from airflow_mlops.backends.shift.distributions import (
    of_classes,
    of_labels,
    of_numbers,
    prediction_shift,
    reference_scores,
    sureness,
)
from airflow_mlops.core.shift.distribution import Shift
from airflow_mlops.core.shift.reference import ReferenceScores


def test_bins_are_the_deciles_of_the_reference() -> None:
    kept = of_numbers(np.arange(1000.0))
    assert len(kept.edges) == 9
    assert max(kept.counts) - min(kept.counts) <= 2
    assert kept.quantiles == pytest.approx((50, 250, 500, 750, 950), abs=1)
    assert of_numbers(np.full(7, 5000.0), kept.edges).counts == (0,) * 9 + (7,)


def test_a_value_that_many_rows_have_is_left_for_either_side_visibly() -> None:
    same = of_numbers(np.full(500, 0.5))
    for moved in (0.4, 0.6):
        assert Shift(same, of_numbers(np.full(500, moved), same.edges), 0.2).drifted
    assert not Shift(same, of_numbers(np.full(300, 0.5), same.edges), 0.2).drifted


def test_what_is_no_number_is_left_out() -> None:
    assert of_numbers(np.array([1.0, np.nan, np.inf])).rows == 1
    assert of_classes(np.array([0, 1, np.nan, 1])).counts == (1, 2)


def test_nothing_at_all_has_no_spread_and_no_quantiles() -> None:
    empty = of_numbers(np.zeros(0))
    assert (empty.rows, empty.quantiles) == (0, ())


def test_entropy_is_one_where_nobody_knows_and_zero_where_all_is_certain() -> None:
    entropy, confidence = sureness(np.array([0.5, 0.0, 1.0]), "binary_classification")
    assert entropy.tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert confidence.tolist() == pytest.approx([0.5, 1.0, 1.0])
    several = np.array([[1 / 3, 1 / 3, 1 / 3], [0.0, 1.0, 0.0]])
    assert sureness(several, "multiclass_classification")[0].tolist() == pytest.approx([1.0, 0.0])
    assert sureness(np.array([1.0]), "regression") is None


def test_what_is_kept_with_a_model_survives_json() -> None:
    rng = np.random.default_rng(0)
    kept = reference_scores(rng.uniform(size=200), rng.integers(0, 2, 200), "binary_classification")
    adapter = TypeAdapter(ReferenceScores)
    assert adapter.validate_json(adapter.dump_json(kept)) == kept


def test_scores_that_got_less_sure_are_seen_without_labels() -> None:
    rng = np.random.default_rng(0)
    kept = reference_scores(rng.beta(0.5, 0.5, 2_000), rng.integers(0, 2, 2_000), "binary_classification")
    found = prediction_shift(kept, rng.beta(5, 5, 2_000), 0.2)
    assert found.scores.drifted
    before, now = found.entropy
    assert now.mean > before.mean + 0.2
    assert found.confidence[1].mean < found.confidence[0].mean
    assert not prediction_shift(kept, rng.beta(0.5, 0.5, 2_000), 0.2).scores.drifted


def test_classes_are_counted_from_the_log_and_sureness_comes_from_the_champion() -> None:
    rng = np.random.default_rng(0)
    answers = rng.dirichlet([3, 2, 1], 1_000)
    kept = reference_scores(answers, rng.integers(0, 3, 1_000), "multiclass_classification")
    assert len(kept.predictions.counts) == 3
    assert sum(kept.chances) == pytest.approx(1.0)
    served = np.full(500, 2.0)
    assert prediction_shift(kept, served, 0.2).entropy is None
    found = prediction_shift(kept, served, 0.2, np.tile([0.0, 0.0, 1.0], (500, 1)))
    assert (found.scores.drifted, found.entropy[1].mean) == (True, 0.0)


def test_predictions_of_a_number_have_quantiles() -> None:
    kept = reference_scores(np.arange(100.0), np.arange(100.0), "regression")
    found = prediction_shift(kept, np.arange(100.0) + 50, 0.2)
    assert found.scores.window.quantiles[2] - kept.predictions.quantiles[2] == pytest.approx(50)
    assert (found.entropy, found.confidence) == (None, None)


def test_labels_of_the_window_fall_into_the_references_bins() -> None:
    kept = of_labels([0, 1, 1, 0, 2], "multiclass_classification")
    assert of_labels([True, False, True], "binary_classification").counts == (1, 2)
    assert of_labels([1], "multiclass_classification", kept).counts == (0, 1, 0)
    numbers = of_labels(np.arange(100.0), "regression")
    assert of_labels([1e9], "regression", numbers).counts[-1] == 1


def test_a_label_that_came_in_broken_is_one_more_class_and_not_a_billion() -> None:
    kept = of_labels([0, 1, 1, 0], "binary_classification")
    broken = of_labels([0, 1, 1e15], "binary_classification", kept)
    assert (broken.rows, sum(broken.counts)) == (3, 3)
    assert len(broken.counts) < 20_000
