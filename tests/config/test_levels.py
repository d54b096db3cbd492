"""Presets: what a level fills in, and what the file may say instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.asking import Approval
from airflow_mlops.exceptions import ConfigError

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
WATCHED = MINIMAL + "schedule: {start: 2020-01-01}\nmonitor:\n  cron: '@daily'\n"
WITH_LABELS = WATCHED + (
    "  labels: {source: {type: parquet, path: labels.parquet}}\n  performance: {metric: roc_auc}\n"
)


def loaded(tmp_path: Path, text: str) -> ModelConfig:
    path = tmp_path / "wine.yaml"
    path.write_text(text)
    return load_model(path).config


@pytest.mark.parametrize(
    ("level", "automatic", "approval", "retraining"),
    [(1, False, True, False), (2, True, False, False), (3, True, False, True)],
)
def test_a_level_fills_in_what_the_file_leaves_out(
    tmp_path: Path, level: int, automatic: bool, approval: bool, retraining: bool
) -> None:
    config = loaded(tmp_path, f"{WATCHED}level: {level}\n")
    assert config.deploy.automatic is automatic
    assert config.deploy.approval.required is approval
    assert config.retraining.enabled is retraining


def test_what_the_file_says_beats_the_level(tmp_path: Path) -> None:
    config = loaded(tmp_path, WATCHED + "level: 3\ndeploy: {approval: true}\nretraining: {enabled: false}\n")
    assert config.deploy.approval.required is True
    assert config.deploy.automatic is True
    assert config.retraining.enabled is False


def test_causes_left_out_are_those_that_monitoring_can_see(tmp_path: Path) -> None:
    assert loaded(tmp_path, WATCHED + "level: 3\n").retraining.causes == ("drift",)
    assert loaded(tmp_path, WITH_LABELS + "level: 3\n").retraining.causes == ("drift", "decay")


def test_the_level_changes_the_digest_only_through_what_it_fills_in(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(WATCHED + "level: 1\n")
    two.write_text(WATCHED + "level: 1\nretraining: {enabled: false, causes: [drift]}\n")
    assert load_model(one).digest == load_model(two).digest


def test_labels_that_nobody_reads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"monitor\.labels: read only by monitor\.performance"):
        loaded(tmp_path, WATCHED + "  labels: {source: {type: parquet, path: labels.parquet}}\n")


def test_performance_of_several_classes_is_refused_since_the_log_cannot_tell_it(tmp_path: Path) -> None:
    text = WITH_LABELS.replace("binary_classification", "multiclass_classification")
    with pytest.raises(ConfigError, match="keeps an answer's most probable class"):
        loaded(tmp_path, text.replace("roc_auc", "accuracy"))


@pytest.mark.parametrize("path", ["../rows.parquet", "./rows.parquet", "rows//x.parquet", "s3://bucket/x"])
def test_a_path_that_names_nothing_in_the_store_is_refused_by_the_linter(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"in(side)? the store"):
        loaded(tmp_path, WITH_LABELS.replace("labels.parquet", path))


@pytest.mark.parametrize("column", ["bottle", "bottled_at"])
def test_a_label_that_is_key_or_time_is_refused(tmp_path: Path, column: str) -> None:
    with pytest.raises(ConfigError, match=f"'{column}' cannot be the label"):
        loaded(tmp_path, re.sub(r"label: \w+", f"label: {column}", MINIMAL))


def test_a_mapping_under_approval_asks_for_it_at_any_level_and_a_bare_word_stays_one(tmp_path: Path) -> None:
    named = loaded(tmp_path, MINIMAL + "level: 2\ndeploy: {approval: {users: [ada], timeout: 2 days}}\n")
    assert named.deploy.approval == Approval(required=True, users=("ada",), timeout="2 days")
    assert named.model_dump(mode="json")["deploy"]["approval"]["users"] == ["ada"]
    assert ModelConfig.model_validate_json(named.model_dump_json()) == named
    for word in ("true", "false"):
        bare = loaded(tmp_path, MINIMAL + f"deploy: {{approval: {word}}}\n")
        spelled = loaded(tmp_path, MINIMAL + f"deploy: {{approval: {{required: {word}}}}}\n")
        assert bare == spelled
        assert bare.model_dump(mode="json")["deploy"]["approval"] is (word == "true")


@pytest.mark.parametrize(
    ("approval", "told"),
    [
        ("maybe", "deploy.approval: write true, false, or a mapping such as {users: [ada]"),
        ("{user: [ada]}", "deploy.approval.user: unknown key; did you mean 'users'?"),
        ("{users: [7]}", "deploy.approval.users[0]: must be text, not 7; quote it"),
        ("{timeout: soon}", "deploy.approval.timeout: 'soon' is not a period"),
    ],
)
def test_what_is_wrong_under_approval_is_told_at_its_key(tmp_path: Path, approval: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, MINIMAL + f"deploy: {{approval: {approval}}}\n")
    assert told in str(refused.value)
