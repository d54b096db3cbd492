"""Quality, business metrics and A/B tests in a YAML: what is refused, where, and with which way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
LABELS = "monitor: {labels: {source: {type: parquet, path: l.parquet}}}\n"
QUALITY = "quality: {metric: log_loss, margin: 0.01}"
METRIC = "{name: orders, query: 'orders{v=\"$challenger\"}', minimum: 0.02}"


def analysis(text: str) -> str:
    return f"deploy: {{analysis: {{{text}}}}}\n"


def ab(text: str = QUALITY, more: str = "minimum_duration: 14 days", deadline: str = "21 days") -> str:
    return f"deploy: {{strategy: ab, deadline: {deadline}, analysis: {{{more}, {text}}}}}\n"


def test_what_is_left_out_is_not_judged_and_a_shift_is_told(load) -> None:
    plain = load("").deploy.analysis
    assert (plain.quality, plain.metrics) == (None, ())
    assert plain.predictions.max_psi == 0.25
    assert load(analysis("predictions: null")).deploy.analysis.predictions is None


def test_quality_and_metrics_of_a_canary_are_read(load) -> None:
    found = load(LABELS + analysis(f"{QUALITY}, metrics: [{METRIC}]")).deploy.analysis
    assert (found.quality.margin, found.quality.minimum_labels, found.quality.required) == (0.01, 200, False)
    assert (found.metrics[0].bounds.minimum, found.metrics[0].conn_id) == (0.02, "prometheus_default")


def test_an_ab_test_lasts_and_decides_by_worth(load) -> None:
    deploy = load(LABELS + ab()).deploy
    assert (deploy.weights, deploy.analysis.minimum_duration) == ((0.5,), "14 days")
    assert load(ab(f"metrics: [{METRIC}]")).deploy.strategy == "ab"


@pytest.mark.parametrize(
    ("more", "at", "message"),
    [
        (analysis(QUALITY), "deploy.analysis.quality", "needs monitor.labels, the place where"),
        (
            LABELS + analysis("quality: {metric: roc_auc, margin: 0.01}"),
            "deploy.analysis.quality.metric",
            "roc_auc is no mean over rows, and rows are looked at as their labels land; use one of log_loss, "
            "brier_score, accuracy",
        ),
        (
            LABELS + analysis("quality: {metric: accuracy, margin: 0.01}"),
            "deploy.analysis.quality.metric",
            "deploy needs 'accuracy', which evaluation.metrics does not compute; add it there",
        ),
        (
            LABELS + analysis("quality: {metric: log_loss, margin: 0}"),
            "deploy.analysis.quality.margin",
            "must be greater than 0",
        ),
        (
            LABELS + f"deploy: {{strategy: direct, analysis: {{{QUALITY}}}}}\n",
            "deploy.analysis.quality",
            "never judged: strategy direct has no stage",
        ),
        (
            analysis("metrics: [{name: orders, query: 'up{v=\"$chalenger\"}', minimum: 1}]"),
            "deploy.analysis.metrics[0].query",
            "$chalenger is no placeholder: did you mean $challenger?",
        ),
        (
            analysis("metrics: [{name: orders, query: up}]"),
            "deploy.analysis.metrics[0]",
            "give 'minimum', 'maximum' or both",
        ),
        (
            analysis("metrics: [{name: orders, query: up, minimum: 2, maximum: 1}]"),
            "deploy.analysis.metrics[0]",
            "minimum (2) is above maximum (1)",
        ),
        (
            analysis(f"metrics: [{METRIC}, {METRIC}]"),
            "deploy.analysis.metrics[1].name",
            "'orders' is the name of an earlier metric",
        ),
        (
            f"deploy: {{strategy: shadow, analysis: {{metrics: [{METRIC}]}}}}\n",
            "deploy.analysis.metrics[0]",
            "never asked for: strategy shadow gives the challenger no traffic",
        ),
        (
            LABELS + ab(more="minimum_requests: 100"),
            "deploy.strategy",
            "strategy ab lasts for analysis.minimum_duration, which must be given",
        ),
        (ab("minimum_requests: 100"), "deploy.strategy", "give analysis.quality or analysis.metrics"),
        (
            LABELS + ab(deadline="1 day"),
            "deploy.analysis.minimum_duration",
            "must be shorter than deploy.deadline (1 day)",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_at_its_key(load, more: str, at: str, message: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(more)
    problems = {problem.key: problem.message for problem in caught.value.problems}
    assert any(message in text for text in [problems.get(at, "")]), problems


def test_a_target_that_cannot_hold_a_key_to_a_version_has_no_ab_test(load, monkeypatch) -> None:
    from airflow_mlops.config.parts.deploy_targets import EmbeddedTargetConfig

    monkeypatch.setattr(EmbeddedTargetConfig, "modes", frozenset({"shadow", "canary"}))
    with pytest.raises(
        InvalidConfig, match=r"deploy\.target\.type: .*strategy ab needs it held to one: .*--key"
    ):
        load(LABELS + ab())


@pytest.mark.parametrize(
    ("task", "metric", "message"),
    [
        ("multiclass_classification", "log_loss", "keeps an answer's most probable class; use accuracy"),
        ("regression", "r2", "use one of mean_absolute_error"),
    ],
)
def test_each_task_has_metrics_that_labels_can_follow(tmp_path, task: str, metric: str, message: str) -> None:
    path = tmp_path / "wine.yaml"
    text = MINIMAL.replace("binary_classification", task).replace("[roc_auc, log_loss]", f"[{metric}]")
    text = text.replace("roc_auc", metric).replace("log_loss", metric)
    path.write_text(text + LABELS + analysis(f"quality: {{metric: {metric}, margin: 0.01}}"))
    with pytest.raises(InvalidConfig, match=message):
        load_model(path)
