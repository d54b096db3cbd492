"""A model's YAML: every problem at its place, and what a good file becomes."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import InvalidConfig, Problem
from airflow_mlops.config.tree import find_configs
from airflow_mlops.exceptions import ConfigError

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str | bytes, name: str = "wine.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def found(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(InvalidConfig) as caught:
        load_model(path)
    return caught.value.problems


BAD: dict[str, tuple[str, str, list[str]]] = {
    "a misspelt key offers the nearest": (
        "length: 30 days",
        "lenght: 30 days",
        [
            "17:3: data.holdout.length: missing",
            "18:5: data.holdout.lenght: unknown key; did you mean 'length'?",
        ],
    ),
    "a key in the wrong place is sent home": (
        "task:",
        "cron: '@daily'\ntask:",
        ["4:1: cron: unknown key; it belongs in monitor.cron or schedule.cron"],
    ),
    "a key that nobody knows lists the known": (
        "length: 30 days",
        "length: 30 days\n    zzz: 1",
        ["19:5: data.holdout.zzz: unknown key; known here: type, length"],
    ),
    "a missing key points at its part and says what it is for": (
        "  label: is_good\n",
        "",
        ["5:1: data.label: missing; it says: What is predicted."],
    ),
    "a missing part points at the file's first key": (
        "training:\n  estimator: sklearn.linear_model.LogisticRegression\n",
        "",
        ["2:1: training: missing"],
    ),
    "an unknown tag of a union": (
        "type: parquet",
        "type: parqet",
        ["7:11: data.source.type: 'parqet' is not one of 'python', 'parquet'; did you mean 'parquet'?"],
    ),
    "a missing tag of a union": (
        "    - type: threshold\n      metric: roc_auc",
        "    - metric: roc_auc",
        ["25:7: gates.rules[0].type: missing; give one of threshold, champion"],
    ),
    "an unknown key behind a tag": (
        "margin: 0.01",
        "margins: 0.01",
        [
            "30:7: gates.rules[1].margins: unknown key; did you mean 'margin'?",
        ],
    ),
    "a bad word of a list": (
        "alcohol: numeric",
        "alcohol: number",
        ["13:14: data.features.alcohol: 'number' is not one of 'numeric', 'categorical' or 'text'; did you"],
    ),
    "text for a number": (
        "minimum: 0.6",
        "minimum: '0.6'",
        ["27:16: gates.rules[0].minimum: must be a number, not '0.6'"],
    ),
    "true for a number": (
        "minimum: 0.6",
        "minimum: true",
        ["27:16: gates.rules[0].minimum: must be a number, not true"],
    ),
    "a number for text": (
        "label: is_good",
        "label: 12",
        ["11:10: data.label: must be text, not 12; quote it"],
    ),
    "nothing for text": ("label: is_good", "label:", ["11:9: data.label: must be text, not nothing"]),
    "text for a list": (
        "metrics: [roc_auc, log_loss]",
        "metrics: roc_auc",
        ["22:12: evaluation.metrics: must be a list, not 'roc_auc'"],
    ),
    "text for a part": (
        "holdout:\n    length: 30 days",
        "holdout: 30 days",
        ["17:12: data.holdout: must be a mapping of keys, not '30 days'"],
    ),
    "an empty list of gates": (
        MINIMAL[MINIMAL.index("  rules:") :],
        "  rules: []\n",
        ["24:10: gates.rules: needs at least 1 entry, has none"],
    ),
    "a model name in capitals": (
        "model: wine",
        "model: Red-Wine",
        ["3:8: model: 'Red-Wine' has the wrong form; write lower-case letters"],
    ),
    "an import path without its function": (
        "estimator: sklearn.linear_model.LogisticRegression",
        "callable: mine.train",
        ["20:13: training.callable: 'mine.train' has the wrong form; write package.module:function"],
    ),
    "neither of two ways to train": (
        "  estimator: sklearn.linear_model.LogisticRegression",
        "  seed: 1",
        ["19:1: training: give either 'callable' or 'estimator'"],
    ),
    "a period nobody can read": (
        "30 days",
        "30 moons",
        ["18:13: data.holdout.length: '30 moons' is not a period"],
    ),
    "a date that is none": (
        "start: 2020-01-01",
        "start: 2020-02-30",
        ["16:12: data.window.start: '2020-02-30' is not a moment such as 2013-01-01"],
    ),
    "a level that is none": ("task:", "level: 4\ntask:", ["4:8: level: 4 is not one of 1, 2 or 3"]),
    "a level that only equals one": (
        "task:",
        "level: true\ntask:",
        ["4:8: level: must be 1, 2 or 3, not True"],
    ),
    "a cron field out of range": (
        "task:",
        "schedule: {cron: 0 25 * * *, start: 2020-01-01}\ntask:",
        ["4:18: schedule.cron: '25' does not fit the hour (0 to 23)"],
    ),
    "a time zone nobody knows": (
        "task:",
        "schedule: {timezone: Mars/Olympus}\ntask:",
        ["4:22: schedule.timezone: 'Mars/Olympus' is not an IANA time zone"],
    ),
    "a cron without a start": (
        "task:",
        "schedule:\n  cron: '@daily'\ntask:",
        ["5:9: schedule.cron: a cron needs 'start'"],
    ),
    "a feature called like a column of the inference log": (
        "alcohol: numeric",
        "weight: numeric",
        ["13:5: data.features.weight: the inference log has a column weight of its own; rename it"],
    ),
    "a label among the features": (
        "alcohol: numeric",
        "is_good: numeric",
        ["13:14: data.features.is_good: 'is_good' cannot be a feature: it is the label"],
    ),
    "metrics that do not fit the task, each where it stands": (
        "task: binary_classification",
        "task: regression",
        [
            "22:13: evaluation.metrics[0]: metric 'roc_auc' does not fit task regression",
            "22:22: evaluation.metrics[1]: metric 'log_loss' does not fit",
            "26:15: gates.rules[0].metric: metric 'roc_auc' does not fit",
            "29:15: gates.rules[1].metric: metric 'log_loss' does not fit",
        ],
    ),
    "a gate on a metric that is not computed": (
        "[roc_auc, log_loss]",
        "[roc_auc]",
        ["29:15: gates.rules[1].metric: gates needs 'log_loss', which evaluation.metrics does not compute"],
    ),
    "a stage that its deadline cuts short": (
        "task:",
        "deploy:\n  shadow: {minimum_duration: 24 hours}\n  analysis: {minimum_duration: 2h}\ntask:",
        [
            "5:30: deploy.shadow.minimum_duration: minimum_duration (1 day) must be shorter than "
            "deploy.deadline (1 day)",
        ],
    ),
    "a tag that is not theirs to set": (
        "task:",
        "tracking:\n  version_tags:\n    champion: {stage: live, mlops.kind: best}\ntask:",
        ["6:41: tracking.version_tags.champion.mlops.kind: 'mlops.kind' is a tag that this package"],
    ),
    "a text that could be null": (
        "    colour: categorical\n  window:\n    start: 2020-01-01\n  holdout:\n    length: 30 days\n",
        "    note: text\n  window: {start: 2020-01-01}\n  holdout: {length: 30 days}\n"
        "validation:\n  expectations:\n"
        "    - {type: expect_column_values_to_not_be_null, kwargs: {column: alcohol}}\n"
        "    - {type: expect_column_values_to_not_be_null, kwargs: {column: note}}\n",
        [
            "20:14: validation.expectations[1].type: 'note' is text, and a missing text is an empty one, "
            "never null; ask for expect_column_value_lengths_to_be_between",
        ],
    ),
    "canary steps that do not rise": (
        "task:",
        "deploy:\n  steps: [0.5, 0.1]\ntask:",
        ["5:3: deploy.steps: steps must rise"],
    ),
    "more bad windows than windows": (
        "task:",
        "retraining: {k: 3, n: 2}\ntask:",
        ["4:17: retraining.k: k (3) cannot be larger than n (2)"],
    ),
    "gates that judge a first model by nothing": (
        "    - type: threshold\n      metric: roc_auc\n      minimum: 0.6\n",
        "",
        ["24:3: gates.rules: no threshold: a first model, which has no champion to beat"],
    ),
    "a holdout of an unknown kind": (
        "holdout:\n    length: 30 days",
        "holdout:\n    type: randm\n    share: 0.2",
        ["18:11: data.holdout.type: 'randm' is not one of 'newest', 'random'"],
    ),
    "a random holdout without its share": (
        "holdout:\n    length: 30 days",
        "holdout:\n    type: random\n    length: 30 days",
        ["17:3: data.holdout.share: missing", "19:5: data.holdout.length: unknown key"],
    ),
    "a group that is the label": (
        "  label: is_good",
        "  label: is_good\n  group: is_good",
        ["11:10: data.label: 'is_good' cannot be the label: it is the group"],
    ),
    "a time of knowing of what is no feature": (
        "  label: is_good",
        "  label: is_good\n  known_at: {shape: seen}",
        ["12:21: data.known_at.shape: 'shape' is no feature; '*' stands for all of them"],
    ),
    "a holdout as long as the window": (
        "start: 2020-01-01",
        "length: 30 days",
        ["18:5: data.holdout.length: a holdout of 30 days leaves nothing of the window of 30 days"],
    ),
    "a level that nobody looks after": (
        "task:",
        "level: 3\ntask:",
        ["4:1: level: retraining by policy needs monitor.cron, or nobody looks"],
    ),
    "decay that nothing can see": (
        "task:",
        "schedule: {start: 2020-01-01}\nmonitor: {cron: '@daily'}\n"
        "retraining: {causes: [decay], enabled: true}\ntask:",
        ["6:14: retraining.causes: decay is seen only by monitor.performance"],
    ),
    "performance without labels": (
        "task:",
        "monitor:\n  performance: {metric: roc_auc}\ntask:",
        ["5:3: monitor.performance: needs monitor.labels"],
    ),
    "a trap is one problem, not two": (
        "task:",
        "schedule: {catchup: yes}\ntask:",
        ["4:21: schedule.catchup: 'yes' is true or false to some YAML readers"],
    ),
    "a version of tomorrow is the only problem": (
        "apiVersion: airflow-mlops/v1\nmodel: wine",
        "apiVersion: airflow-mlops/v2\nwonder: wine",
        ["2:13: apiVersion: 'airflow-mlops/v2' is not a version this release can read; this release knows"],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), BAD.values(), ids=BAD.keys())
def test_a_problem_is_told_where_it_stands(write, old: str, new: str, expected: list[str]) -> None:
    assert old in MINIMAL
    path = write(MINIMAL.replace(old, new, 1))
    problems = [str(problem).splitlines()[0] for problem in found(path)]
    assert len(problems) == len(expected), problems
    for told, begins in zip(problems, expected, strict=True):
        assert told.startswith(f"{path}:{begins}"), told


def test_all_problems_of_a_file_are_told_at_once_in_the_order_of_the_file(write) -> None:
    text = MINIMAL.replace("label:", "lable:").replace("0.6", "off").replace("30 days", "soon")
    problems = found(write(text))
    places = [(problem.line, problem.column) for problem in problems]
    assert places == sorted(places)
    assert {problem.key for problem in problems} == {
        "data.label",
        "data.lable",
        "data.holdout.length",
        "gates.rules[0].minimum",
    }


def test_the_error_shows_each_problem_with_its_line_and_is_a_config_error(write) -> None:
    with pytest.raises(ConfigError) as caught:
        load_model(write(MINIMAL.replace("  label:", "  lable:")))
    assert "    11 |   lable: is_good\n       |   ^" in str(caught.value)


def test_bytes_that_are_not_utf_8_are_refused_where_they_stand(write) -> None:
    [problem] = found(write(MINIMAL.replace("label: is_good", "label: güt").encode("latin-1")))
    assert (problem.line, problem.column) == (11, 11)
    assert "not UTF-8 (byte 0xfc)" in problem.message
    assert str(problem).endswith("    11 |   label: g\ufffdt\n       |           ^")


def test_the_caret_stands_below_bytes_that_are_not_utf_8_after_wider_characters(write) -> None:
    [problem] = found(write(b"\xef\xbb\xbfowner: \xc3\xa4 \xfc\n" + MINIMAL.encode()))
    assert (problem.line, problem.column) == (1, 10)


def test_a_byte_order_mark_and_windows_line_ends_are_read(write) -> None:
    plain = load_model(write(MINIMAL))
    assert load_model(write(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())).digest == plain.digest


def test_a_file_that_is_not_there_is_a_problem_of_the_whole_file(tmp_path: Path) -> None:
    [problem] = found(tmp_path / "absent.yaml")
    assert str(problem).startswith(f"{tmp_path / 'absent.yaml'}: cannot be read: No such file")


def test_a_folder_named_like_a_file_is_a_problem_no_crash(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    assert "cannot be read: Is a directory" in found(tmp_path / "x.yaml")[0].message


def test_the_digest_ignores_comments_order_quotes_and_spelt_out_defaults(write) -> None:
    digest = load_model(write(MINIMAL)).digest
    moved = MINIMAL.replace(
        "model: wine\ntask: binary_classification", "task: 'binary_classification'\nmodel: wine"
    )
    assert moved != MINIMAL
    assert (
        load_model(write(moved + "# the end\nlevel: 1\nowner: airflow\ndeploy: {approval: true}\n")).digest
        == digest
    )
    assert load_model(write(MINIMAL.replace("0.6", "0.7"))).digest != digest


def test_a_file_that_changes_is_read_again(write) -> None:
    assert load_model(write(MINIMAL)).config.owner == "airflow"
    assert load_model(write(MINIMAL + "owner: me\n")).config.owner == "me"


def test_dates_and_whole_numbers_become_moments_and_floats(write) -> None:
    config = load_model(write(MINIMAL.replace("minimum: 0.6", "minimum: 1"))).config
    assert config.data.window.start == datetime(2020, 1, 1, tzinfo=timezone.utc)
    rule = config.gates.rules[0]
    assert rule.type == "threshold"
    assert repr(rule.minimum) == "1.0"


def test_a_configuration_survives_the_trip_through_json(write) -> None:
    config = load_model(write(MINIMAL)).config
    assert ModelConfig.model_validate(config.model_dump(mode="json")) == config
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config


def test_configs_are_found_by_their_version_at_any_depth_and_not_in_hidden_folders(
    write, tmp_path: Path
) -> None:
    ours = [write(MINIMAL, "b.yaml"), write(MINIMAL, "deep/er/a.yml")]
    tomorrow = write("apiVersion: airflow-mlops/v9\n", "c.yaml")
    write(MINIMAL, ".git/x.yaml")
    write(MINIMAL, "notes.txt")
    write("apiVersion: apps/v1\n", "deployment.yaml")
    write("# apiVersion: airflow-mlops/v1\n", "comment.yaml")
    assert find_configs(tmp_path) == sorted([*ours, tomorrow])


def test_configs_behind_a_mounted_symlink_are_found_once(write, tmp_path: Path) -> None:
    real = write(MINIMAL, "..data/wine.yaml")
    (tmp_path / "wine.yaml").symlink_to(real)
    assert find_configs(tmp_path) == [tmp_path / "wine.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_listed_so_that_loading_it_says_why(write, tmp_path: Path) -> None:
    path = write(MINIMAL)
    path.chmod(0)
    assert find_configs(tmp_path) == [path]
    assert "Permission denied" in found(path)[0].message


def test_a_dangling_link_is_listed_so_that_loading_it_says_why(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").symlink_to(tmp_path / "gone.yaml")
    assert find_configs(tmp_path) == [tmp_path / "x.yaml"]
    assert "cannot be read" in found(tmp_path / "x.yaml")[0].message


def test_a_folder_that_is_not_there_is_refused_not_empty(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="no such folder"):
        find_configs(tmp_path / "absent")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.y*ml")), ids=lambda path: path.name)
def test_every_example_loads(path: Path) -> None:
    assert load_model(path).config.model == path.stem
