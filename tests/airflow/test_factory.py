"""What the DAGs of one YAML look like: tasks, edges, schedules and hand-overs, for each level."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest
from airflow.sdk import Asset, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlops.config.load import load_model
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.factory import load_file
from airflow_mlops.factory.parts import PARTS
from airflow_mlops.factory.render import render
from airflow_mlops.plan.compile import compile_plan

TRAIN = {
    "snapshot": set(),
    "validate": {"snapshot"},
    "train": {"validate"},
    "evaluate": {"train"},
    "gate": {"evaluate"},
    "register": {"gate"},
    "announce_challenger": {"register"},
}
DEPLOY = {
    "take_challenger": set(),
    "smoke_serve": {"take_challenger"},
    "shadow": {"smoke_serve"},
    "canary.weight_10": {"shadow"},
    "canary.weight_50": {"canary.weight_10"},
    "conclude": {"canary.weight_50"},
    "promote": {"conclude"},
    "roll_back": {"conclude"},
    "announce_champion": {"promote"},
}
MONITOR = {
    "collect": set(),
    "data_quality": {"collect"},
    "drift": {"collect"},
    "performance": {"collect"},
    "announce_drift": {"data_quality", "drift"},
    "announce_decay": {"data_quality", "performance"},
    "decide": {"data_quality", "drift", "performance"},
    "request_retraining": {"decide"},
}


def edges(dag):
    return {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}


def test_level_1_trains_by_itself_and_deploys_by_hand_once_a_person_approves(model_yaml):
    dags = load_file(model_yaml(level=1))

    assert list(dags) == ["rain.train", "rain.deploy", "rain.rollback"]
    assert edges(dags["rain.train"]) == TRAIN
    deploy = edges(dags["rain.deploy"])
    assert deploy["approve"] == {"smoke_serve"}
    assert deploy == {**DEPLOY, "approve": {"smoke_serve"}, "shadow": {"approve"}}
    assert not dags["rain.deploy"].timetable.can_be_scheduled


def test_level_2_adds_preflight_and_monitoring_and_deploys_when_a_challenger_is_registered(model_yaml):
    dags = load_file(model_yaml(level=2))

    assert list(dags) == ["rain.train", "rain.deploy", "rain.rollback", "rain.monitor"]
    train = edges(dags["rain.train"])
    preflight = {"preflight.contracts", "preflight.sample_run"}
    assert [train.pop(task) for task in preflight] == [{"snapshot"}] * 2
    assert train == TRAIN | {"train": {"validate", *preflight}}
    assert edges(dags["rain.deploy"]) == DEPLOY
    assert dags["rain.deploy"].timetable.asset_condition == Asset("rain/challenger")
    watched = {"collect", "data_quality", "drift", "announce_drift", "decide"}
    assert edges(dags["rain.monitor"]).keys() == watched


def test_level_3_closes_the_loop_from_the_monitor_back_to_training(model_yaml):
    dags = load_file(model_yaml(level=3))

    assert edges(dags["rain.monitor"]) == MONITOR
    request = dags["rain.monitor"].get_task("request_retraining")
    assert request.outlets == [Asset("rain/retrain")]
    assert request.trigger_dag_id == "rain.train"
    assert isinstance(dags["rain.train"].timetable, CronDataIntervalTimetable)


def test_an_ab_test_hands_its_verdict_to_a_report_and_ends_as_every_rollout_does(model_yaml):
    ab = (
        "deploy:\n  strategy: ab\n  deadline: 21 days\n"
        "  analysis: {minimum_duration: 14 days, metrics: [{name: orders, query: up, minimum: 1}]}\n"
    )
    dags = load_file(model_yaml(level=2, more=ab))
    deploy = dags["rain.deploy"]
    assert edges(deploy) == {
        **{name: above for name, above in DEPLOY.items() if not name.startswith("canary.")},
        "ab.weight_50": {"shadow"},
        "ab.report": {"ab.weight_50"},
        "conclude": {"ab.weight_50", "ab.report"},
    }
    report = deploy.task_dict["ab.report"]
    assert (report.weight, report.trigger_rule) == (0.5, "all_done")
    assert "ab.weight_50" in str(report.verdict)


def test_a_task_is_handed_only_what_has_been_made_before_it(model_yaml):
    """The graph shows the plan's edges alone, so none of them stands for a result by itself."""
    for dag in load_file(model_yaml(level=3)).values():
        for task in dag.tasks:
            given = re.findall(
                r"task_ids='([^']+)'", str([getattr(task, name) for name in task.template_fields])
            )
            assert set(given) <= task.get_flat_relative_ids(upstream=True), task.task_id
            assert given or not task.upstream_task_ids


def test_the_dags_hand_over_by_assets_named_after_the_model(model_yaml):
    dags = load_file(model_yaml(level=2))

    assert dags["rain.train"].get_task("announce_challenger").outlets == [Asset("rain/challenger")]
    assert dags["rain.deploy"].get_task("announce_champion").outlets == [Asset("rain/champion")]


def test_a_model_that_is_scored_gets_a_dag_that_hands_its_predictions_on(model_yaml):
    schedule = "{assets: [raw/rain, rain/champion]}"
    dags = load_file(
        model_yaml(
            more=f"deploy: {{target: {{type: batch}}, strategy: direct}}\nscore: {{schedule: {schedule}}}\n"
        )
    )
    score = dags["rain.score"]
    assert edges(score) == {
        "choose_partitions": set(),
        "score": {"choose_partitions"},
        "announce_predictions": {"score"},
    }
    assert score.get_task("announce_predictions").outlets == [Asset("rain/predictions")]
    assert score.get_task("announce_predictions").backfills is True
    assert set(score.timetable.asset_condition.objects) == {Asset("raw/rain"), Asset("rain/champion")}
    assert list(score.params) == ["window_start", "window_end", "reason"]


def test_a_cron_gives_runs_a_real_interval_in_the_zone_of_the_yaml(model_yaml):
    from airflow.serialization.encoders import coerce_to_core_timetable

    path = model_yaml(more="schedule: {cron: '@monthly', start: 2026-01-01, timezone: Europe/Paris}\n")
    dag = load_file(path)["rain.train"]

    core = coerce_to_core_timetable(dag.timetable)
    interval = core.infer_manual_data_interval(run_after=dag.start_date.add(days=70))
    assert (interval.end - interval.start).days >= 28
    assert str(interval.start.in_timezone("Europe/Paris").date()) == "2026-02-01"


@pytest.mark.parametrize("role", ["train", "monitor"])
def test_a_run_by_hand_may_be_given_a_window_and_needs_none(model_yaml, role):
    params = load_file(model_yaml(level=3))[f"rain.{role}"].params

    assert set(params) >= {"window_start", "window_end"}
    assert set(params.validate().values()) == {None}
    params["window_end"] = "2026-03-01T00:00:00+00:00"
    assert params.validate()["window_end"] == "2026-03-01T00:00:00+00:00"
    with pytest.raises(ParamValidationError, match="first of march"):
        params["window_end"] = "first of march"


def test_a_reason_may_be_given_where_it_is_recorded_and_nothing_that_a_gate_judges_by(model_yaml):
    dags = load_file(model_yaml(level=3))
    assert {dag_id: list(dag.params) for dag_id, dag in dags.items()} == {
        "rain.train": ["window_start", "window_end", "reason"],
        "rain.deploy": ["reason"],
        "rain.rollback": ["version", "reason"],
        "rain.monitor": ["window_start", "window_end"],
    }
    with pytest.raises(ParamValidationError):
        dags["rain.deploy"].params["reason"] = "x" * 501


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_model_has_a_form_that_puts_an_earlier_champion_back_and_demands_a_reason(model_yaml, level):
    dag = load_file(model_yaml(level=level))["rain.rollback"]
    assert edges(dag) == {"reverse": set()}
    assert dag.get_task("reverse").outlets == [Asset("rain/champion")]
    assert not dag.timetable.can_be_scheduled
    assert dag.is_paused_upon_creation is False
    with pytest.raises(ParamValidationError, match="None is not of type"):
        dag.params.validate()
    dag.params["reason"] = "wrong prices"
    assert dag.params.validate() == {"version": None, "reason": "wrong prices"}
    dag.params["version"] = "7"
    with pytest.raises(ParamValidationError):
        dag.params["version"] = "the last one"


def test_a_pool_a_timeout_and_the_rest_of_execution_reach_every_task_but_no_timeout_those_that_wait(
    model_yaml,
):
    more = (
        "execution: {retry_delay: 20 minutes, timeout: 2 hours, pool: training, pool_slots: 2,\n"
        "  priority_weight: 9, queue: gpu}\n"
    )
    for dag in load_file(model_yaml(level=3, more=more)).values():
        for task in dag.tasks:
            assert (task.pool, task.pool_slots, task.priority_weight, task.queue) == ("training", 2, 9, "gpu")
            assert task.retry_delay == task.max_retry_delay == timedelta(minutes=20)
            waits = task.task_id in ("smoke_serve", "shadow", "reverse") or task.task_id.startswith("canary")
            assert task.execution_timeout == (None if waits else timedelta(hours=2))


def test_alerts_are_callbacks_of_every_task_and_a_deadline_of_the_dag(model_yaml):
    more = (
        "alerts:\n"
        "  on_failure: [{type: webhook, conn_id: ops}, {type: smtp, conn_id: mail, to: [me@example.com]}]\n"
        "  deadline: {train: 6 hours}\n"
    )
    dags = load_file(model_yaml(level=1, more=more))
    for dag in dags.values():
        for task in dag.tasks:
            kinds = [type(told).__name__ for told in task.on_failure_callback]
            assert kinds == ["WebhookNotifier", "SmtpNotifier"]
    (deadline,) = dags["rain.train"].deadline
    assert deadline.interval == timedelta(hours=6)
    assert not dags["rain.deploy"].deadline
    DagSerialization.to_dict(dags["rain.train"])


@pytest.fixture
def no_slack(monkeypatch):
    """As if the provider were not installed."""
    for name in ("airflow.providers.slack", "airflow.providers.slack.notifications"):
        monkeypatch.setitem(sys.modules, name, None)


def test_a_notifier_whose_provider_is_not_installed_is_refused_with_the_command_that_installs_it(
    model_yaml, no_slack
):
    path = model_yaml(more="alerts: {on_failure: [{type: slack_webhook, conn_id: slack}]}\n")
    with pytest.raises(ConfigError) as refused:
        load_file(path)
    assert str(refused.value).startswith(
        f"{path}:23:30: alerts.on_failure[0].type: slack_webhook needs apache-airflow-providers-slack, "
        "which is not installed here; install it: pip install apache-airflow-providers-slack"
    )


def test_findings_are_told_by_a_task_that_does_not_decide_the_state_of_its_run(model_yaml):
    receivers = "{type: webhook, conn_id: ops}, {type: smtp, conn_id: mail, to: [a@b.c]}"
    more = f"alerts: {{routes: [{{to: [{receivers}]}}]}}\n"
    dags = load_file(model_yaml(level=3, more=more))
    for role in ("train", "deploy", "rollback", "monitor"):
        tell = dags[f"rain.{role}"].get_task("tell")
        assert tell.is_teardown
        assert not tell.on_failure_fail_dagrun
        assert tell.notifier.model == "rain"
        dags[f"rain.{role}"].validate_setup_teardown()
        DagSerialization.to_dict(dags[f"rain.{role}"])


def test_a_route_to_a_provider_that_is_not_installed_is_refused_at_its_place(model_yaml, no_slack):
    path = model_yaml(more="alerts: {routes: [{to: [{type: slack_webhook, conn_id: slack}]}]}\n")
    with pytest.raises(ConfigError, match=r"alerts\.routes\[0\]\.to\[0\]\.type: slack_webhook needs apache"):
        load_file(path)


def test_those_who_are_asked_are_told_by_the_tasks_that_ask(model_yaml, no_slack):
    told = "notify: [{type: webhook, conn_id: ops}, {type: smtp, conn_id: mail, to: [me@example.com]}]"
    path = model_yaml(more=f"deploy: {{approval: {{{told}}}}}\n")
    path.write_text(path.read_text().replace("gates:\n", f"gates:\n  on_fail: ask\n  review: {{{told}}}\n"))
    dags = load_file(path)
    for dag_id, task_id in (("rain.train", "review"), ("rain.deploy", "approve")):
        task = dags[dag_id].get_task(task_id)
        assert [type(one).__name__ for one in task.told] == ["WebhookNotifier", "SmtpNotifier"]
        assert task.execution_timeout is None
        DagSerialization.to_dict(dags[dag_id])
    assert dags["rain.train"].get_task("register").trigger_rule == "none_failed"
    path.write_text(
        path.read_text().replace(
            "type: smtp, conn_id: mail, to: [me@example.com]", "type: slack_webhook, conn_id: s"
        )
    )
    with pytest.raises(ConfigError, match=r"gates\.review\.notify\[1\]\.type: slack_webhook needs"):
        load_file(path)


def test_one_run_of_a_dag_at_a_time_and_backfills_train_one_by_one(model_yaml):
    for dag in load_file(model_yaml(level=3)).values():
        assert dag.max_active_runs == 1
        limit = 1 if dag.dag_id.endswith(".train") else None
        assert {task.max_active_tis_per_dag for task in dag.tasks} == {limit}


def test_retries_come_from_the_yaml_and_back_off(model_yaml):
    dags = load_file(model_yaml(level=2, more="execution: {retries: 4}\n"))
    task = dags["rain.train"].get_task("train")
    assert (task.retries, task.retry_exponential_backoff) == (4, 2)
    assert task.retry_delay.total_seconds() == 30


def test_at_level_3_only_services_and_machines_are_tried_again_and_failures_are_noted(model_yaml):
    policy = pytest.importorskip("airflow.sdk.definitions.retry_policy")
    task = load_file(model_yaml(level=3))["rain.train"].get_task("train")
    assert task.retries == 3

    def decided(error):
        return task.retry_policy.evaluate(error, 1, 3).action

    assert decided(ConnectionError("reset")) is policy.RetryAction.RETRY
    assert decided(AirflowException("MLflow does not answer")) is policy.RetryAction.RETRY
    assert decided(KeyError("age")) is policy.RetryAction.FAIL
    assert [type(told).__name__ for told in task.on_failure_callback] == ["NoteFailure"]
    assert decided(httpx.ConnectError("away")) is policy.RetryAction.RETRY
    plain = load_file(model_yaml(level=2))["rain.train"].get_task("train")
    assert (plain.retries, plain.retry_policy, plain.on_failure_callback) == (1, None, [])


def test_each_task_whose_failures_are_noted_says_when_it_is_past_them(model_yaml):
    route = "{to: [{type: webhook, conn_id: desk}]}"
    dags = load_file(model_yaml(level=3, more=f"alerts: {{routes: [{route}]}}\n"))
    for task in (task for dag in dags.values() for task in dag.tasks):
        noted = [type(told).__name__ for told in task.on_failure_callback]
        over = [type(told).__name__ for told in task.on_success_callback]
        expected = ([], []) if task.task_id == "tell" else (["NoteFailure"], ["NoteRecovery"])
        assert (noted, over) == expected, task.task_id
    noted = {name: dag.tasks[0].on_failure_callback[0].stop_after for name, dag in dags.items()}
    assert {name for name, limit in noted.items() if limit is None} == {"rain.deploy", "rain.rollback"}
    assert "tell" in dags["rain.monitor"].task_dict


def test_the_way_back_from_decay_is_a_task_only_where_the_yaml_asks_for_it(model_yaml):
    monitor = load_file(model_yaml(level=3, more="healing: {roll_back: true}\n"))["rain.monitor"]
    assert edges(monitor)["roll_back_decayed"] == {"decide"}
    assert monitor.get_task("roll_back_decayed").outlets == [Asset("rain/champion")]
    assert "roll_back_decayed" not in load_file(model_yaml(level=3))["rain.monitor"].task_dict


def test_a_stage_that_waits_can_be_retried_even_where_the_yaml_says_never(model_yaml):
    deploy = load_file(model_yaml(level=1, more="execution: {retries: 0}\n"))["rain.deploy"]
    retries = {task.task_id: task.retries for task in deploy.tasks}
    assert {name for name, count in retries.items() if count} == {
        "smoke_serve", "approve", "shadow", "canary.weight_10", "canary.weight_50",
    }  # fmt: skip


def test_every_task_knows_the_digest_of_its_yaml_and_the_page_shows_it(model_yaml):
    path = model_yaml(level=3)
    digest = load_model(path).digest
    for dag in load_file(path).values():
        assert f"`{digest[:12]}`" in dag.doc_md
        told = {task.config_digest for task in dag.tasks if hasattr(task, "config_digest")}
        assert told == {digest}


def test_model_owner_and_level_are_tags_and_every_task_is_explained(model_yaml):
    for dag in load_file(model_yaml(level=3)).values():
        assert {"mlops", "forecasts", "rain", "weather", "level 3"} <= dag.tags
        assert all(task.doc_md and task.owner == "weather" for task in dag.tasks)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_two_parses_serialise_to_equal_bytes(model_yaml, level):
    path = model_yaml(level=level)

    def parse():
        return json.dumps([DagSerialization.to_dict(dag) for dag in load_file(path).values()])

    assert parse() == parse()


@pytest.mark.slow
def test_two_processes_serialise_to_equal_bytes(model_yaml):
    code = (
        "import json, sys, pathlib; from airflow_mlops.factory import load_file\n"
        "from airflow.serialization.serialized_objects import DagSerialization\n"
        "dags = load_file(pathlib.Path(sys.argv[1])).values()\n"
        "print(json.dumps([DagSerialization.to_dict(dag) for dag in dags], sort_keys=True))"
    )
    path = str(model_yaml(level=3))
    first, second = (
        subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first.splitlines()[-1] == second.splitlines()[-1]


@pytest.mark.slow
def test_only_a_model_that_asks_a_person_pays_for_the_human_in_the_loop(model_yaml):
    code = (
        "import sys, pathlib; from airflow_mlops.factory import load_file\n"
        "load_file(pathlib.Path(sys.argv[1]))\n"
        "print([name for name in sys.modules if 'hitl' in name and name.startswith('airflow.providers')])"
    )

    def loaded(level):
        path = str(model_yaml(level=level))
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    assert loaded(2) == "[]"
    assert "hitl" in loaded(1)


@pytest.mark.slow
def test_parsing_loads_no_heavy_library(model_yaml):
    code = (
        "import sys, pathlib; from airflow_mlops.factory import load_file\n"
        "load_file(pathlib.Path(sys.argv[1]))\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'mlflow', 'evidently', 'great_expectations', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    path = str(model_yaml(level=3))
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_rendering_registers_nothing_with_airflow(model_yaml):
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    loaded = load_model(model_yaml(level=3))
    DagContext.autoregistered_dags.clear()
    render(compile_plan(loaded.config, loaded.digest), loaded.config)
    assert not DagContext.autoregistered_dags


def test_one_dag_can_be_rendered_alone(model_yaml):
    assert list(load_file(model_yaml(level=3), only="rain.deploy")) == ["rain.deploy"]


def test_every_step_of_the_plan_has_its_operator():
    from typing import get_args

    from airflow_mlops.plan.graph import StepName

    assert PARTS.keys() == set(get_args(StepName))
    for part in PARTS.values():
        assert part.load().__name__ == part.operator


def test_the_edges_and_groups_are_those_that_airflow_itself_would_have_drawn(model_yaml):
    """The factory draws them without Airflow's ``set_upstream``, which costs more than all the rest."""
    for dag in load_file(model_yaml(level=3)).values():
        drawn = {
            task.task_id: (set(task.upstream_task_ids), set(task.downstream_task_ids)) for task in dag.tasks
        }
        for task in dag.tasks:
            task.set_upstream([dag.get_task(name) for name in sorted(task.upstream_task_ids)])
        again = {
            task.task_id: (set(task.upstream_task_ids), set(task.downstream_task_ids)) for task in dag.tasks
        }
        assert again == drawn
        assert all(task.dag is dag for task in dag.tasks)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_params_are_valid_and_reach_the_tasks_though_no_task_carries_them(model_yaml, level):
    from airflow.sdk.definitions.param import process_params

    for dag in load_file(model_yaml(level=level)).values():
        if dag.dag_id == "rain.rollback":  # whoever starts it must give a reason
            dag.params["reason"] = "wrong prices"
        values = dag.params.validate()
        for task in dag.tasks:
            assert set(task.params) == ({"reason"} if task.task_id == "approve" else set())  # a form's own
            assert process_params(dag, task, {}, suppress_exception=False) == values
