"""What is watched of performance: detectors, their loss, slices, and where labels come from."""

from __future__ import annotations

import pytest

from airflow_mlops.config.problems import InvalidConfig

LABELS = "{source: {type: parquet, path: labels/*.parquet}%s}"


@pytest.fixture
def watched(load):
    """``watched("metric: roc_auc")``: the smallest model's monitor, with this under performance."""

    def make(performance: str, labels: str = ""):
        return load(f"monitor: {{labels: {LABELS % labels}, performance: {{{performance}}}}}").monitor

    return make


def test_detectors_go_by_name_or_with_settings_and_adwin_is_on_by_default(watched) -> None:
    assert [one.type for one in watched("metric: roc_auc").performance.detectors] == ["adwin"]
    chosen = watched("metric: roc_auc, detectors: [ddm, {type: page_hinkley, threshold: 4}]").performance
    assert [one.type for one in chosen.detectors] == ["ddm", "page_hinkley"]
    assert chosen.detectors[1].threshold == 4
    assert watched("metric: roc_auc, detectors: []").performance.detectors == ()


@pytest.mark.parametrize(
    ("performance", "said"),
    [
        ("metric: roc_auc, detectors: [adwin, {type: adwin}]", "adwin is there twice"),
        ("metric: roc_auc, detectors: [cusum]", "page_hinkley"),
        ("metric: roc_auc, detectors: [{type: kswin, window: 10, recent: 6}]", "at most half of the window"),
        ("metric: roc_auc, detectors: [{type: ddm, warning: 5}]", "must be at most drift"),
        ("metric: roc_auc, detectors: [{type: eddm, warning: 0.2}]", "must be at least drift"),
        ("metric: roc_auc, loss: roc_auc", "one number for all rows together"),
        ("metric: roc_auc, loss: mean_absolute_error", "nor a metric of a binary_classification"),
        ("metric: roc_auc, slices: {by: [region]}", "the inference log keeps features only"),
        ("metric: roc_auc, slices: {by: [alcohol], edges: {alcohol: [3, 1]}}", "must go up"),
        ("metric: roc_auc, batch: 1 month", "not always equally long"),
    ],
)
def test_what_cannot_be_watched_is_refused(watched, performance, said) -> None:
    with pytest.raises(InvalidConfig, match=said):
        watched(performance)


def test_a_loss_of_the_table_need_not_be_among_the_metrics(watched) -> None:
    assert watched("metric: roc_auc, loss: brier_score").performance.loss == "brier_score"


def test_labels_say_how_they_join_and_how_long_they_are_waited_for(watched) -> None:
    labels = watched(
        "metric: roc_auc", ", join: request_id, column: answer, arrived_at: landed, deadline: 6 weeks"
    ).labels
    assert (labels.join, labels.column, labels.arrived_at) == ("request_id", "answer", "landed")
    assert str(labels.waits) == "42 days"
    with pytest.raises(InvalidConfig, match="name the one with the time"):
        watched("metric: roc_auc", ", column: landed, arrived_at: landed")
