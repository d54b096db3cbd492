"""Presets: what a level fills in, and what the file may say instead."""

from __future__ import annotations

import re
from datetime import datetime, timezone
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
    assert loaded(tmp_path, WATCHED + "level: 3\n").retraining.causes == ("drift", "config")
    assert loaded(tmp_path, WITH_LABELS + "level: 3\n").retraining.causes == ("drift", "decay", "config")
    aged = WITH_LABELS + "level: 3\nretraining: {maximum_age: 90 days}\n"
    assert loaded(tmp_path, aged).retraining.causes == ("drift", "decay", "age", "config")


def test_the_level_changes_the_digest_only_through_what_it_fills_in(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(WATCHED + "level: 1\n")
    two.write_text(WATCHED + "level: 1\nretraining: {enabled: false, causes: [drift, config]}\n")
    assert load_model(one).digest == load_model(two).digest


def test_labels_that_nobody_reads_are_refused(tmp_path: Path) -> None:
    labels = "  labels: {source: {type: parquet, path: labels.parquet}}\n"
    with pytest.raises(ConfigError, match=r"monitor\.labels: read only by the DAG <model>\.monitor"):
        loaded(tmp_path, MINIMAL + "monitor:\n" + labels)
    assert loaded(tmp_path, WATCHED + labels).monitor.labels is not None


def test_detectors_of_several_classes_follow_only_what_the_log_can_tell(tmp_path: Path) -> None:
    text = WITH_LABELS.replace("binary_classification", "multiclass_classification")
    text = text.replace("[roc_auc, log_loss]", "[accuracy, log_loss]").replace("roc_auc", "log_loss")
    assert loaded(tmp_path, text).monitor.performance is not None
    with pytest.raises(ConfigError, match="keeps the most probable class; use accuracy"):
        loaded(tmp_path, text.replace("{metric: log_loss}", "{metric: log_loss, loss: log_loss}"))


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


@pytest.mark.parametrize(
    ("window", "given", "k_of_n"),
    [
        ("1 day", "", (2, 3)),
        ("1 month", "", (1, 1)),
        ("1 day", "k: 4", (4, 4)),
        ("1 day", "n: 1", (1, 1)),
        ("7 days", "n: 4", (1, 4)),
        ("1 day", "k: 1, n: 2", (1, 2)),
    ],
)
def test_short_windows_have_to_agree_and_long_ones_stand_alone(
    tmp_path: Path, window: str, given: str, k_of_n: tuple[int, int]
) -> None:
    text = f"{WATCHED}  window: {window}\nlevel: 3\nretraining: {{{given}}}\n"
    retraining = loaded(tmp_path, text).retraining
    assert (retraining.k, retraining.n) == k_of_n


@pytest.mark.parametrize(
    ("retraining", "told"),
    [
        ("{causes: [age]}", "retraining.causes: age needs retraining.maximum_age"),
        ("{causes: [drift], maximum_age: 90 days}", "retraining.maximum_age: read only where age is one"),
        ("{causes: [schedule]}", "retraining.causes[0]"),
        ("{hold_back: [schedule]}", "retraining.hold_back: there is no schedule to hold back"),
        ("{hold_back: [new_data]}", "retraining.hold_back: new data start no training here"),
        ("{quiet: [{hours: '9 to 5'}]}", "retraining.quiet[0].hours: '9 to 5' is not a stretch of a day"),
        ("{quiet: [{hours: '00:00-24:00'}]}", "retraining.quiet: the quiet hours leave no hour of the week"),
        ("{k: 3, n: 2}", "retraining.k: k (3) cannot be larger than n (2)"),
    ],
)
def test_a_policy_that_nothing_could_follow_is_told_at_its_key(
    tmp_path: Path, retraining: str, told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f"{WATCHED}level: 3\nretraining: {retraining}\n")
    assert told in str(refused.value)


def test_quiet_hours_are_on_the_clock_of_the_models_zone(tmp_path: Path) -> None:
    quiet = "retraining: {quiet: [{hours: '8:00-18:00', days: [mon, fri]}]}\n"
    watched = WATCHED.replace("{start", "{timezone: Europe/Paris, start")
    config = loaded(tmp_path, f"{watched}level: 3\n{quiet}")
    assert config.retraining.quiet[0].hours == "08:00-18:00"
    policy = config.retraining.policy(config.schedule.timezone)
    friday = datetime(2026, 1, 9, 8, tzinfo=timezone.utc)
    assert policy.quiet_until(friday) == datetime(2026, 1, 9, 17, tzinfo=timezone.utc)
