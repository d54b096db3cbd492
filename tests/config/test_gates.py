"""Gates in YAML: each type, what it says of itself, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.gates import Gates
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.steps.gate import rules_of

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
HEAD, _, _ = MINIMAL.partition("gates:\n")
THRESHOLD = "{type: threshold, metric: roc_auc, minimum: 0.6}"


def loaded(tmp_path: Path, *rules: str, head: str = HEAD) -> ModelConfig:
    path = tmp_path / "wine.yaml"
    path.write_text(head + "gates:\n  rules:\n" + "".join(f"    - {rule}\n" for rule in rules))
    return load_model(path).config


WORDS = {
    "{type: threshold, metric: roc_auc, minimum: 0.6, maximum: 0.99}": (
        "`roc_auc` at least 0.6 and at most 0.99"
    ),
    "{type: champion, metric: roc_auc, margin: 0.01}": (
        "`roc_auc` no worse than the champion's by more than 0.01"
    ),
    "{type: champion, metric: roc_auc, margin: 0.01, on_tie: champion}": (
        "`roc_auc` no worse than the champion's by more than 0.01, and better on a tie"
    ),
    "{type: champion, metric: roc_auc, improvement: 0.05, relative: true}": (
        "`roc_auc` better than the champion's by 5 %"
    ),
    "{type: overfitting, metric: roc_auc, maximum: 0.05}": (
        "overfitting: `roc_auc` on training rows minus holdout, at most 0.05"
    ),
    "{type: convergence}": "convergence: training came to its end",
    "{type: robustness, metric: roc_auc, maximum: 0.02, perturbations: [noise, unseen_category]}": (
        "robustness: `roc_auc` drops by at most 0.02 (noise, unseen category)"
    ),
    "{type: skew}": "skew: the saved model in a fresh process answers as in training, at most 1e-06",
    "{type: latency, maximum: 20, percentile: 99, rows: 50}": (
        "latency: 99 % of the calls of 1 and of 50 rows take at most 20 ms"
    ),
    "{type: latency, maximum: 20, rows: 1}": "latency: 95 % of the calls of 1 row take at most 20 ms",
    "{type: size, maximum: 50}": "size: the model's file has at most 50 MB",
    "{type: memory, maximum: 500}": "memory: loading and predicting 1000 rows take at most 500 MB",
    "{type: baseline, kind: constant, metric: roc_auc, minimum: 0.1}": (
        "baseline: `roc_auc` better than the best constant by at least 0.1"
    ),
    "{type: baseline, kind: former, age: 3 months, metric: roc_auc}": (
        "baseline: `roc_auc` better than the champion of 3 months ago by at least 0"
    ),
    "{type: baseline, kind: column, column: vendor, metric: roc_auc, name: the vendor}": (
        "the vendor: `roc_auc` better than the answers in column `vendor` by at least 0"
    ),
    "{type: custom, callable: 'wine_gates:taste'}": "taste: `wine_gates:taste` passes",
    "{type: custom, gate: fair_taste, maximum: 2}": "fair taste: `gate.fair_taste` at most 2",
}


@pytest.mark.parametrize("rule", WORDS)
def test_the_dags_page_tells_each_gate_in_words(tmp_path: Path, rule: str) -> None:
    config = loaded(tmp_path, THRESHOLD, rule)
    assert config.gates.rules[1].in_words == WORDS[rule]
    train, *_ = compile_plan(config, "d" * 64).dags
    assert f"- {WORDS[rule]}\n" in train.doc


@pytest.mark.parametrize("rule", WORDS)
def test_each_gate_becomes_a_rule_that_judges_by_what_the_yaml_says(tmp_path: Path, rule: str) -> None:
    config = loaded(tmp_path, THRESHOLD, rule)
    (_, judged) = rules_of(config.gates, config.evaluation)
    given = config.gates.rules[1]
    for word in ("minimum", "maximum", "improvement", "relative", "on_tie", "decide_by"):
        if hasattr(judged, word):
            assert getattr(judged, word) == getattr(given, word, getattr(judged, word))


def test_rules_of_one_name_are_told_apart_by_number(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        THRESHOLD,
        "{type: latency, maximum: 20}",
        "{type: latency, maximum: 90, percentile: 99}",
        "{type: latency, maximum: 5, name: half of the calls, percentile: 50}",
        "{type: custom, callable: 'wine_gates:old_taste'}",
    )
    assert config.gates.labels == ("threshold", "latency 1", "latency 2", "half of the calls", "old taste")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{type: overfitting, metric: roc_auc}", "give 'minimum' or 'maximum'"),
        ("{type: robustness, metric: roc_auc}", "give 'minimum' or 'maximum'"),
        (
            "{type: overfitting, metric: roc_auc, minimum: 1, maximum: 0}",
            r"rules\[1\]\.minimum: 'minimum' is above",
        ),
        ("{type: convergence, maximum: 1}", r"rules\[1\]\.maximum: unknown key"),
        ("{type: latency, maximum: 20, percentile: 90}", r"percentile: .*50, 95 or 99|50, 95, 99"),
        (
            "{type: latency, maximum: 20, percentile: 99, calls: 100}",
            r"calls: 100 calls give no interval of the 99th percentile at 95 %; ask for 368 or more",
        ),
        ("{type: robustness, metric: roc_auc, maximum: 0.1, perturbations: [fire]}", "perturbations"),
        ("{type: robustness, metric: roc_auc, maximum: 0.1, perturbations: []}", "at least 1"),
        (
            "{type: robustness, metric: roc_auc, maximum: 0.1, strength: {missing: 2}}",
            r"strength\.missing: ",
        ),
        ("{type: robustness, metric: r2, maximum: 0.1}", "'r2' does not fit"),
        ("{type: baseline, kind: former, metric: roc_auc}", "kind former needs 'age'"),
        ("{type: baseline, kind: column, metric: roc_auc}", "kind column needs 'column'"),
        (
            "{type: baseline, kind: constant, age: 1 month, metric: roc_auc}",
            r"rules\[1\]\.age: 'age' is for kind former, not for constant",
        ),
        (
            "{type: baseline, kind: last_value, metric: roc_auc}",
            r"rules\[1\]\.kind: the last value is no answer to a binary_classification",
        ),
        (
            "{type: baseline, kind: column, column: is_good, metric: roc_auc}",
            r"rules\[1\]\.column: 'is_good' is the label",
        ),
        ("{type: custom}", "give either 'callable'"),
        ("{type: custom, callable: 'a:b', gate: c}", "give either 'callable'"),
        ("{type: custom, callable: 'subprocess:run'}", r"rules\[1\]\.callable: .*Python's own code"),
        ("{type: custom, callable: taste}", r"rules\[1\]\.callable"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_at_its_key(tmp_path: Path, rule: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        loaded(tmp_path, THRESHOLD, rule)


def test_few_calls_are_enough_where_the_value_decides(tmp_path: Path) -> None:
    rule = "{type: latency, maximum: 20, percentile: 99, calls: 100, decide_by: value}"
    assert loaded(tmp_path, THRESHOLD, rule).gates.rules[1].type == "latency"


def test_a_baseline_is_enough_for_a_first_model_and_a_former_champion_is_not(tmp_path: Path) -> None:
    config = loaded(tmp_path, "{type: baseline, kind: constant, metric: roc_auc}")
    assert [rule.judges_first for rule in rules_of(config.gates, config.evaluation)] == [True]  # type: ignore[union-attr]
    for rule in (
        "{type: baseline, kind: former, age: 3 months, metric: roc_auc}",
        "{type: size, maximum: 50}",
        "{type: custom, callable: 'wine_gates:taste'}",
    ):
        with pytest.raises(ConfigError, match="add a rule of type threshold, or a baseline"):
            loaded(tmp_path, rule)


def test_several_classes_fit_into_no_column(tmp_path: Path) -> None:
    head = HEAD.replace("binary_classification", "multiclass_classification").replace(
        "[roc_auc, log_loss]", "[log_loss]"
    )
    with pytest.raises(ConfigError, match="one column cannot hold the probabilities of several classes"):
        loaded(tmp_path, "{type: baseline, kind: column, column: vendor, metric: log_loss}", head=head)


def test_a_snapshot_holds_the_column_that_a_baseline_reads_and_no_model_sees_it(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "{type: baseline, kind: column, column: vendor, metric: roc_auc}",
        "{type: baseline, kind: column, column: vendor, metric: log_loss}",
    )
    assert config.columns == [*config.data.columns, "vendor"]
    assert "vendor" not in config.data.features


def test_every_type_of_gate_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="convergence") as caught:
        loaded(tmp_path, THRESHOLD, "{type: convergance}")
    assert "did you mean 'convergence'" in str(caught.value)
    assert Gates.model_fields["rules"].is_required()
