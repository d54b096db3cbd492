"""The picture of the DAGs: tasks, order, groups, triggers and pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.plan.graph import DagPlan, Plan, StepName, TaskNode
from airflow_mlops.plan.step_docs import STEP_DOCS
from airflow_mlops.plan.stored import plan_from_json, plan_to_json
from airflow_mlops.plan.trigger_words import trigger_in_words

MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
WATCHED = (
    "schedule: {cron: '@monthly', start: 2020-01-01, end: 2021-01-01, timezone: Europe/Paris,\n"
    "  catchup: true}\n"
    "monitor:\n  cron: '@daily'\n  labels: {source: {type: parquet, path: l.parquet}}\n"
    "  performance: {metric: roc_auc}\n"
)


def plan_of(folder: Path, more: str = "") -> Plan:
    path = folder / "wine.yaml"
    path.write_text(MINIMAL + more)
    loaded = load_model(path)
    return compile_plan(loaded.config, loaded.digest)


def dag_of(plan: Plan, role: str) -> DagPlan:
    return next(dag for dag in plan.dags if dag.role == role)


def edges(dag: DagPlan) -> dict[str, tuple[str, ...]]:
    return {task.full_id: task.upstream for task in dag.tasks}


def emitted(dag: DagPlan) -> dict[str, str]:
    return {task.full_id: task.emits for task in dag.tasks if task.emits}


def test_a_level_1_model_trains_and_is_deployed_by_hand_with_approval(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert [dag.dag_id for dag in plan.dags] == ["wine.train", "wine.deploy", "wine.rollback"]
    assert edges(plan.dags[0]) == {
        "snapshot": (),
        "validate": ("snapshot",),
        "train": ("validate",),
        "evaluate": ("train",),
        "gate": ("evaluate",),
        "register": ("gate",),
        "announce_challenger": ("register",),
    }
    assert edges(plan.dags[1])["shadow"] == ("approve",)
    assert edges(plan.dags[1])["approve"] == ("smoke_serve",)
    assert all(dag.trigger.assets == () and dag.trigger.cron is None for dag in plan.dags)


@pytest.mark.parametrize("rule", ["on_fail", "on_inconclusive"])
def test_a_person_may_review_what_the_gates_held_before_it_is_registered(tmp_path: Path, rule: str) -> None:
    told = "review: {notify: [{type: webhook, conn_id: ops}]}"
    text = MINIMAL.replace("gates:\n", f"gates:\n  {rule}: ask\n  {told}\n")
    (tmp_path / "wine.yaml").write_text(text)
    loaded = load_model(tmp_path / "wine.yaml")
    train = dag_of(compile_plan(loaded.config, loaded.digest), "train")
    assert (edges(train)["review"], edges(train)["register"]) == (("gate",), ("review",))
    (review,) = [task for task in train.tasks if task.step == "review"]
    assert review.settings == {"notify": [{"type": "webhook", "conn_id": "ops", "endpoint": ""}]}
    word = {"on_fail": "fails", "on_inconclusive": "is inconclusive"}[rule]
    assert f"**Asks** a person who may override the gates where one {word}." in train.doc


def test_a_model_that_is_scored_in_batches_has_a_dag_for_it(tmp_path: Path) -> None:
    more = (
        "deploy: {target: {type: batch}}\n"
        "score:\n  schedule: {cron: '@daily', start: 2026-01-01, timezone: Europe/Paris, catchup: true}\n"
        "  champion: then\n  shadow_share: 0.1\n"
        "alerts: {on_failure: [{type: webhook, conn_id: ops}], deadline: {score: 2 hours}}\n"
    )
    plan = plan_of(tmp_path, more)
    score = dag_of(plan, "score")
    assert edges(score) == {
        "choose_partitions": (),
        "score": ("choose_partitions",),
        "announce_predictions": ("score",),
    }
    assert emitted(score) == {"announce_predictions": "wine/predictions"}
    assert (score.trigger.cron, score.trigger.timezone, score.trigger.catchup) == (
        "@daily",
        "Europe/Paris",
        True,
    )
    assert score.deadline_seconds == 7_200
    assert "each day of rows with the version that was champion when the partition ended" in score.doc
    assert "`predictions/wine/date=<partition>`" in score.doc
    assert "**Shadows** a challenger, if there is one, on 10 % of the rows." in score.doc
    deploy = dag_of(plan, "deploy")
    assert edges(deploy)["conclude"] == ("shadow",)
    assert "shadow, then all of the rows" in deploy.doc


def test_a_level_2_model_is_tried_on_a_sample_and_deployed_by_its_asset(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "level: 2\n")
    train, deploy, _, monitor = plan.dags
    assert edges(train)["preflight.contracts"] == edges(train)["preflight.sample_run"] == ("snapshot",)
    assert edges(train)["train"] == ("validate", "preflight.contracts", "preflight.sample_run")
    assert train.trigger.assets == ()
    assert deploy.trigger.assets == ("wine/challenger",)
    assert "approve" not in edges(deploy)
    assert list(edges(monitor)) == ["collect", "data_quality", "drift", "announce_drift", "decide"]


def test_tests_of_the_model_are_a_task_of_their_own_where_the_file_names_some(tmp_path: Path) -> None:
    train = dag_of(plan_of(tmp_path, "level: 2\npreflight: {tests: [wine/tests]}\n"), "train")
    assert edges(train)["preflight.model_tests"] == ("snapshot",)
    assert "preflight.model_tests" in edges(train)["train"]


@pytest.mark.parametrize(("level", "enabled"), [(1, True), (2, False)])
def test_the_file_decides_about_the_preflight_against_its_level(
    tmp_path: Path, level: int, enabled: bool
) -> None:
    text = f"level: {level}\npreflight: {{enabled: {str(enabled).lower()}}}\n"
    train = dag_of(plan_of(tmp_path, text), "train")
    assert any(name.startswith("preflight.") for name in edges(train)) is enabled


def test_a_rollout_goes_through_shadow_and_rising_weights_to_one_of_two_ends(tmp_path: Path) -> None:
    deploy = dag_of(plan_of(tmp_path, "level: 2\ndeploy: {steps: [0.1, 0.125, 0.5]}\n"), "deploy")
    assert edges(deploy) == {
        "take_challenger": (),
        "smoke_serve": ("take_challenger",),
        "shadow": ("smoke_serve",),
        "canary.weight_10": ("shadow",),
        "canary.weight_12_5": ("canary.weight_10",),
        "canary.weight_50": ("canary.weight_12_5",),
        "conclude": ("canary.weight_50",),
        "promote": ("conclude",),
        "roll_back": ("conclude",),
        "announce_champion": ("promote",),
    }
    weights = [task.settings["weight"] for task in deploy.tasks if task.step == "canary"]
    assert weights == [0.1, 0.125, 0.5]
    conclude = next(task for task in deploy.tasks if task.step == "conclude")
    assert conclude.settings["verdicts"][:2] == ["smoke_serve", "shadow"]
    assert "12.5 % of the rows" in next(task.doc for task in deploy.tasks if task.task_id == "weight_12_5")


def test_assets_and_a_request_close_the_loop_at_level_3(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, WATCHED + "level: 3\n")
    train, deploy, _, monitor = plan.dags
    assert emitted(train) == {"announce_challenger": "wine/challenger"}
    assert emitted(deploy) == {"announce_champion": "wine/champion"}
    assert emitted(monitor) == {
        "announce_drift": "wine/drift",
        "announce_decay": "wine/decay",
        "request_retraining": "wine/retrain",
    }
    assert train.trigger.assets == ()
    request = next(task for task in monitor.tasks if task.step == "request_retraining")
    assert request.settings == {"train_dag_id": "wine.train"}
    assert deploy.trigger.assets == ("wine/challenger",)
    assert edges(monitor)["decide"] == ("data_quality", "drift", "performance")
    assert edges(monitor)["announce_drift"] == ("data_quality", "drift")
    assert edges(monitor)["announce_decay"] == ("data_quality", "performance")


def test_the_schedule_reaches_train_whole_and_monitor_without_catching_up(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, WATCHED)
    train, monitor = dag_of(plan, "train").trigger, dag_of(plan, "monitor").trigger
    assert (train.cron, train.timezone, train.catchup) == ("@monthly", "Europe/Paris", True)
    assert (monitor.cron, monitor.timezone, monitor.catchup) == ("@daily", "Europe/Paris", False)
    assert train.start == monitor.start is not None
    assert train.end == monitor.end is not None
    assert "request_retraining" not in edges(dag_of(plan, "monitor"))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_tasks_wait_only_for_tasks_above_them_and_ids_are_unique(tmp_path: Path, level: int) -> None:
    for dag in plan_of(tmp_path, f"{WATCHED}level: {level}\n").dags:
        above: set[str] = set()
        for task in dag.tasks:
            assert set(task.upstream) <= above, task
            assert task.full_id not in above
            above.add(task.full_id)
        assert sum(not task.upstream for task in dag.tasks) == 1


def test_two_compilations_are_equal(tmp_path: Path) -> None:
    assert plan_of(tmp_path, WATCHED) == plan_of(tmp_path, WATCHED)


def test_every_step_has_a_page_that_says_what_it_does_in_a_few_sentences() -> None:
    assert set(STEP_DOCS) == set(get_args(StepName))
    for step, doc in STEP_DOCS.items():
        assert doc.endswith("."), step
        assert 40 < len(doc) < 400, step


def test_the_page_of_a_schedule_that_ends_says_when_and_how_to_run_it_by_hand_afterwards(
    tmp_path: Path,
) -> None:
    train, deploy, *_ = plan_of(tmp_path, WATCHED).dags
    assert "The schedule ends on 2021-01-01" in train.doc
    assert "runs by hand go on" in train.doc
    assert "ends on" not in deploy.doc


def test_a_dags_page_says_model_schedule_gates_policy_and_owner(tmp_path: Path) -> None:
    more = WATCHED + "level: 3\nowner: cellar\ndescription: Is this wine good?\nretraining: {k: 2, n: 3}\n"
    train, deploy, rollback, monitor = (dag.doc for dag in plan_of(tmp_path, more).dags)
    assert all("Is this wine good?" in doc and "**Owner**: cellar" in doc for doc in (train, deploy, monitor))
    assert "every month on day 1 at 00:00 (Europe/Paris)" in train
    assert "**Started as well** by `wine.monitor`, by the retraining policy" in train
    assert "- `roc_auc` at least 0.6" in train
    assert "- `log_loss` no worse than the champion's by more than 0.01" in train
    assert "all rows since 2020-01-01; the newest 30 days are held out" in train
    assert "shadow, then 10 %, 50 % of the rows, then all" in deploy
    assert rollback.startswith("Puts an earlier champion back of `wine`.")
    assert "on drift or decay in 2 of the last 3 windows" in monitor


def test_a_task_outside_a_group_is_named_by_its_own_id() -> None:
    assert TaskNode("train", "train").full_id == "train"
    assert TaskNode("weight_10", "canary", group="canary").full_id == "canary.weight_10"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("{}", "by hand only"),
        ("{cron: '@daily', start: 2026-01-01}", "every day at 00:00 (UTC)"),
        (
            "{cron: '@daily', start: 2026-01-01, partitioned: true}",
            "every day at 00:00 (UTC), a partition for each interval",
        ),
        ("{every: 6 hours, start: 2026-01-01}", "every 6 hours"),
        ("{every: 1 month, start: 2026-01-01}", "every month"),
        ("{timetable: {name: EventsTimetable}, start: 2026-01-01}", "by the timetable `EventsTimetable`"),
        ("{assets: [a, b]}", "when `a` or `b` is updated"),
        ("{assets: {all: [a, [b, c]]}}", "when `a` and (`b` or `c`) have been updated"),
        ("{assets: [a, b], partitioned: true}", "when `a` or `b` has a new partition"),
        (
            "{cron: '@daily', start: 2026-01-01, assets: a, watch: [{type: files, path: inbox/*.csv}]}",
            "every day at 00:00 (UTC), or when `a` is updated, or when files land at `inbox/*.csv`",
        ),
        (
            "{watch: [{type: kafka, params: {topic: t}}]}",
            "when the watcher `kafka` sees something",
        ),
    ],
)
def test_every_form_of_a_schedule_has_words(tmp_path: Path, schedule: str, words: str) -> None:
    train = dag_of(plan_of(tmp_path, f"schedule: {schedule}\n"), "train")
    assert trigger_in_words(train.trigger) == words
    assert f"**Runs** {words}." in train.doc


def test_a_plan_holds_plain_values_only(tmp_path: Path) -> None:
    more = (
        "schedule: {assets: {all: [a, [b, {name: c, uri: 's3://c'}]]}, watch: [{type: files, path: x}]}\n"
        "execution: {timeout: 2 hours, pool: training}\n"
        "alerts: {on_failure: [{type: webhook, conn_id: ops}], deadline: {train: 6 hours}}\n"
    )
    train = dag_of(plan_of(tmp_path, more), "train")
    json.dumps([train.trigger.assets, train.trigger.watch, train.trigger.timetable, train.alerts])
    assert train.trigger.asset_names == ["a", "b", "c", "wine/files"]
    assert (train.running.timeout_seconds, train.running.pool) == (7_200, "training")
    assert train.deadline_seconds == 21_600
    assert (
        "**Tells** webhook (ops) when a task fails for good, or when a run is not over within 6 hours"
        in train.doc
    )


def test_an_ab_test_is_one_step_a_report_and_the_decision(tmp_path: Path) -> None:
    ab = (
        "deploy:\n  strategy: ab\n  steps: [0.3]\n  deadline: 21 days\n"
        "  analysis: {minimum_duration: 14 days, metrics: [{name: orders, query: up, minimum: 1}]}\n"
    )
    deploy = dag_of(plan_of(tmp_path, ab), "deploy")
    tasks = edges(deploy)
    assert tasks["ab.weight_30"] == ("shadow",)
    assert tasks["ab.report"] == ("ab.weight_30",)
    assert tasks["conclude"] == ("ab.weight_30", "ab.report")
    settings = {task.full_id: task.settings for task in deploy.tasks}
    assert settings["ab.report"] == {"weight": 0.3}
    assert settings["conclude"]["verdicts"][-1] == "ab.weight_30"
    assert "30 % of the rows for as long as the test lasts (at least 14 days)" in deploy.doc


def test_findings_are_told_at_the_end_of_each_dag_that_finds_something(tmp_path: Path) -> None:
    routes = "{events: [drift, promoted], to: [{type: webhook, conn_id: ops}]}"
    more = (
        "level: 2\nmonitor: {cron: '@daily'}\nschedule: {start: 2026-01-01}\n"
        "score: {schedule: {cron: '@daily', start: 2026-01-01}}\n"
        f"alerts: {{routes: [{routes}, {{to: [{{type: webhook, conn_id: ops}}]}}]}}\n"
    )
    plan = plan_of(tmp_path, more)
    told = {dag.role: edges(dag).get("tell") for dag in plan.dags}
    assert {role: after[-1] if after else None for role, after in told.items()} == {
        "train": "announce_challenger",
        "deploy": "announce_champion",
        "rollback": "reverse",
        "score": None,
        "monitor": "decide",
    }
    assert told["deploy"] == ("roll_back", "announce_champion")
    (tell,) = [task for task in dag_of(plan, "monitor").tasks if task.step == "tell"]
    assert tell.settings["alerts"]["model"] == "wine"
    assert [route["at_least"] for route in tell.settings["alerts"]["routes"]] == ["info", "warning"]
    assert "**Tells** webhook (ops) of drift, from info on." in dag_of(plan, "monitor").doc
    assert "of promoted, from info on." in dag_of(plan, "deploy").doc
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    assert "tell" not in edges(dag_of(plan_of(tmp_path), "train"))
