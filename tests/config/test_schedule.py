"""What a schedule, its execution and its alerts may say together, and where a contradiction is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.schema import json_schema
from airflow_mlops.config.source import read_source

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()


@pytest.mark.parametrize(
    ("schedule", "key", "said"),
    [
        ("{cron: '@daily', every: 1 day, start: 2026-01-01}", "every", "give one of cron, every, timetable"),
        (
            "{every: 1 day, timetable: {name: X}, start: 2026-01-01}",
            "timetable",
            "'every' says when to run already",
        ),
        ("{every: 1 day}", "every", "'every' needs 'start'"),
        ("{timetable: {name: X}}", "timetable", "a timetable needs 'start'"),
        ("{assets: a, catchup: true}", "catchup", "nothing to catch up with"),
        ("{catchup: true}", "catchup", "nothing to catch up with"),
        ("{partitioned: true}", "partitioned", "needs cron (one partition for each interval) or assets"),
        (
            "{every: 1 day, start: 2026-01-01, partitioned: true}",
            "partitioned",
            "does not go with 'every': only a cron or assets have partitions",
        ),
        (
            "{cron: '@daily', start: 2026-01-01, assets: a, partitioned: true}",
            "assets",
            "by a cron or by assets, not by both",
        ),
        (
            "{assets: a, watch: [{type: files, path: x}], partitioned: true}",
            "watch",
            "what a watcher sees has no partition key",
        ),
        (
            "{cron: '@daily', start: 2026-01-01, partitioned: true, partition_length: 1 day}",
            "partition_length",
            "is for assets",
        ),
        ("{assets: []}", "assets", "needs at least one asset"),
        ("{assets: 3}", "assets", "must be an asset's name, a list of names, or a mapping"),
        ("{assets: {all: [a], any: [b]}}", "assets", "give one of name, any, all"),
        ("{assets: {all: [a, {nam: b}]}}", "assets.all[1].nam", "did you mean 'name'?"),
        ("{assets: [a, 'über']}", "assets[1]", "is no asset's name"),
        ("{assets: {name: a, uri: b}}", "assets.uri", "the URI of one named asset"),
        ("{assets: {name: a, uri: 'airflow://b'}}", "assets.uri", "for itself"),
        ("{assets: wine/champion}", "assets", "would start each other for ever"),
        ("{watch: [{type: files}]}", "watch[0]", "needs 'path'"),
        ("{watch: [{type: files, path: x, params: {a: 1}}]}", "watch[0].params", "no params"),
        ("{watch: [{type: kafka, path: x}]}", "watch[0].path", "give a kafka its arguments under 'params'"),
        (
            "{watch: [{type: files, path: x}, {type: files, path: z}]}",
            "watch[1]",
            "a second watch called 'files'; give it a 'name'",
        ),
        ("{watch: [{type: files, path: x, name: retrain}]}", "watch[0]", "is another asset"),
    ],
)
def test_a_contradiction_is_shown_at_its_key(load, schedule, key, said):
    with pytest.raises(InvalidConfig) as refused:
        load(f"schedule: {schedule}")
    (problem,) = refused.value.problems
    assert problem.key == f"schedule.{key}"
    assert said in f"{problem.message} {problem.hint}"
    assert problem.line == MINIMAL.count("\n") + 1
    assert problem.column > 1


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        ("alerts: {deadline: {train: 6 hours}}", "alerts.deadline.train", "nobody would be told"),
        (
            "alerts: {on_failure: [{type: webhook, conn_id: a}], deadline: {monitor: 1 hour}}",
            "alerts.deadline.monitor",
            "there is no monitor DAG",
        ),
        (
            "alerts: {on_failure: [{type: slak_webhook, conn_id: a}]}",
            "alerts.on_failure[0].type",
            "slack_webhook",
        ),
        (
            "alerts: {on_failure: [{type: webhook, conn_id: a, endpoint: 'http://x/y'}]}",
            "alerts.on_failure[0].endpoint",
            "belongs into the connection",
        ),
        (
            "alerts: {routes: [{events: [drift], to: [{type: webhook, conn_id: a}]}]}",
            "alerts.routes[0].events[0]",
            "drift is found by the monitor DAG, and there is none: give monitor.cron",
        ),
        (
            "alerts: {routes: [{events: [promoted], at_least: warning, to: [{type: webhook, conn_id: a}]}]}",
            "alerts.routes[0].at_least",
            "promoted is info, which is below warning, and would never be told",
        ),
        (
            "alerts: {routes: [{events: [promotd], to: [{type: webhook, conn_id: a}]}]}",
            "alerts.routes[0].events[0]",
            "promoted",
        ),
        ("alerts: {routes: [{to: []}]}", "alerts.routes[0].to", "needs at least 1 entry"),
        ("execution: {timeout: 1 month}", "execution.timeout", "not always equally long"),
        ("execution: {pool_slots: 0}", "execution.pool_slots", "greater than or equal to 1"),
    ],
)
def test_alerts_and_execution_are_checked_too(load, more, key, said):
    with pytest.raises(InvalidConfig) as refused:
        load(more)
    (problem,) = refused.value.problems
    assert problem.key == key
    assert said in f"{problem.message} {problem.hint}"


def test_partitions_and_retraining_by_policy_do_not_combine_and_the_message_says_what_does(load):
    with pytest.raises(InvalidConfig, match="a retraining request has none; leave partitioned out"):
        load(
            "level: 3\nschedule: {cron: '@daily', start: 2026-01-01, partitioned: true}\n"
            "monitor: {cron: '@daily'}"
        )


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("a", "{name: a}"),
        ("[a]", "a"),
        ("[a, b]", "{any: [a, {name: b}]}"),
        ("{all: [a]}", "a"),
        ("{all: [a, [b, c]]}", "{all: [a, {any: [b, c]}]}"),
    ],
)
def test_two_spellings_of_assets_are_one_configuration(load, short, long):
    assert load(f"schedule: {{assets: {short}}}") == load(f"schedule: {{assets: {long}}}")


def test_a_schedule_survives_json(load):
    config = load(
        "schedule: {assets: {all: [a, [b, {name: c, uri: 's3://c'}]]}, "
        "watch: [{type: files, path: x, poll_interval: 5 minutes}]}\n"
        "alerts: {on_failure: [{type: smtp, conn_id: a, to: [me@a.org]}], deadline: {train: 90 minutes}}"
    )
    assert ModelConfig.model_validate_json(json.dumps(config.model_dump(mode="json"))) == config


@pytest.mark.parametrize(
    ("assets", "good"),
    [("a", True), ("[a, {all: [b, {name: c}]}]", True), ("{al: [a]}", False), ("3", False), ("[]", False)],
)
def test_the_schema_knows_the_spellings_of_assets(assets, good):
    import jsonschema

    value = read_source(f"{MINIMAL}schedule: {{assets: {assets}}}\n", "x.yaml").root.value
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(value) is good


def test_a_route_without_events_takes_warnings_and_one_with_them_takes_all_it_names(load):
    said = "alerts: {routes: [{to: [%s]}, {events: [promoted], to: [%s]}], severity: {gate_held: critical}}"
    receiver = "{type: webhook, conn_id: ops}"
    config = load(said % (receiver, receiver))
    assert [route.floor for route in config.alerts.routes] == ["warning", "info"]
    assert (config.alerts.repeat_after, config.alerts.severity) == ("7 days", {"gate_held": "critical"})
    assert ModelConfig.model_validate_json(json.dumps(config.model_dump(mode="json"))) == config
