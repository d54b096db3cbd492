"""``airflow-mlops convert``: what a source says is carried over or named, and lint names just the rest."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mlops.cli.convert.draft import Draft
from airflow_mlops.cli.convert.reading import Node, Place
from airflow_mlops.cli.convert.writing import written
from airflow_mlops.cli.main import main
from airflow_mlops.config.load import load_model
from airflow_mlops.config.source import MAX_VALUES, read_source
from airflow_mlops.factory.named_timetable import named_timetable

SAMPLES = Path(__file__).with_name("convert")
DAG = """\
{head}
rides:
  {lines}
  tasks:
    - {{task_id: train, operator: airflow.operators.python.PythonOperator, python_callable: rides.ml.train}}
"""
# What a person would write where a placeholder stands.
FILLED: dict[str, Any] = {
    "task": "regression",
    "schedule.cron": "@daily",
    "schedule.start": "2024-01-01",
    "schedule.timezone": "UTC",
    "data.source.callable": "rides.rows:load",
    "data.time_column": "at",
    "data.key": "ride",
    "data.label": "fare",
    "data.features": {"distance": "numeric"},
    "data.window": {"length": "6 months"},
    "data.holdout.length": "28 days",
    "training": {"callable": "rides.ml:train"},
    "evaluation.metrics": ["root_mean_squared_error"],
    "gates.rules": [{"type": "threshold", "metric": "root_mean_squared_error", "maximum": 9.0}],
    "monitor.cron": "@daily",
    "monitor.labels.source": {"type": "python", "callable": "rides.rows:labels"},
    "monitor.performance.tolerance": 2.0,
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def converted(source: Path, output: Path, *options: str) -> dict[str, Any]:
    done = run("convert", source, "--output", output, "--format", "json", *options)
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def one_dag(folder: Path, lines: str = "schedule: null", head: str = "") -> dict[str, Any]:
    """The report on the one model of a dag-factory file with these lines in its DAG."""
    folder.mkdir(exist_ok=True)
    source = folder / "rides.yml"
    source.write_text(DAG.format(head=head, lines=lines.replace("\n", "\n  ")))
    (model,) = converted(source, folder / "out")["models"]
    return dict(model)


def tree(path: str | Path) -> Any:
    return read_source(Path(path).read_text(), str(path)).root.value


def carried(model: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in model["carried"]}


def left(model: dict[str, Any]) -> dict[str, str]:
    return {one["what"]: one["why"] for one in model["not_carried"]}


def linted(path: Path) -> list[tuple[int, str]]:
    """Line and key of every problem that lint has with a file."""
    told = json.loads(run("lint", path, "--format", "json").stdout)
    return [(one["line"], one["key"]) for one in told["problems"]]


def assert_lint_names_just_the_placeholders(model: dict[str, Any]) -> None:
    path = Path(model["file"])
    asked = [(one["line"], one["key"]) for one in model["to_fill_in"]]
    assert linted(path) == sorted(asked)
    marked = [n for n, line in enumerate(path.read_text().split("\n"), 1) if "# TO FILL IN: " in line]
    assert marked == sorted(line for line, _ in asked)


def fill_in(model: dict[str, Any]) -> Path:
    """The file as it is once each placeholder has a value."""
    path = Path(model["file"])
    value = tree(path)
    for one in model["to_fill_in"]:
        *above, last = one["key"].split(".")
        part = value
        for key in above:
            part = part[key]
        part[last] = {**(part.get(last) or {}), **FILLED[last]} if last == "training" else FILLED[one["key"]]
    filled = path.with_name(f"filled_{path.name}")
    # JSON is YAML, but for pairs of surrogates and for bare control characters.
    text = json.dumps(value, ensure_ascii=False)
    filled.write_text("".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in text))
    return filled


# dag-factory


def test_a_dag_factory_dag_is_carried_over_line_by_line(tmp_path: Path) -> None:
    source = tmp_path / "churn.yml"
    shutil.copy(SAMPLES / "churn.yml", source)
    churn, _ = converted(source, tmp_path / "out")["models"]
    assert [(one["line"], one["what"], one["key"], one["value"]) for one in churn["carried"]] == [
        (18, "the DAG churn-nightly", "model", "churn_nightly"),
        (19, "description", "description", "Who will leave within a month?"),
        (3, "default_args.owner", "owner", "growth"),
        (16, "tags", "tags", ["growth", "nightly"]),
        (15, "catchup", "schedule.catchup", False),
        (4, "default_args.retries", "execution.retries", 2),
        (5, "default_args.retry_delay", "execution.retry_delay", "5 minutes"),
        (21, "schedule", "schedule.cron", "30 4 * * 1-5"),
        (12, "default_args.start_date", "schedule.start", "2024-03-01T00:00:00+01:00"),
        (13, "default_args.timezone", "schedule.timezone", "Europe/Berlin"),
        (
            41,
            "PythonOperator python_callable of the task train_model",
            "training.callable",
            "churn.learning:train",
        ),
        (42, "op_kwargs of the task train_model", "training.params", {"n_estimators": 200}),
        (46, "pool of the task train_model", "execution.pool", "big"),
    ]
    assert [(one["line"], one["what"]) for one in churn["not_carried"]] == [
        (14, "default_args.email_on_failure"),
        (22, "max_active_runs"),
        (23, "on_failure_callback"),
        (24, "doc_md"),
        (27, "task_groups"),
        (31, "FileSensor of the task wait_for_rows"),
        (34, "PythonOperator of the task load_training_rows"),
        (44, "op_kwargs.as_of of the task train_model"),
        (45, "op_kwargs.home of the task train_model"),
        (47, "dependencies of the task train_model"),
        (48, "BashOperator of the task tell"),
    ]
    assert all(one["file"] == str(source) and one["why"] for one in churn["not_carried"])
    assert "hand-written-dag.md" in left(churn)["BashOperator of the task tell"]


def test_each_dag_of_a_file_becomes_a_model_or_only_the_one_asked_for(tmp_path: Path) -> None:
    report = converted(SAMPLES / "churn.yml", tmp_path / "all")
    assert [model["model"] for model in report["models"]] == ["churn_nightly", "forecast_v2"]
    assert [(one["line"], one["what"]) for one in report["passed_over"]] == [(2, "x_common")]
    converted(SAMPLES / "churn.yml", tmp_path / "one", "--dag", "Forecast.v2")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["forecast_v2.yaml"]


@pytest.mark.parametrize("source", ["churn.yml", "starts.yml", "fares"])
def test_lint_names_just_what_is_to_fill_in_and_nothing_once_it_is_filled_in(
    source: str, tmp_path: Path
) -> None:
    for model in converted(SAMPLES / source, tmp_path)["models"]:
        assert_lint_names_just_the_placeholders(model)
        config = load_model(fill_in(model)).config
        assert config.model == model["model"]


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        ("schedule: '@daily'", "@daily"),
        ("schedule: '@midnight'", "@daily"),
        ("schedule_interval: '@annually'", "@yearly"),
        ("schedule: 0 3 * * *", "0 3 * * *"),
        (
            "schedule: {__type__: airflow.timetables.trigger.CronTriggerTimetable, cron: 0 1 * * 3}",
            "0 1 * * 3",
        ),
        (
            "timetable: {__type__: x.CronDataIntervalTimetable, __args__: ['5 4 * * *', UTC]}",
            "5 4 * * *",
        ),
        (
            "schedule: {datasets: [a, b], timetable: {__type__: x.CronTriggerTimetable, cron: 0 1 * * 5}}",
            "0 1 * * 5",
        ),
    ],
)
def test_a_cron_is_carried_over_however_it_is_written(given: str, cron: str, tmp_path: Path) -> None:
    model = one_dag(tmp_path, given)
    assert carried(model)["schedule.cron"] == cron
    assert "schedule.start" in {one["key"] for one in model["to_fill_in"]}
    assert_lint_names_just_the_placeholders(model)


DELTA = "__type__: datetime.timedelta"
ASSET = "__type__: airflow.sdk.Asset"


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        (f"schedule: {{{DELTA}, hours: 6}}", "every", "6 hours"),
        (f"schedule: {{{DELTA}, __args__: [1, 3600]}}", "every", "25 hours"),
        ("schedule: {__type__: dateutil.relativedelta.relativedelta, months: 3}", "every", "3 months"),
        (
            f"timetable: {{__type__: x.DeltaDataIntervalTimetable, delta: {{{DELTA}, days: 7}}}}",
            "every",
            "7 days",
        ),
        (
            f"schedule: {{__type__: x.DeltaTriggerTimetable, __args__: [{{{DELTA}, hours: 3}}]}}",
            "timetable",
            {"name": "DeltaTriggerTimetable", "params": {"delta": "3 hours"}},
        ),
        (
            f"schedule: {{__type__: CronTriggerTimetable, cron: 0 1 * * 3, interval: {{{DELTA}, hours: 6}}}}",
            "timetable",
            {"name": "CronTriggerTimetable", "params": {"cron": "0 1 * * 3", "interval": "6 hours"}},
        ),
        (
            "schedule: {__type__: x.MultipleCronTriggerTimetable, __args__: [0 1 * * 3, '@midnight']}",
            "timetable",
            {"name": "MultipleCronTriggerTimetable", "params": {"crons": ["0 1 * * 3", "@daily"]}},
        ),
        (
            "schedule: {__type__: x.EventsTimetable, presorted: true, event_dates: "
            "[2026-03-01T06:00:00+00:00, {__type__: datetime, __args__: [2026, 7, 1], tz: Europe/Paris}]}",
            "timetable",
            {
                "name": "EventsTimetable",
                "params": {
                    "event_dates": ["2026-03-01T06:00:00+00:00", "2026-07-01T00:00:00+02:00"],
                    "presorted": True,
                },
            },
        ),
    ],
)
def test_a_clock_that_is_no_cron_has_its_own_key_and_airflow_takes_it(
    given: str, key: str, value: Any, tmp_path: Path
) -> None:
    model = one_dag(tmp_path, given)
    assert carried(model)[f"schedule.{key}"] == value
    assert "schedule.start" in {one["key"] for one in model["to_fill_in"]}
    assert_lint_names_just_the_placeholders(model)
    assert load_model(fill_in(model)).config.schedule.clocks == [key]
    if key == "timetable":
        assert named_timetable(value, "UTC")


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (f"schedule: {{{ASSET}, uri: s3://a}}", "s3://a"),
        (f"schedule: {{{ASSET}, name: a, uri: s3://a}}", {"name": "a", "uri": "s3://a"}),
        ("schedule: {__type__: airflow.datasets.Dataset, __args__: [s3://a]}", "s3://a"),
        ("schedule: [s3://a]", "s3://a"),
        # A list waits for all there; a bare list would be any of them here.
        ("schedule: [s3://a, s3://b]", {"all": ["s3://a", "s3://b"]}),
        (
            f"schedule: {{__type__: builtins.list, items: [{{{ASSET}, uri: s3://a}}, {{{ASSET}, name: b}}]}}",
            {"all": ["s3://a", "b"]},
        ),
        (
            f"schedule: {{__or__: [{{__and__: [{{{ASSET}, name: a}}, b]}}, {{{ASSET}, name: c}}]}}",
            {"any": [{"all": ["a", "b"]}, "c"]},
        ),
        ("schedule: !or [a, !and [b, c]]", {"any": ["a", {"all": ["b", "c"]}]}),
        ("schedule: {datasets: '((a & b) | c)'}", {"any": [{"all": ["a", "b"]}, "c"]}),
        ("schedule: {datasets: a | b & s3://c/d-e}", {"any": ["a", {"all": ["b", "s3://c/d-e"]}]}),
        ("schedule: {datasets: [a, b | c]}", {"all": ["a", {"any": ["b", "c"]}]}),
        ("schedule: {datasets: {__or__: [a, b]}}", {"any": ["a", "b"]}),
    ],
)
def test_assets_start_the_model_that_started_the_dag(given: str, value: Any, tmp_path: Path) -> None:
    model = one_dag(tmp_path, given)
    assert carried(model)["schedule.assets"] == value
    assert not {one["key"] for one in model["to_fill_in"]} & {"schedule.cron", "schedule.start"}
    assert_lint_names_just_the_placeholders(model)
    assert tree(fill_in(model))["schedule"]["assets"] == value


def test_a_clock_and_assets_are_both_carried_over(tmp_path: Path) -> None:
    timetable = "{__type__: x.CronTriggerTimetable, cron: 0 1 * * 5, timezone: Asia/Tokyo}"
    model = one_dag(tmp_path, f"schedule: {{datasets: [a, b], timetable: {timetable}}}")
    schedule = tree(fill_in(model))["schedule"]
    assert (schedule["cron"], schedule["timezone"]) == ("0 1 * * 5", "Asia/Tokyo")
    assert schedule["assets"] == {"all": ["a", "b"]}
    assert_lint_names_just_the_placeholders(model)


def test_what_an_asset_says_beside_its_name_is_told(tmp_path: Path) -> None:
    model = one_dag(tmp_path, f"schedule: [{{{ASSET}, uri: s3://a, extra: {{b: c}}, watchers: []}}]")
    (note,) = (one["note"] for one in model["carried"] if one["key"] == "schedule.assets")
    assert note == "without extra, watchers, which the asset's producer says"


@pytest.mark.parametrize(
    ("given", "what", "why"),
    [
        ("schedule: none", "schedule", "started by hand"),
        ("schedule: {__type__: x.relativedelta, hour: 18}", "schedule relativedelta", "nearest cron line"),
        (f"schedule: {{{DELTA}, seconds: 0}}", "schedule timedelta", "no whole number of seconds above 0"),
        (
            f"schedule: {{{DELTA}, days: 1.0e+300}}",
            "schedule timedelta",
            "no length of time that can be counted",
        ),
        (f"schedule: [{{{DELTA}, days: 1}}]", "schedule", "timedelta is no asset"),
        ("schedule: [{__type__: airflow.sdk.AssetAlias, name: a}]", "schedule", "AssetAlias is no asset"),
        ("schedule: [airflow://a, é]", "schedule", "is no asset's name"),
        (f"schedule: {{{ASSET}, name: a, uri: airflow://a}}", "schedule Asset", "for itself"),
        (f"schedule: {{{ASSET}, extra: {{}}}}", "schedule Asset", "an asset without a name"),
        ("schedule: [rides/champion, a]", "schedule", "start each other for ever"),
        ("schedule: {datasets: '(a & b'}", "schedule.datasets", "not closed"),
        ("schedule: {datasets: 'a & | b'}", "schedule.datasets", "an asset is missing"),
        ("schedule: {datasets: 'a ) b'}", "schedule.datasets", "cannot be read after"),
        (f"schedule: {{datasets: '{'(' * 5000}a'}}", "schedule.datasets", "nested deeper"),
        ("schedule: {datasets: [a], file: x.yml}", "schedule.datasets", "another file"),
        ("schedule: [a]\ntimetable: '@daily'", "timetable", "schedule.assets says when to run already"),
        ("timetable: {__type__: mine.Tides}", "timetable Tides", "schedule.timetable, as in {name: Tides}"),
        (
            "timetable: {__type__: x.MultipleCronTriggerTimetable, __args__: [0 30 4 * * *]}",
            "timetable MultipleCronTriggerTimetable",
            "has 6 fields",
        ),
        (
            "timetable: {__type__: x.EventsTimetable, event_dates: [soon]}",
            "timetable EventsTimetable",
            "an event date that cannot be read",
        ),
        (
            "timetable: {__type__: x.CronTriggerTimetable, cron: 0 1 * * 3, run_immediately: {a: '{{ b }}'}}",
            "timetable CronTriggerTimetable",
            "filled in when the task runs",
        ),
        ("catchup: true", "catchup", "only a clock has intervals that can be missed"),
    ],
)
def test_a_schedule_that_a_model_cannot_have_is_left_with_what_to_do(
    given: str, what: str, why: str, tmp_path: Path
) -> None:
    model = one_dag(tmp_path, given)
    assert why in left(model)[what]
    assert "schedule.cron" not in carried(model)
    assert_lint_names_just_the_placeholders(model)


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        (f"retry_delay: {{{DELTA}, minutes: 5}}", "retry_delay", "5 minutes"),
        ("retry_delay: 300", "retry_delay", "5 minutes"),
        ("retry_delay_sec: 90", "retry_delay", "90 seconds"),
        (f"execution_timeout: {{{DELTA}, hours: 1, minutes: 30}}", "timeout", "90 minutes"),
        ("execution_timeout_secs: 7200", "timeout", "2 hours"),
        ("pool: gpu", "pool", "gpu"),
        ("pool_slots: 2", "pool_slots", 2),
        ("priority_weight: 7", "priority_weight", 7),
        ("queue: big", "queue", "big"),
    ],
)
def test_how_tasks_run_is_carried_over_of_all_tasks_and_of_the_one_that_trains(
    given: str, key: str, value: Any, tmp_path: Path
) -> None:
    model = one_dag(tmp_path / "all", f"default_args: {{{given}}}")
    source = tmp_path / "rides.yml"
    task = "{operator: x.PythonOperator, python_callable: a.b.train, " + given + "}"
    source.write_text(f"rides: {{tasks: {{train: {task}}}}}")
    (of_the_task,) = converted(source, tmp_path / "one")["models"]
    for one in (model, of_the_task):
        assert carried(one)[f"execution.{key}"] == value
        assert_lint_names_just_the_placeholders(one)
        assert getattr(load_model(fill_in(one)).config.execution, key) == value
        (note,) = (found["note"] for found in one["carried"] if found["key"] == f"execution.{key}")
        assert note.startswith("of every task")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("retry_delay: 0", "no whole number of seconds above 0"),
        ("retry_delay: soon", "not a number"),
        ("retry_delay: 0.5", "no whole number of seconds above 0"),
        ("execution_timeout: {__type__: x.relativedelta, months: 1}", "not always equally long"),
        ("execution_timeout: {__type__: x.relativedelta, months: 1, days: 1}", "no period"),
        (f"execution_timeout: {{{DELTA}, days: 99999}}", "longer than 100 years"),
        (f"pool: {'x' * 257}", "more than 256 characters"),
        ("pool_slots: 0", "not a count"),
        ("priority_weight: 1000001", "not a count from 1 to 1000000"),
        ("queue: $QUEUE", "not expanded here"),
        ("on_failure_callback: a.b", "tell of failures by alerts.on_failure"),
        ("email_on_failure: true", "tell of failures by alerts.on_failure"),
        ("sla: 5", "alerts.deadline.train"),
        ("weight_rule: upstream", "no key of a model's YAML"),
    ],
)
def test_a_setting_of_tasks_that_a_model_cannot_have_is_left_with_its_key(
    given: str, why: str, tmp_path: Path
) -> None:
    model = one_dag(tmp_path, f"default_args: {{{given}}}")
    assert why in left(model)[f"default_args.{given.partition(':')[0]}"]
    assert_lint_names_just_the_placeholders(model)


def test_who_is_told_is_named_with_its_key_and_never_guessed(tmp_path: Path) -> None:
    late = f"dagrun_timeout: {{{DELTA}, hours: 2}}"
    model = one_dag(tmp_path, f"{late}\non_failure_callback_name: page\non_success_callback: a.b")
    assert (
        "alerts.deadline.train tells of a late training run, but stops none" in left(model)["dagrun_timeout"]
    )
    assert "alerts.on_failure" in left(model)["on_failure_callback_name"]
    assert "code of yours" in left(model)["on_success_callback"]
    assert "alerts" not in tree(model["file"])


@pytest.mark.parametrize("given", ["@once", "0 0 L * *", "0 30 4 * * *", "${NIGHT}", "@continuous"])
def test_a_cron_that_cannot_be_read_is_to_fill_in(given: str, tmp_path: Path) -> None:
    model = one_dag(tmp_path, f"schedule: '{given}'\nstart_date: 2024-01-01")
    assert left(model)["schedule"]
    assert given in {one["key"]: one["wanted"] for one in model["to_fill_in"]}["schedule.cron"]
    assert_lint_names_just_the_placeholders(model)
    assert load_model(fill_in(model)).config.schedule.cron == "@daily"


@pytest.mark.parametrize(
    ("given", "start", "zone"),
    [
        ("start_date: 2024-01-01", "2024-01-01", None),
        ("start_date: '2024-01-01T06:30:00'", "2024-01-01T06:30:00+00:00", None),
        ("start_date: 2024-07-01\ntimezone: Asia/Tokyo", "2024-07-01T00:00:00+09:00", "Asia/Tokyo"),
        # dag-factory puts its time zone in the place of an offset.
        ("start_date: 2024-07-01T00:00:00+09:00", "2024-07-01", None),
        # A time zone that stands at another level than the start has no effect.
        ("timezone: Asia/Tokyo\ndefault_args: {start_date: 2024-07-01}", "2024-07-01", None),
        ("start_date: 2024-07-01\ndefault_args: {start_date: 2023-01-01}", "2024-07-01", None),
    ],
)
def test_a_start_is_the_moment_that_dag_factory_makes_of_it(
    given: str, start: str, zone: str | None, tmp_path: Path
) -> None:
    model = one_dag(tmp_path, f"schedule: '@daily'\n{given}")
    assert carried(model)["schedule.start"] == start
    assert carried(model).get("schedule.timezone") == zone
    assert_lint_names_just_the_placeholders(model)


def test_a_start_that_moves_with_each_day_is_fixed_and_says_so(tmp_path: Path) -> None:
    model = one_dag(tmp_path, "schedule: '@daily'\nstart_date: 2 days")
    (start,) = (one for one in model["carried"] if one["key"] == "schedule.start")
    assert "moved with each day" in start["note"]
    assert "# '2 days' moved with each day" in Path(model["file"]).read_text()
    assert_lint_names_just_the_placeholders(model)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("start_date: next week", "schedule.start"),
        ("start_date: 99999999999999 days", "schedule.start"),
        ("start_date: 2024-01-01\ntimezone: Mars/Base", "schedule.timezone"),
    ],
)
def test_a_time_that_cannot_be_read_is_to_fill_in(given: str, key: str, tmp_path: Path) -> None:
    model = one_dag(tmp_path, f"schedule: '@daily'\n{given}")
    assert key in {one["key"] for one in model["to_fill_in"]}
    assert_lint_names_just_the_placeholders(model)


def test_an_end_before_the_start_is_left(tmp_path: Path) -> None:
    model = one_dag(tmp_path, "start_date: 2024-05-01\nend_date: 2024-04-01")
    assert left(model)["end_date"] == "does not lie after the start"
    assert_lint_names_just_the_placeholders(model)


def test_settings_are_merged_as_dag_factory_merges_them(tmp_path: Path) -> None:
    (tmp_path / "defaults.yml").write_text(
        "description: beside\nowner: nobody\n"
        "default_args: {owner: beside, retries: 9, start_date: 2020-01-01}\n"
    )
    head = "default: {description: block, tags: [block], default_args: {owner: block, retries: 4}}"
    model = one_dag(tmp_path, "default_args: {retries: 5}", head)
    values = carried(model)
    assert (values["description"], values["tags"]) == ("beside", ["block"])
    assert (values["owner"], values["execution.retries"]) == ("block", 5)
    (start,) = (one for one in model["carried"] if one["key"] == "schedule.start")
    assert (start["file"], start["line"]) == (str(tmp_path / "defaults.yml"), 3)
    assert left(model)["owner"] == "no key of a model's YAML stands for it"


def test_a_merge_key_gives_way_to_the_keys_beside_it(tmp_path: Path) -> None:
    head = "x: &one {owner: first, retries: 1}\ny: &two {owner: second, retries: 2, email: e}"
    model = one_dag(tmp_path, "default_args: {retries: 3, <<: [*one, *two]}", head)
    assert (carried(model)["owner"], carried(model)["execution.retries"]) == ("first", 3)
    assert "default_args.email" in left(model)


@pytest.mark.parametrize(
    ("tasks", "path"),
    [
        ("fit: {operator: x.PythonOperator, python_callable: a.b.fit}", "a.b:fit"),
        ("t: {operator: x.PythonOperator, python_callable: !!python/name:a.b.train_it }", "a.b:train_it"),
        ("t: {decorator: airflow.sdk.task, python_callable: a.train}", "a:train"),
        (
            "fit: {operator: x.PythonOperator, python_callable_name: f, python_callable_file: /dags/a/b.py}",
            "a.b:f",
        ),
        ("fit: {operator: x.PythonOperator, python_callable_name: f, python_callable_file: $H/c.py}", "c:f"),
        ("load_training: {operator: x.PythonOperator, python_callable: a.load}", None),
        ("train: {operator: x.BashOperator, bash_command: python train.py}", None),
        (
            "{train_a: {operator: x.PythonOperator, python_callable: a.a}, "
            "train_b: {operator: x.PythonOperator, python_callable: a.b}}",
            None,
        ),
        ("train: {operator: x.PythonOperator, python_callable: 'print(1)'}", None),
        ("train: {operator: x.PythonOperator, python_callable: os.system}", None),
        (
            "fit: {operator: x.PythonOperator, python_callable_name: f, python_callable_file: /o/code.py}",
            None,
        ),
        ("fit: {operator: x.PythonOperator, python_callable_name: f, python_callable_file: a-b.py}", None),
    ],
)
def test_the_training_function_is_the_one_python_task_that_trains(
    tasks: str, path: str | None, tmp_path: Path
) -> None:
    source = tmp_path / "d.yml"
    body = tasks if tasks.startswith("{") else "{" + tasks + "}"
    source.write_text(f"d:\n  tasks: {body}\n")
    (model,) = converted(source, tmp_path / "out")["models"]
    assert carried(model).get("training.callable") == path
    assert_lint_names_just_the_placeholders(model)


def test_arguments_of_a_taskflow_task_are_params_but_for_other_tasks_results(tmp_path: Path) -> None:
    _, forecast = converted(SAMPLES / "churn.yml", tmp_path)["models"]
    assert carried(forecast)["training.params"] == {"horizon": 14}
    assert "filled in when the task runs" in left(forecast)["arguments.rows of the task fit"]


def test_no_environment_variable_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_OWNER", "hunter2")
    model = one_dag(tmp_path, "default_args: {owner: $SECRET_OWNER}\ndescription: by ${SECRET_OWNER}")
    assert "holds $SECRET_OWNER, which is not expanded here" in left(model)["default_args.owner"]
    assert "holds ${SECRET_OWNER}" in left(model)["description"]
    assert "holds ${open" in left(one_dag(tmp_path / "other", "description: a ${open"))["description"]
    assert "hunter2" not in Path(model["file"]).read_text()


def test_nothing_of_a_source_is_run_or_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "trap_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    one_dag(
        tmp_path,
        "schedule: {__type__: trap_module.Table}\n"
        "on_failure_callback: trap_module.page\n"
        "default_args:\n"
        "  owner: !!python/object/apply:trap_module.f [x]\n"
        "  retries: !!python/name:trap_module.x",
    )
    shutil.copytree(SAMPLES / "fares", tmp_path / "fares")
    validation = tmp_path / "fares" / "validation" / "validation.py"
    validation.write_text(f"import trap_module\n{validation.read_text()}")
    converted(tmp_path / "fares", tmp_path / "fares_out")
    assert "trap_module" not in sys.modules


def test_text_of_the_source_cannot_leave_its_comment(tmp_path: Path) -> None:
    source = tmp_path / "d.yml"
    name = "a\nlevel: 3\n# TO FILL IN: \x1b[2J\u2028b"
    dag = {name: {"tasks": {name: {"operator": "x.BashOperator"}}, name: 1, "description": f"x # {name}"}}
    source.write_text(yaml.safe_dump(dag))
    done = run("convert", source, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert not any(line.startswith("level") for line in done.output.splitlines())
    (path,) = (tmp_path / "out").iterdir()
    assert "level" not in tree(path)
    assert {key for _, key in linted(path)} >= {"task", "training"}


# Databricks mlops-stacks


def test_a_bundle_is_carried_over_with_its_monitor_and_its_thresholds(tmp_path: Path) -> None:
    (model,) = converted(SAMPLES / "fares", tmp_path)["models"]
    values = tree(model["file"])
    assert values["model"] == "fare_quotes_model"
    assert (values["level"], values["task"], values["data"]["label"]) == (3, "regression", "fare")
    assert values["schedule"] == {"cron": "*/30 9 * * 1-5", "timezone": "Europe/Lisbon", "start": ""}
    assert values["gates"]["rules"] == [
        {"type": "threshold", "metric": "root_mean_squared_error", "maximum": 20.0},
        {"type": "threshold", "metric": "r2", "minimum": 0.6},
    ]
    assert values["evaluation"]["metrics"] == ["root_mean_squared_error", "r2"]
    assert (values["monitor"]["cron"], values["monitor"]["window"]) == ("0 8 * * *", "1 day")
    assert values["monitor"]["performance"]["metric"] == "root_mean_squared_error"
    assert values["retraining"] == {"causes": ["decay"], "k": 2, "n": 5}
    assert values["execution"]["retries"] == 3


def test_what_a_bundle_says_elsewhere_is_named_at_its_line(tmp_path: Path) -> None:
    (model,) = converted(SAMPLES / "fares", tmp_path)["models"]
    places = {one["what"]: (Path(one["file"]).name, one["line"]) for one in model["not_carried"]}
    training = "model-workflow-resource.yml"
    assert places["target prod"] == ("databricks.yml", 27)
    assert places["run_mode of the validation (dry_run)"] == (training, 37)
    assert places["training_data_path of the task Train"] == (training, 25)
    assert places["email_notifications of the training job"] == (training, 58)
    assert places["job batch_inference_job"] == ("batch-inference-workflow-resource.yml", 3)
    assert places["threshold of mean_on_target"] == ("validation.py", 10)
    assert "from now on the gates hold back" in left(model)["run_mode of the validation (dry_run)"]
    wanted = {one["key"]: one["wanted"] for one in model["to_fill_in"]}
    assert "the bundle reads /Volumes/main/fares/rides" in wanted["data.source.callable"]
    assert "made of the notebook ../training/notebooks/Train.py" in wanted["training"]
    # An absolute limit is no tolerance: it is told, and not taken.
    assert "the bundle's limit is 100" in wanted["monitor.performance.tolerance"]


def changed(folder: Path, file: str, *changes: tuple[str, str]) -> dict[str, Any]:
    """The report on the sample bundle with some text of one file put differently."""
    shutil.copytree(SAMPLES / "fares", folder / "fares")
    path = folder / "fares" / file
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    report = converted(folder / "fares", folder / "out")
    assert_lint_names_just_the_placeholders(report["models"][0])
    return report


WORKFLOW = "resources/model-workflow-resource.yml"


def test_a_bundle_without_its_monitor_is_level_2_and_the_file_is_named(tmp_path: Path) -> None:
    report = changed(tmp_path, "databricks.yml", ("  - ./resources/monitoring-resource.yml\n", ""))
    assert carried(report["models"][0])["level"] == 2
    assert load_model(fill_in(report["models"][0])).config.deploy.automatic
    passed = {Path(one["file"]).name: one["why"] for one in report["passed_over"]}
    assert "does not include it" in passed["monitoring-resource.yml"]


def test_a_quartz_line_that_cron_cannot_say_is_to_fill_in(tmp_path: Path) -> None:
    (model,) = changed(tmp_path, WORKFLOW, ("0 0/30 9 ? * MON-FRI", "0 0 9 L * ?"))["models"]
    assert "the last day (L)" in left(model)["schedule.quartz_cron_expression of the training job"]
    assert "schedule.cron" in {one["key"] for one in model["to_fill_in"]}


def test_how_the_training_task_of_a_bundle_runs_is_carried_over(tmp_path: Path) -> None:
    more = "max_retries: 3\n          timeout_seconds: 5400\n          min_retry_interval_millis: 90000"
    job = "      email_notifications:\n"
    (model,) = changed(
        tmp_path, WORKFLOW, ("max_retries: 3", more), (job, f"      timeout_seconds: 9000\n{job}")
    )["models"]
    running = tree(model["file"])["execution"]
    assert running == {"retries": 3, "retry_delay": "90 seconds", "timeout": "90 minutes"}
    assert "alerts.deadline.train" in left(model)["timeout_seconds of the training job"]
    assert "alerts.on_failure" in left(model)["email_notifications of the training job"]


@pytest.mark.parametrize("given", ["timeout_seconds: 0", "min_retry_interval_millis: 1500"])
def test_a_time_of_the_training_task_that_is_no_period_is_left(given: str, tmp_path: Path) -> None:
    (model,) = changed(tmp_path, WORKFLOW, ("max_retries: 3", given))["models"]
    assert "no whole number of seconds above 0" in left(model)[f"{given.partition(':')[0]} of the task Train"]


def test_a_classifier_leaves_the_number_of_classes_open(tmp_path: Path) -> None:
    monitor = tmp_path / "fares" / "resources" / "monitoring-resource.yml"
    (model,) = changed(tmp_path, WORKFLOW, ("model_type: regressor", "model_type: classifier"))["models"]
    assert carried(model)["task"] == "regression", "the monitor says it"
    monitor.write_text(monitor.read_text().replace("TYPE_REGRESSION", "TYPE_CLASSIFICATION"))
    (model,) = converted(tmp_path / "fares", tmp_path / "again")["models"]
    assert "task" in {one["key"] for one in model["to_fill_in"]}


def test_a_metric_of_another_task_is_left(tmp_path: Path) -> None:
    (model,) = changed(tmp_path, "validation/validation.py", ("r2_score", "roc_auc"))["models"]
    assert left(model)["threshold of roc_auc"] == "no metric of a regression"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def validation_thresholds():\n    return load()\n", "no function validation_thresholds"),
        ("def validation_thresholds(:\n", "no Python that can be read"),
        ("def validation_thresholds():\n    return {}\n", "returns no threshold"),
        ("(" * 100_000, "no Python that can be read"),
    ],
)
def test_thresholds_that_are_not_written_out_are_left(text: str, why: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "fares", tmp_path / "fares")
    (tmp_path / "fares" / "validation" / "validation.py").write_text(text)
    (model,) = converted(tmp_path / "fares", tmp_path / "out")["models"]
    assert why in left(model)["validation_thresholds_loader_function of the validation"]
    assert_lint_names_just_the_placeholders(model)


def test_an_include_that_leads_out_of_the_bundle_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text("resources: {jobs: {x: {tasks: [{task_key: Train}]}}}")
    out = "- ../secret.yml\n  - ./resources/linked.yml\n  - /etc/hosts\n  - none/*.yml\n"
    shutil.copytree(SAMPLES / "fares", tmp_path / "fares")
    (tmp_path / "fares" / "resources" / "linked.yml").symlink_to(tmp_path / "secret.yml")
    head = tmp_path / "fares" / "databricks.yml"
    head.write_text(head.read_text().replace("- ./resources/model-workflow-resource.yml\n", out))
    report = converted(tmp_path / "fares", tmp_path / "out")
    whys = {one["what"].rpartition("/")[2]: one["why"] for one in report["passed_over"]}
    assert whys["secret.yml"] == whys["hosts"] == "lies outside the bundle's folder"
    assert whys["linked.yml"] == "a link that leads out of the bundle's folder"
    assert whys["*.yml"] == "there is no such file"
    assert "training" in {one["key"] for one in report["models"][0]["to_fill_in"]}


def test_the_folder_above_a_bundle_will_do_and_two_bundles_will_not(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "fares", tmp_path / "project" / "fares")
    assert converted(tmp_path / "project", tmp_path / "out")["kind"] == "mlops-stacks"
    shutil.copytree(SAMPLES / "fares", tmp_path / "project" / "tips")
    refused = run("convert", tmp_path / "project", "--output", tmp_path / "again")
    assert refused.exit_code == 1
    assert "holds several bundles" in refused.stderr


# the command


def test_the_text_names_source_line_and_key_and_the_file_says_what_was_left(tmp_path: Path) -> None:
    source = tmp_path / "rides.yml"
    source.write_text(DAG.format(head="", lines="schedule: '@daily'\n  doc_md: x"))
    done = run("convert", source, "--output", tmp_path / "out")
    path = tmp_path / "out" / "rides.yaml"
    assert f"wrote {path}, begun from {source} (dag-factory, DAG rides)\n" in done.stdout
    assert f"  {source}:3 schedule -> schedule.cron: @daily\n" in done.stdout
    assert f"  {source}:4 doc_md: the DAGs' docs are written from this YAML" in done.stdout
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("task:"))
    assert f"  {path}:{number} task: binary_classification" in done.stdout
    comments = " ".join(line.removeprefix("#") for line in lines if line.startswith("#"))
    assert f"{source}: 4 doc_md" in " ".join(comments.split())


def test_a_file_that_is_there_is_never_written_over_and_nothing_else_is_written(tmp_path: Path) -> None:
    taken = tmp_path / "forecast_v2.yaml"
    taken.write_text("mine")
    refused = run("convert", SAMPLES / "churn.yml", "--output", tmp_path)
    assert refused.exit_code == 1
    assert f"{taken} is there already, and nothing was written" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["forecast_v2.yaml"]
    taken.unlink()
    taken.symlink_to(tmp_path / "elsewhere.yaml")
    assert run("convert", SAMPLES / "churn.yml", "--output", tmp_path).exit_code == 1
    assert not (tmp_path / "elsewhere.yaml").exists()


@pytest.mark.parametrize("name", ["policy", "defaults"])
def test_a_model_does_not_take_the_name_of_a_file_that_is_no_models(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source.yml"
    source.write_text(f"{name}: {{tasks: {{t: {{operator: x}}}}}}\n")
    (model,) = converted(source, tmp_path / "out")["models"]
    assert (model["model"], Path(model["file"]).name) == (name, f"{name}_model.yaml")
    assert_lint_names_just_the_placeholders(model)


def test_two_dags_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "two.yml"
    source.write_text("a-b: {tasks: {t: {operator: x}}}\na.b: {tasks: {t: {operator: x}}}\n")
    refused = run("convert", source, "--output", tmp_path / "out")
    assert refused.exit_code == 1
    assert "two DAGs would both become" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("apiVersion: airflow-mlops/v1\nmodel: x\n", (), "neither dag-factory"),
        ("a: {b: 1}\n", ("--from", "dag-factory"), "has no DAG with tasks"),
        ("a: {b: 1}\n", ("--from", "mlops-stacks"), "has no bundle.name"),
        ("rides: {tasks: {}}\n", ("--dag", "ride"), "did you mean 'rides'?"),
        ("bundle: {name: x}\n", ("--dag", "x"), "a bundle has no DAGs"),
        ("- a\n", (), "not a mapping of keys"),
        ("", (), "not a mapping of keys"),
        ("a: [\n", (), "not YAML"),
        ("a: &a [*a]\n", (), "an alias inside its own anchor"),
        ("? [a]\n: 1\n", (), "a key that is not text"),
        ("{{ a }}: 1\n", (), "a key that is not text"),
        ("a: 1\n---\nb: 2\n", (), "not YAML"),
        ("a: " + "[" * 100_000, (), "nested deeper than 50 levels"),
        ("a: \x07\n", (), "not YAML"),
        ("a: \ufeff" + "x" * 1_048_577, (), "larger than 1048576 bytes"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_message(
    text: str, options: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    source = tmp_path / "source.yml"
    source.write_text(text)
    refused = run("convert", source, "--output", tmp_path / "out", *options)
    assert refused.exit_code in (1, 2)
    assert why in " ".join(refused.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "join",
    ["[*{0},*{0},*{0},*{0},*{0},*{0},*{0},*{0},*{0}]", "{{<<: [*{0},*{0}], b: [*{0},*{0},*{0},*{0}]}}"],
)
def test_a_yaml_bomb_is_refused(join: str, tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {join.format(f'a{n - 1}')}" for n in range(1, 40)]
    source = tmp_path / "bomb.yml"
    source.write_text("\n".join(lines))
    refused = run("convert", source)
    assert refused.exit_code == 1
    assert f"more than {MAX_VALUES} values, aliases counted" in refused.stderr


# whatever a source holds

_TEXTS = st.one_of(
    st.sampled_from(
        [
            "@daily",
            "2 days",
            "$X",
            "{{ ds }}",
            "+train",
            "a.b.train",
            "x.PythonOperator",
            "UTC",
            "no",
            "0x1",
            "n",
            "~",
        ]
    ),
    # Text with a control character is not read: lint says so at the line of what was written.
    st.text(max_size=8).filter(str.isprintable),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pair for key, one in list(below) for pair in [(value, key), *_nodes(one)]]


@pytest.mark.parametrize(
    "file", ["churn.yml", "starts.yml", "fares/" + WORKFLOW, "fares/resources/monitoring-resource.yml"]
)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_stands_somewhere_the_rest_is_carried_over(
    file: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(SAMPLES, folder / "in")
    path = folder / "in" / file
    text = path.read_text()
    value = yaml.load(text, Loader=yaml.CBaseLoader)
    for _ in range(data.draw(st.integers(1, 3))):
        above, key = data.draw(st.sampled_from(_nodes(value)))
        above[key] = data.draw(_VALUES)
    path.write_text(yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True))
    source = path if "/" not in file else folder / "in" / "fares"
    done = run("convert", source, "--output", folder / "out", "--format", "json")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    if done.exit_code == 0:
        for model in json.loads(done.stdout)["models"]:
            assert_lint_names_just_the_placeholders(model)
            assert load_model(fill_in(model)) if not _odd(model) else True
    shutil.rmtree(folder)


@settings(max_examples=200, deadline=None)
@given(given=st.dictionaries(_TEXTS, _VALUES, max_size=4), note=st.text(max_size=20))
def test_what_is_written_is_what_our_reader_takes_back(given: dict[str, Any], note: str) -> None:
    draft = Draft("rides", note)
    params = json.loads(json.dumps(given).replace("NaN", "0").replace("Infinity", "1"))
    draft.carry(Node(None, Place("x", 1, 1)), note, "training.params", params, note)
    draft.fill_up()
    text = written(draft).text
    document = read_source(text, "rides.yaml")
    assert document.root.value["training"]["params"] == params
    # What no terminal can print is carried over, and then told of by lint.
    assert all("control character" in problem.message for problem in document.problems)


def _odd(model: dict[str, Any]) -> bool:
    """Whether a carried name takes part in a rule between two parts, as a label that FILLED has too."""
    return carried(model).get("data.label") in ("distance", "at", "ride")
