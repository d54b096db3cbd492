"""Pools, failures and deadlines, on a real scheduler: who waits, and who is told."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

TELL = "alerts: {on_failure: [{type: webhook, conn_id: alerts, endpoint: hooks/mlops}]%s}\n"


@pytest.fixture(scope="module")
def ready(place):
    place.make_pool("training")
    place.model(
        "swims", "{}", execution="retries: 0, pool: training, pool_slots: 2, priority_weight: 7, queue: big"
    )
    place.model("stranded", "{}", execution="pool: nowhere", more=TELL % ", deadline: {train: 1 second}")
    place.model("breaks", "{}", path="nothing.parquet", more=TELL % "")
    place.parsed(["swims", "stranded", "breaks"])
    place.schedule()
    for name in ("swims", "stranded", "breaks"):
        place.pause(f"{name}.train", paused=False)
    place.runs_by_hand = {
        name: place.trigger(f"{name}.train", {}) for name in ("swims", "stranded", "breaks")
    }
    return place


def test_tasks_run_in_the_pool_with_the_slots_the_priority_and_the_queue_of_the_yaml(ready):
    assert ready.finished("swims.train", ready.runs_by_hand["swims"]) == "success"
    found = ready.ask(
        "select distinct pool, pool_slots, queue from task_instance where dag_id = 'swims.train'"
    )
    assert found == [("training", 2, "big")]


def test_whoever_the_yaml_names_is_told_of_a_task_that_failed(ready):
    run_id = ready.runs_by_hand["breaks"]
    assert ready.finished("breaks.train", run_id) == "failed"
    (said,) = ready.wait(lambda: ready.listener.of("breaks.train"), "the webhook is posted")
    assert said.pop("text").startswith(
        f"breaks.train: task snapshot failed in run {run_id} (try 1). Log: http"
    )
    url = said.pop("url")
    assert url.startswith(ready.site.url("airflow"))
    assert "/dags/breaks.train/runs/" in url
    assert url.endswith("/tasks/snapshot?try_number=1")
    assert said == {
        "event": "task_failed",
        "dag_id": "breaks.train",
        "run_id": run_id,
        "task_id": "snapshot",
        "map_index": -1,
        "try_number": 1,
        "error": "AirflowFailException",
        "owner": "weather",
    }
    path, token, _ = next(post for post in ready.listener.posts if post[2]["dag_id"] == "breaks.train")
    assert (path, token) == ("/hooks/mlops", "Bearer wasp")


def test_tasks_of_a_pool_that_is_not_there_wait_and_the_scheduler_says_so(ready):
    log = ready.site.logs / "scheduler.log"
    said = "Tasks using non-existent pool 'nowhere' will not be scheduled"
    ready.wait(lambda: said in log.read_text(errors="replace"), "the scheduler warns of the pool")
    assert ready.tasks("stranded.train", ready.runs_by_hand["stranded"])["snapshot"] in ("none", "scheduled")


def test_a_run_that_is_late_is_told_of_while_it_still_waits(ready):
    (said,) = ready.wait(lambda: ready.listener.of("stranded.train"), "the deadline is told of")
    run_id = ready.runs_by_hand["stranded"]
    assert said["event"] == "deadline_missed"
    assert (said["run_id"], said["owner"]) == (run_id, "weather")
    assert said["text"].startswith(f"stranded.train: run {run_id} is not over after 1 second. Page: http")
    assert said["url"].startswith(f"{ready.site.url('airflow')}/dags/stranded.train/runs/manual__")
