"""What a YAML may say of a search, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
GOOD = "tuning: {metric: METRIC, space: {depth: {type: int, low: 2, high: 8}}}\n"


@pytest.fixture
def load(tmp_path: Path):
    def load_text(text: str, more: str = ""):
        path = tmp_path / "model.yaml"
        metric = load_model(_written(path, MINIMAL)).config.evaluation.names[0]
        return load_model(_written(path, MINIMAL + text.replace("METRIC", metric) + more)).config.tuning

    return load_text


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_search_needs_a_metric_and_a_space_and_has_defaults_for_the_rest(load) -> None:
    tuning = load(GOOD)
    assert (tuning.trials, tuning.minutes, tuning.parallel, tuning.every) == (30, None, 2, None)
    assert (tuning.sampler, tuning.pruner, tuning.folds.type, tuning.folds.folds) == (
        "tpe", "median", "rolling_origin", 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("part", "instead", "told"),
    [
        ("high: 8", "high: 2", "space.depth.*'high' \\(2\\) must be above 'low' \\(2\\)"),
        ("low: 2", "low: 0, log: true", "'log' needs bounds above 0, not 0"),
        ("high: 8", "high: 8, log: true, step: 2", "'step' and 'log' cannot go together"),
        ("low: 2", "low: 2.5", "low"),
        ("type: int", "type: whole", "int"),
        ("{type: int, low: 2, high: 8}", "{type: categorical, choices: [1]}", "one choice is no search"),
        ("{type: int, low: 2, high: 8}", "{type: categorical, choices: [a, b, a]}", "\"a\" is there twice"),
        ("{type: int, low: 2, high: 8}", "{type: float, low: 0, high: .inf}", "high"),
        ("space: {depth: {type: int, low: 2, high: 8}}", "space: {}", "space"),
        ("metric: METRIC", "metric: r2", "metric 'r2' does not fit task"),
        ("metric: METRIC", "metric: METRIC, parallel: 9, trials: 3", "9 workers for 3 trials"),
        ("metric: METRIC", "metric: METRIC, minuts: 3", "minutes"),
        ("metric: METRIC", "metric: METRIC, every: often", "not a period"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_key(load, part: str, instead: str, told: str) -> None:
    assert part in GOOD
    with pytest.raises(InvalidConfig, match=told):
        load(GOOD.replace(part, instead))


def test_true_and_1_are_different_choices(load) -> None:
    text = GOOD.replace(
        "{type: int, low: 2, high: 8}", "{type: categorical, choices: [true, 1, null, [1, 2]]}"
    )
    assert load(text).space["depth"].choices == (True, 1, None, [1, 2])


def test_a_budget_that_airflows_timeout_would_cut_short_is_refused(load) -> None:
    text = GOOD.replace("metric: METRIC", "metric: METRIC, minutes: 60")
    assert load(text, "execution: {timeout: 2 hours}\n").minutes == 60
    with pytest.raises(
        InvalidConfig, match=r"tuning\.minutes: .*give fewer than 60 minutes, or a longer time-out"
    ):
        load(text, "execution: {timeout: 1 hour}\n")
