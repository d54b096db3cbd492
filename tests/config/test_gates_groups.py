"""Gates on groups of rows: what a file may say, and what is wrong between them and the rest of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
FAIR = "type: fairness, measure: demographic_parity_difference, maximum: 0.1"


def loaded(
    tmp_path: Path, rule: str, *, sensitive: str = "", task: str = "binary_classification"
) -> ModelConfig:
    text = MINIMAL.replace("  window:\n", f"{sensitive}  window:\n", 1) + f"    - {{{rule}}}\n"
    if task == "regression":
        text = text.replace("[roc_auc, log_loss]", "[r2]").replace("metric: roc_auc", "metric: r2")
        text = text.replace("metric: log_loss", "metric: r2")
    path = tmp_path / "wine.yaml"
    path.write_text(text.replace("task: binary_classification", f"task: {task}"))
    return load_model(path).config


def problems(tmp_path: Path, rule: str, **more: str) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        loaded(tmp_path, rule, **more)
    return [str(problem).splitlines()[0].partition("wine.yaml:")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("colour", (("colour",),)),
        ("[colour, alcohol]", (("colour",), ("alcohol",))),
        ("[colour, [colour, alcohol]]", (("colour",), ("colour", "alcohol"))),
    ],
)
def test_columns_are_one_several_or_crossed(tmp_path: Path, written: str, read: tuple[object, ...]) -> None:
    rule = loaded(tmp_path, f"{FAIR}, sensitive: {written}").gates.rules[-1]
    assert rule.type == "fairness"
    assert rule.sensitive == read
    assert rule.model_validate(rule.model_dump(mode="json")) == rule


def test_a_sensitive_column_is_read_and_is_no_feature(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{FAIR}, sensitive: region", sensitive="  sensitive: [region]\n")
    assert "region" in config.data.columns
    assert "region" not in config.data.features


def test_a_text_makes_no_groups(tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    rule = f"    - {{{FAIR}, sensitive: colour}}\n"
    path.write_text(MINIMAL.replace("colour: categorical", "colour: text") + rule)
    with pytest.raises(InvalidConfig) as caught:
        load_model(path)
    assert "'colour' is text: nearly every row would be a group of its own" in str(caught.value.problems)


def test_the_page_of_the_dag_says_what_is_compared(tmp_path: Path) -> None:
    rule = loaded(tmp_path, f"{FAIR}, sensitive: [colour, [colour, alcohol]]").gates.rules[-1]
    assert rule.in_words == "demographic parity difference by colour and colour x alcohol at most 0.1"


@pytest.mark.parametrize(
    ("rule", "at", "told"),
    [
        (
            f"{FAIR}, sensitive: color",
            "sensitive:",
            "sensitive[0]: 'color' is neither in data.features nor in data.sensitive; did you mean 'colour'?",
        ),
        (
            f"{FAIR}, sensitive: [colour, is_good]",
            "is_good",
            "sensitive[1]: 'is_good' is the label: it makes no groups",
        ),
        (
            f"{FAIR}, sensitive: [[colour, 3]]",
            "[colour",
            "sensitive[0]: must be a column, or a list of columns to cross, not ['colour', 3]",
        ),
        (f"{FAIR}, sensitive: []", "[]", "sensitive: needs at least 1 entry, has none"),
        (
            f"{FAIR}, sensitive: colour, edges: {{alcohol: [9, 8]}}",
            "alcohol",
            "edges.alcohol: must go up, each edge once",
        ),
        (
            "type: fairness, measure: demographic_parity_ratio, maximum: 0.8, sensitive: colour",
            "0.8",
            "maximum: a ratio has a minimum, give that instead",
        ),
        (
            "type: fairness, measure: demographic_parity, maximum: 0.1, sensitive: colour",
            "demographic",
            "measure: 'demographic_parity' is not one of",
        ),
        (
            "type: fairness, measure: mean_prediction_difference, maximum: 1, sensitive: colour",
            "measure",
            "measure: mean_prediction_difference does not fit task binary_classification; use one of",
        ),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, rule: str, at: str, told: str) -> None:
    [problem] = problems(tmp_path, rule)
    column = len("    - {") + 1 + rule.index(at)
    assert problem.startswith(f"31:{column}: gates.rules[2].{told}"), problem


def test_slices_are_read_and_said_in_words(tmp_path: Path) -> None:
    rules = loaded(
        tmp_path,
        "type: slices, metric: roc_auc, by: [[colour, alcohol]], automatic: true, minimum: 0.6}\n"
        "    - {type: slices, metric: log_loss, by: colour, margin: 0.02",
    ).gates.rules
    assert [rule.in_words for rule in rules[2:]] == [
        "`roc_auc` at least 0.6 in every slice by colour x alcohol and whatever is found",
        "`log_loss` no worse than the champion's by more than 0.02 in every slice by colour",
    ]
    assert [rule.bounds for rule in rules[2:]] == [(0.6, None), (None, 0.02)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rule", "at", "told"),
    [
        (
            "type: slices, metric: roc_auc, minimum: 0.6",
            None,
            "give 'by', the columns to cut by, or 'automatic",
        ),
        ("type: slices, metric: roc_auc, automatic: true", None, "give 'minimum' or 'maximum'"),
        (
            "type: slices, metric: roc_auc, by: colour, minimum: 0.6, margin: 0.1",
            "0.1",
            "margin: is against the champion: give it, or bounds, in two gates for both",
        ),
        (
            "type: slices, metric: roc_auc, by: [key, colour, bottle], minimum: 0.6",
            "bottle",
            "by[2]: 'bottle' is the key, which has one row a value: it makes no groups",
        ),
        (
            "type: slices, metric: brier_score, by: colour, maximum: 0.3",
            "brier",
            "metric: gates needs 'brier_score', which evaluation.metrics does not compute; add it there",
        ),
        (
            "type: slices, metric: roc_auc, by: colour, minimum: 0.6, correction: bonferroni",
            "bonf",
            "correction: 'bonferroni' is not one of 'holm', 'benjamini_hochberg' or 'none'",
        ),
        (
            "type: calibration, measure: slope, minimum: 1.2, maximum: 0.8",
            "1.2",
            "minimum: 'minimum' is above 'maximum': nothing can pass",
        ),
    ],
)
def test_a_mistake_in_slices_or_calibration_is_told(
    tmp_path: Path, rule: str, at: str | None, told: str
) -> None:
    found = problems(tmp_path, rule)
    column = len("    - {") + 1 + rule.index(at) if at else None
    begins = f"31:{column}: gates.rules[2].{told}" if at else f"gates.rules[2]: {told}"
    assert any(problem.startswith(begins) if at else begins in problem for problem in found), found


def test_a_regression_is_calibrated_on_average_only(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "type: calibration, measure: slope, minimum: 0.8", task="regression")
    assert problem.endswith("measure: slope does not fit task regression; use one of mean")
    assert loaded(tmp_path, "type: calibration, measure: mean, maximum: 0.8", task="regression")


def test_a_gate_without_a_bound_is_refused(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "type: fairness, measure: demographic_parity_ratio, sensitive: colour")
    assert "gates.rules[2]: give 'minimum' or 'maximum'" in problem


def test_fairness_of_decisions_is_refused_where_none_are_made(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, f"{FAIR}, sensitive: colour", task="regression")
    assert problem.endswith(
        "demographic_parity_difference does not fit task regression; use one of "
        "mean_absolute_error_difference, mean_prediction_difference"
    )


def test_a_feature_need_not_be_listed_as_sensitive(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, f"{FAIR}, sensitive: colour", sensitive="  sensitive: [colour]\n")
    assert problem.startswith("15:15: data.sensitive[0]: 'colour' is a feature already")
