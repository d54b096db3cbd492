"""Every way to write a schedule, on a real scheduler: a run comes by itself, ends green, with its window. And
pools, failures and deadlines: who waits, and who is told.

One file, and so one Airflow: a second one takes most of a minute to start and to stop.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from airflow_mlops.core.windows import Window

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

UTC = timezone.utc
NOW = datetime.now(UTC)
KOLKATA = ZoneInfo("Asia/Kolkata")
START = f"{NOW - timedelta(days=20):%Y-%m-%d}"
HOUR_AGO = NOW.replace(microsecond=0) - timedelta(hours=1)
DAYS_AGO = [NOW.date() - timedelta(days=number) for number in range(10)]

CLOCKS = {
    "hourly": f'{{cron: "0 * * * *", start: {START}}}',
    "indian": f'{{cron: "@daily", timezone: Asia/Kolkata, start: {START}, assets: raw/o}}',
    "shifts": f"{{every: 6 hours, start: {START}, end: {NOW.year + 1}-12-31}}",
    "events": (
        f"{{timetable: {{name: EventsTimetable, params: {{event_dates: [{HOUR_AGO:%Y-%m-%dT%H:%M:%SZ}]}}}}, "
        f"start: {START}, catchup: true}}"
    ),
    "plugged": f"{{timetable: {{name: LastHours, params: {{hours: 12}}}}, start: {START}}}",
    "parts": f'{{cron: "@daily", timezone: Asia/Kolkata, start: {START}, partitioned: true}}',
}
EVENTS = {
    "any_of": "{assets: [raw/a, raw/b]}",
    "all_of": "{assets: {all: [raw/c, {any: [raw/d, {name: raw/e, uri: 's3://raw/e'}]}]}}",
    "keyed": "{assets: raw/k, partitioned: true}",
    "moments": "{assets: raw/m, partitioned: true, partition_length: 1 day}",
    "inbox": "{watch: [{type: files, path: inbox/*.parquet, poll_interval: 1 second}]}",
    "by_hand": "{}",
}
HOOK = "{type: webhook, conn_id: alerts, endpoint: hooks/mlops}"
TELL = f"alerts: {{on_failure: [{HOOK}], routes: [{{to: [{HOOK}]}}]%s}}\n"
BY_HAND = ("swims", "stranded", "breaks")
BACK = DAYS_AGO[8]
BACKFILLS = {
    "hourly": timedelta(hours=1),
    "indian": timedelta(hours=18.5 + 24),
    "shifts": timedelta(hours=6),
    "plugged": timedelta(hours=12),
    "parts": timedelta(hours=18.5),
}
UPDATES = [
    ("raw/b", None),
    ("raw/c", None),
    ("raw/c", None),
    ("raw/e", None),
    ("raw/k", f"{DAYS_AGO[4]}"),
    ("raw/m", f"{DAYS_AGO[5]}T00:00:00"),
    ("raw/o", None),
]


def floor(moment: datetime, hours: int) -> datetime:
    seconds = hours * 3600
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def midnight(days_ago: int, zone: ZoneInfo | timezone = UTC, *, now: datetime = NOW) -> datetime:
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=days_ago)).astimezone(UTC)


def as_of(end: datetime) -> Window:
    """The rows of a model that is trained as of a moment."""
    return Window(end - timedelta(days=60), end)


@pytest.fixture(scope="module")
def ready(place):
    """All models parsed and unpaused, their triggers in place."""
    (place.site.store / "inbox").mkdir()
    for name, schedule in {**CLOCKS, **EVENTS}.items():
        # A rollout that starts by itself, without the preflight's minute.
        more = "preflight: {enabled: false}" if name == "parts" else ""
        place.model(name, schedule, level=2 if name == "parts" else 1, more=more)
    place.make_pool("training")
    place.model(
        "swims", "{}", execution="retries: 0, pool: training, pool_slots: 2, priority_weight: 7, queue: big"
    )
    place.model("stranded", "{}", execution="pool: nowhere", more=TELL % ", deadline: {train: 1 second}")
    place.model("breaks", "{}", path="nothing.parquet", more=TELL % "")
    names = [*CLOCKS, *EVENTS, *BY_HAND]
    place.parsed(names)
    for dag_id in [*(f"{name}.train" for name in names), "parts.deploy"]:
        place.pause(dag_id, paused=False)
    for name, key in UPDATES:
        place.update_asset(name, key)
    place.runs_by_hand = {name: place.trigger(f"{name}.train", {}) for name in BY_HAND}
    _back_fill(place)
    place.schedule()
    return place


def _back_fill(place) -> None:
    """The first by the command, the others by what the command does: each takes seconds to start."""
    dates = ["--from-date", f"{BACK}", "--to-date", f"{BACK}"]
    place.command("backfill", "create", "--dag-id", "hourly.train", *dates, "--max-active-runs", "1")
    for name in BACKFILLS:
        if name != "hourly":
            last = midnight(8) + timedelta(hours=23 if name == "indian" else 0)
            place.backfill(f"{name}.train", midnight(8), last)


@pytest.mark.parametrize("name", BACKFILLS)
def test_what_has_intervals_can_be_backfilled_as_of_the_end_of_each(ready, name):
    run_id = ready.run_of(f"{name}.train", "backfill")
    assert ready.as_of(f"{name}.train", run_id) == as_of(midnight(8) + BACKFILLS[name])


@pytest.mark.parametrize(
    ("name", "end_at"),
    [
        ("hourly", lambda now: floor(now, 1)),
        ("indian", lambda now: midnight(0, KOLKATA, now=now)),
        ("shifts", lambda now: floor(now, 6)),
        ("events", lambda now: HOUR_AGO),
        ("plugged", lambda now: floor(now, 12)),
        ("parts", lambda now: midnight(0, KOLKATA, now=now)),
    ],
)
def test_a_clock_starts_a_run_for_the_interval_that_is_over(ready, name, end_at):
    """Over when this file was read, or since: an hour may have struck while Airflow came up."""
    run_id = ready.run_of(f"{name}.train", "scheduled")
    assert ready.window(f"{name}.train", run_id) in [as_of(end_at(now)) for now in (NOW, datetime.now(UTC))]


def test_a_partitioned_run_has_its_interval_for_a_key_and_starts_the_rollout(ready):
    run_id = ready.run_of("parts.train", "scheduled")
    today = {now.astimezone(KOLKATA).date() for now in (NOW, datetime.now(UTC))}
    ((key,),) = ready.ask(f"select partition_key from dag_run where run_id = '{run_id}'")
    assert key in {str(day - timedelta(days=1)) for day in today}
    rollout = ready.run_of("parts.deploy", "asset_triggered")
    assert ready.ask(f"select partition_key from dag_run where run_id = '{rollout}'") == [(key,)]


def test_any_of_several_assets_is_enough(ready):
    run_id = ready.run_of("any_of.train", "asset_triggered")
    window = ready.window("any_of.train", run_id)
    assert NOW <= window.end <= datetime.now(UTC)
    assert window.start == window.end - timedelta(days=60)
    assert ready.snapshot("any_of.train", run_id)["causes"] == ["asset raw/b was updated"]


def test_all_assets_means_all(ready):
    run_id = ready.run_of("all_of.train", "asset_triggered")
    assert ready.snapshot("all_of.train", run_id)["causes"] == [
        "asset raw/c was updated", "asset raw/e was updated",
    ]  # fmt: skip
    assert ready.runs_of("all_of.train") == 1


def test_a_partition_of_an_asset_is_the_window(ready):
    run_id = ready.run_of("keyed.train", "asset_triggered")
    assert ready.window("keyed.train", run_id) == as_of(midnight(3))


def test_a_key_that_names_a_moment_begins_a_partition_of_the_given_length(ready):
    run_id = ready.run_of("moments.train", "asset_triggered")
    assert ready.window("moments.train", run_id) == as_of(midnight(4))


def test_an_asset_starts_a_model_that_has_a_cron_as_well(ready):
    window = ready.window("indian.train", ready.run_of("indian.train", "asset_triggered"))
    assert NOW <= window.end <= datetime.now(UTC)


def test_a_file_that_lands_starts_one_run_and_a_triggerer_that_is_restarted_no_other(ready):
    inbox = ready.site.store / "inbox"
    watching = lambda: ready.ask("select key from asset_state_store where key = 'new_files'")  # noqa: E731
    ready.wait(watching, "the triggerer watches the folder")
    (inbox / ".being-written").write_text("half")
    (inbox / "one.parquet").write_text("whole")
    run_id = ready.run_of("inbox.train", "asset_triggered")
    assert ready.snapshot("inbox.train", run_id)["causes"] == ["asset inbox/files was updated"]

    ready.stop("triggerer")
    (inbox / "two.parquet").write_text("while nobody looked")
    ready.start("triggerer")
    ready.wait(lambda: ready.runs_of("inbox.train") == 2, "the second file starts a run")
    events = ready.ask(
        "select e.extra from asset_event e join asset on asset.id = asset_id where asset.name = 'inbox/files'"
    )
    assert len(events) == 2
    assert ["one.parquet" in extra for (extra,) in events] == [True, False]


def test_a_person_gives_window_and_reason(ready):
    run_id = ready.trigger("by_hand.train", {"window_end": f"{DAYS_AGO[3]}", "reason": "the label was wrong"})
    assert ready.window("by_hand.train", run_id) == as_of(midnight(3))
    assert ready.snapshot("by_hand.train", run_id)["causes"] == ["manual run: the label was wrong"]


@pytest.mark.parametrize("name", EVENTS)
def test_what_has_no_intervals_cannot_be_backfilled_and_airflow_says_so(ready, name):
    said = ready.refused_backfill(f"{name}.train", midnight(8), midnight(8))
    assert "has a non-periodic schedule that does not support backfills" in said


def test_tasks_run_in_the_pool_with_the_slots_the_priority_and_the_queue_of_the_yaml(ready):
    assert ready.finished("swims.train", ready.runs_by_hand["swims"]) == "success"
    found = ready.ask(
        "select distinct pool, pool_slots, queue from task_instance where dag_id = 'swims.train'"
    )
    assert found == [("training", 2, "big")]


def test_whoever_the_yaml_names_is_told_of_a_task_that_failed(ready):
    run_id = ready.runs_by_hand["breaks"]
    assert ready.finished("breaks.train", run_id) == "failed"  # although the task that tells is done
    (said,) = ready.wait(lambda: ready.told("breaks.train", "task_failed"), "the webhook is posted")
    text, cause, next_step = (said.pop(name) for name in ("text", "cause", "next_step"))
    assert text.startswith(
        f"breaks.train: task snapshot failed in run {run_id} (try 1). Cause: data (DataRefused). "
        f"Next: {next_step}"
    )
    assert "Log: http" in text
    assert cause == "data"
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
    (said,) = ready.wait(lambda: ready.told("stranded.train", "deadline_missed"), "the deadline is told of")
    run_id = ready.runs_by_hand["stranded"]
    assert said["event"] == "deadline_missed"
    assert (said["run_id"], said["owner"]) == (run_id, "weather")
    assert said["text"].startswith(f"stranded.train: run {run_id} is not over after 1 second. Page: http")
    assert said["url"].startswith(f"{ready.site.url('airflow')}/dags/stranded.train/runs/manual__")
