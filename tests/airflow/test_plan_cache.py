"""The cache of compiled models: what it saves, what it must notice, and that nothing breaks without it."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib

import pytest
from airflow.serialization.serialized_objects import DagSerialization

import airflow_mlops
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.factory import cache_file, load_dags, one_model
from airflow_mlops.factory.cache_file import CacheFile, Kept

LAYER = "apiVersion: airflow-mlops/v1\n"
SUITE = {"expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "rain"}}]}
WITH_SUITE = "validation: {suite: checks/suite.json}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A new cache for each test."""
    monkeypatch.setenv("AIRFLOW__MLOPS__CACHE_FOLDER", str(tmp_path / ".cache"))
    return tmp_path


@pytest.fixture
def load(folder):
    """Parse the test's folder, or another one, as a process of its own would."""

    def run(where=folder):
        return load_dags({"__file__": str(where / "mlops.py")})

    return run


@pytest.fixture
def for_one_task(monkeypatch):
    def parse_for(dag_id):
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "train")

    return parse_for


def serialised(loaded) -> str:
    return json.dumps([DagSerialization.to_dict(dag) for dag in loaded.dags.values()])


def database(folder):
    return folder / ".cache" / cache_file.NAME


def test_what_has_not_changed_is_not_read_again_and_gives_the_same_bytes(model_yaml, load):
    for level in (1, 2, 3):
        model_yaml(f"rain_{level}", level=level)
    first, second = load(), load()
    assert (first.compiled, second.compiled) == (3, 0)
    assert serialised(first) == serialised(second)


@pytest.mark.parametrize(
    "schedule",
    [
        "{every: 2 hours, start: 2026-01-01, end: 2027-01-01}",
        "{cron: '@daily', start: 2026-03-01, timezone: Europe/Paris, partitioned: true}",
        "{assets: {any: [a, {all: [b, c]}]}}",
        "{timetable: {name: EventsTimetable, params: {event_dates: ['2026-03-01']}}, start: 2026-01-01}",
    ],
)
def test_every_schedule_is_the_same_from_the_cache(model_yaml, load, schedule):
    model_yaml("rain", more=f"schedule: {schedule}\n")
    first, second = load(), load()
    assert not first.problems
    assert (first.compiled, second.compiled) == (1, 0)
    assert serialised(first) == serialised(second)


def test_what_this_airflow_cannot_do_is_told_with_its_line_from_the_cache_too(model_yaml, load):
    path = model_yaml("rain", more="schedule: {timetable: {name: EventTimetable}, start: 2026-01-01}\n")
    told = [load().problems[0].message for _ in range(2)]
    assert told[0] == told[1]
    line = len(path.read_text().splitlines())
    assert f"{path}:{line}:" in told[1]


def test_a_change_of_one_file_among_many_is_one_that_is_read(model_yaml, load):
    for number in range(20):
        model_yaml(f"rain_{number}")
    load()
    model_yaml("rain_7", level=2)
    changed = load()
    assert changed.compiled == 1
    assert "rain_7.monitor" in changed.dags
    assert load().compiled == 0


def test_a_task_runs_with_the_same_configuration_from_the_cache_as_from_the_file(model_yaml, load):
    model_yaml(level=3)
    configured = [load().dags["rain.train"].get_task("train").configured() for _ in range(2)]
    assert configured[0] == configured[1]
    assert configured[0].config.data.label == "rain"


def test_a_folder_in_another_place_is_the_same_folder(model_yaml, load, folder):
    model_yaml("rain", at="v1/rain.yaml")
    load(folder / "v1")
    shutil.copytree(folder / "v1", folder / "v2")
    assert load(folder / "v2").compiled == 0


def write_suite(folder, rows):
    (folder / "checks").mkdir(exist_ok=True)
    (folder / "checks" / "suite.json").write_text(json.dumps({**SUITE, "meta": rows}))


EDITS = {
    "the suite changes": lambda folder: write_suite(folder, 2),
    "defaults appear": lambda folder: (folder / "defaults.yaml").write_text(f"{LAYER}level: 2\n"),
    "defaults change": lambda folder: (folder / "a" / "defaults.yaml").write_text(
        f"{LAYER}retraining: {{n: 2}}\n"
    ),
    "defaults go": lambda folder: (folder / "a" / "defaults.yaml").unlink(),
    "a policy appears": lambda folder: (folder / "policy.yaml").write_text(f"{LAYER}rules: []\n"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_every_file_that_a_model_leans_on_is_watched(model_yaml, load, folder, edit):
    model_yaml("rain", at="a/rain.yaml", more="validation: {suite: checks/suite.json}\n")
    write_suite(folder / "a", 1)
    (folder / "checks").mkdir()
    (folder / "a" / "defaults.yaml").write_text(f"{LAYER}execution: {{retries: 3}}\n")
    load()
    assert load().compiled == 0
    edit(folder / "a" if edit is EDITS["the suite changes"] else folder)
    assert load().compiled == 1


def test_defaults_that_appear_reach_the_dags(model_yaml, load, folder):
    model_yaml("rain")
    load()
    (folder / "defaults.yaml").write_text(f"{LAYER}execution: {{retries: 7}}\n")
    assert load().dags["rain.train"].get_task("train").retries == 7


@pytest.mark.parametrize("option", ["PROFILE", "ALLOWED_IMPORTS"])
def test_what_airflows_configuration_decides_is_watched(model_yaml, load, folder, monkeypatch, option):
    model_yaml("rain")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "prod.yaml").write_text(f"{LAYER}execution: {{retries: 5}}\n")
    load()
    monkeypatch.setenv(f"AIRFLOW__MLOPS__{option}", "prod" if option == "PROFILE" else "sklearn")
    changed = load()
    assert changed.compiled == 1
    assert changed.dags["rain.train"].get_task("train").retries == (5 if option == "PROFILE" else 1)


def test_equal_files_in_folders_with_other_layers_above_are_kept_apart(model_yaml, load, folder):
    """The lower one is known first, and knows nothing of the defaults that count for the other."""
    model_yaml("rain", at="low/rain.yaml")
    load(folder / "low")
    (folder / "high" / "in").mkdir(parents=True)
    (folder / "high" / "defaults.yaml").write_text(f"{LAYER}execution: {{retries: 9}}\n")
    shutil.copy(folder / "low" / "rain.yaml", folder / "high" / "in" / "rain.yaml")
    assert load(folder / "high").dags["rain.train"].get_task("train").retries == 9


def test_another_release_reads_anew(model_yaml, load, monkeypatch):
    model_yaml("rain")
    load()
    monkeypatch.setattr(airflow_mlops, "__version__", "9.9.9")
    assert load().compiled == 1


def test_code_that_was_edited_in_place_reads_anew(model_yaml, load, monkeypatch, tmp_path):
    package = tmp_path / ".package"
    for room in ("config", "core", "plan"):
        (package / room).mkdir(parents=True)
        (package / room / "rules.py").write_text("pass\n")
    monkeypatch.setattr(airflow_mlops, "__file__", str(package / "__init__.py"))
    model_yaml("rain")
    load()
    assert load().compiled == 0
    (package / "plan" / "rules.py").write_text("1 + 1\n")
    assert load().compiled == 1


def test_a_broken_file_is_told_of_every_time(model_yaml, load):
    model_yaml("rain", more="levle: 2\n")
    assert [load().problems[0].message.count("levle") > 0 for _ in range(2)] == [True, True]


def test_a_suite_that_becomes_a_link_out_of_its_folder_is_refused_though_its_bytes_are_known(
    model_yaml, load, folder
):
    model_yaml("rain", at="a/rain.yaml", more=WITH_SUITE)
    write_suite(folder / "a", 1)
    load(folder / "a")
    suite = folder / "a" / "checks" / "suite.json"
    suite.rename(folder / "outside.json")
    suite.symlink_to(folder / "outside.json")
    assert "must lie in the YAML's own folder" in load(folder / "a").problems[0].message


def test_defaults_that_appear_as_a_link_to_nothing_are_told_of(model_yaml, load, folder):
    model_yaml("rain")
    load()
    (folder / "defaults.yaml").symlink_to(folder / "gone.yaml")
    assert "cannot be read" in load().problems[0].message


@pytest.mark.parametrize("damage", ["garbage", "folder", "row", "locked", "emptied"])
def test_a_cache_that_cannot_be_used_is_done_without(model_yaml, load, folder, damage):
    model_yaml("rain")
    dags = serialised(load())
    file = database(folder)
    holder = sqlite3.connect(file)
    match damage:
        case "garbage":
            file.write_bytes(b"not a database" * 1000)
        case "folder":
            file.unlink()
            file.mkdir()
        case "row":
            ((record,),) = holder.execute("select record from plans")
            record = zlib.compress(zlib.decompress(record).replace(b"weather", b"nobody!"))
            holder.execute("update plans set record = ?", (record,))
            holder.commit()
        case "locked":
            holder.execute("begin exclusive")
        case "emptied":
            file.write_bytes(b"")
    found = load()
    assert found.compiled == 1
    assert serialised(found) == dags
    holder.close()
    if damage != "folder":
        load()
        assert load().compiled == 0  # it is mended, too


def test_a_disk_that_is_full_costs_the_cache_and_nothing_else(model_yaml, load, monkeypatch):
    real = sqlite3.connect

    def connect(*args, **options):
        opened = real(*args, **options)
        opened.execute("pragma max_page_count = 1")
        return opened

    monkeypatch.setattr(sqlite3, "connect", connect)
    model_yaml("rain")
    assert [load().compiled for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("reason", ["others may write", "somebody else's"])
def test_a_folder_that_others_may_have_written_to_is_not_trusted(
    model_yaml, load, folder, caplog, monkeypatch, reason
):
    model_yaml("rain")
    (folder / ".cache").mkdir(mode=0o700)
    if reason == "others may write":
        (folder / ".cache").chmod(0o777)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with caplog.at_level(logging.WARNING):
        assert [load().compiled for _ in range(2)] == [1, 1]
    assert "belongs to somebody else or others may write to it" in caplog.text
    assert not database(folder).exists()


def test_a_folder_that_cannot_be_made_costs_the_cache_and_nothing_else(model_yaml, load, folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("AIRFLOW__MLOPS__CACHE_FOLDER", str(folder / "file" / "cache"))
    model_yaml("rain")
    assert [load().compiled for _ in range(2)] == [1, 1]


def test_the_folder_is_its_owners_alone(model_yaml, load, folder):
    model_yaml("rain")
    load()
    assert (folder / ".cache").stat().st_mode & 0o777 == 0o700


def test_an_empty_setting_means_no_cache(model_yaml, load, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__MLOPS__CACHE_FOLDER", "")
    monkeypatch.chdir(tmp_path)
    model_yaml("rain")
    assert [load().compiled for _ in range(2)] == [1, 1]
    assert not list(tmp_path.rglob("*.sqlite"))


def test_the_oldest_rows_make_room(folder, monkeypatch):
    monkeypatch.setattr(cache_file, "MAX_ROWS", 3)
    file = CacheFile.at(folder / ".cache")
    assert file is not None
    for number in range(5):
        file.write_variants([(bytes([number]), Kept(b"v", "[]", b"r", b"c"))])
    assert [len(file.variants(bytes([number]))) for number in range(5)] == [0, 0, 1, 1, 1]
    file.close()


def _write_many(folder, start):
    file = CacheFile.at(folder)
    for number in range(start, start + 40):
        file.write_variants([(number.to_bytes(2), Kept(b"v", "[]", b"r" * 1000, b"c"))])
        file.write_places({f"m{number}": f"{number}.yaml"})
    file.close()


def test_two_processes_write_at_once_and_both_are_kept(folder):
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write_many, args=(folder / ".cache", start)) for start in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0]
    file = CacheFile.at(folder / ".cache")
    kept = sum(len(file.variants(number.to_bytes(2))) for number in (*range(40), *range(100, 140)))
    assert kept >= 40  # a write that would wait too long is left out, which costs one more reading
    assert sqlite3.connect(file.path).execute("pragma integrity_check").fetchone() == ("ok",)
    file.close()


def test_a_task_finds_a_file_of_another_name_without_a_search(model_yaml, load, for_one_task, monkeypatch):
    model_yaml("fog")
    model_yaml("rain", at="winter/forecast.yaml")
    load()
    monkeypatch.setattr(one_model, "find_yaml", lambda *_: pytest.fail("searched"))
    for_one_task("rain.train")
    found = load()
    assert list(found.dags) == ["rain.train"]
    assert found.compiled == 0


def test_a_task_remembers_where_it_found_its_file(model_yaml, load, for_one_task, monkeypatch):
    model_yaml("rain", at="winter/forecast.yaml")
    for_one_task("rain.train")
    load()
    monkeypatch.setattr(one_model, "find_yaml", lambda *_: pytest.fail("searched"))
    assert list(load().dags) == ["rain.train"]


def test_a_file_that_has_moved_is_found_again(model_yaml, load, for_one_task, folder):
    path = model_yaml("rain", at="winter/forecast.yaml")
    load()
    path.rename(folder / "elsewhere.yaml")
    for_one_task("rain.train")
    assert list(load().dags) == ["rain.train"]


def test_a_task_of_a_model_that_broke_since_is_told_why(model_yaml, load, for_one_task):
    model_yaml("rain")
    load()
    model_yaml("rain", more="levle: 2\n")
    for_one_task("rain.train")
    with pytest.raises(ConfigError, match="levle"):
        load()


@pytest.mark.slow
def test_a_task_whose_model_is_known_loads_neither_the_reader_nor_the_types(model_yaml, load, folder):
    model_yaml("rain", level=3)
    load()
    code = (
        "import sys; from airflow_mlops.factory import load_dags\n"
        "print(sorted(load_dags({}, loader_file=sys.argv[1]).dags))\n"
        "print(sorted(name for name in sys.modules if name.startswith('airflow_mlops.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "mlops.py")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "_AIRFLOW_PARSING_CONTEXT_DAG_ID": "rain.deploy"},
    )
    dags, modules = done.stdout.splitlines()[-2:]
    assert dags == "['rain.deploy']"
    for name in (
        "config.models",
        "config.load",
        "config.source",
        "config.quick",
        "plan.compile",
        "steps",
        "backends",
    ):
        assert f"'airflow_mlops.{name}" not in modules


@pytest.mark.slow
def test_importing_the_factory_loads_little():
    code = (
        "import sys; import airflow_mlops.factory\n"
        "print(*sorted(name for name in sys.modules if name.startswith('airflow_mlops.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.splitlines()[-1].split()}
    assert rooms <= {"config", "core", "exceptions", "factory", "get_provider_info", "hooks", "plan"}
    assert "config.models" not in done.stdout
