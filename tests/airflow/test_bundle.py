"""The bundle of a plain folder: what a snapshot holds, when a new one is taken, and who finds it again."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path
from pydoc import locate

import pytest
from airflow.dag_processing.bundles import base, manager
from airflow.sdk import DAG

from airflow_mlops.bundles import reading
from airflow_mlops.bundles.archive import KEPT_AT_LEAST, Archive
from airflow_mlops.bundles.folder import ConfigFolderBundle
from airflow_mlops.bundles.snapshot import LOADER, Snapshot
from airflow_mlops.config.tree import find_configs
from airflow_mlops.exceptions import BundleRefused, StoreUnavailable
from airflow_mlops.factory import load_dags

DAY = 86_400


@pytest.fixture
def folder(tmp_path):
    """Where ``model_yaml(at="models/...")`` writes."""
    made = tmp_path / "models"
    made.mkdir()
    return made


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """Airflow's storage of bundles on this machine, and the store that all machines see."""
    storage = tmp_path / "storage"
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(storage))
    monkeypatch.setattr(base, "STALE_BUNDLE_TRACKING_FOLDER", storage / "_tracking")
    monkeypatch.setenv("AIRFLOW__MLOPS__STORE", str(tmp_path / "store"))
    return storage


@pytest.fixture
def bundle(folder):
    def make(version: str | None = None, **more) -> ConfigFolderBundle:
        made = ConfigFolderBundle(name="models", path=str(folder), version=version, **more)
        made.initialize()
        return made

    return make


def version(bundle):
    current = bundle.get_current_version()
    return getattr(current, "version", current)


def names(bundle):
    return {path.relative_to(bundle.path).as_posix() for path in bundle.path.rglob("*") if path.is_file()}


def dags(bundle, loader="mlops_loader.py"):
    namespace = {"__file__": str(bundle.path / loader)}
    load_dags(namespace)
    return {value.dag_id for value in namespace.values() if isinstance(value, DAG)}


def settle(folder):
    """As if all files were written yesterday."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - DAY,) * 2, follow_symlinks=False)


def test_a_yaml_without_any_python_becomes_dags(model_yaml, bundle):
    model_yaml("rain", at="models/rain.yaml")
    model_yaml("snow", at="models/winter/snow.yml")
    made = bundle()
    assert names(made) == {"rain.yaml", "winter/snow.yml", "mlops_loader.py"}
    assert dags(made) == {
        "rain.train",
        "rain.deploy",
        "rain.rollback",
        "snow.train",
        "snow.deploy",
        "snow.rollback",
    }


def test_the_loader_that_is_written_is_the_one_that_is_shipped():
    assert (Path(__file__).parents[2] / "dags" / "mlops.py").read_text() == LOADER


def test_a_folder_with_a_loader_gets_no_second_one(model_yaml, bundle, folder):
    model_yaml("rain", at="models/rain.yaml")
    (folder / "mine.py").write_text(LOADER)
    assert names(bundle()) == {"rain.yaml", "mine.py"}


def test_a_file_that_has_the_loaders_name_is_not_written_over(model_yaml, bundle, folder):
    model_yaml("rain", at="models/rain.yaml")
    (folder / "mlops_loader.py").write_text("# load_dags() was called here\n")
    made = bundle()
    assert names(made) == {"rain.yaml", "mlops_loader.py", "_mlops_loader.py"}
    assert dags(made, "_mlops_loader.py") == {"rain.train", "rain.deploy", "rain.rollback"}


def test_a_folder_without_models_gets_no_loader(bundle, folder):
    (folder / "compose.yaml").write_text("services: {}\n")
    assert names(bundle()) == {"compose.yaml"}


def test_hidden_files_and_other_kinds_stay_out(model_yaml, bundle, folder):
    model_yaml("rain", at="models/rain.yaml")
    model_yaml("fog", at="models/.git/fog.yaml")
    for name in (".hidden.yaml", "rain.parquet", "notes.md", "__pycache__/rain.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x: 1\n")
    (folder / "suite.json").write_text("{}")
    (folder / "code.py").write_text("X = 1\n")
    assert names(bundle()) == {"rain.yaml", "suite.json", "code.py", "mlops_loader.py"}


def test_more_kinds_of_files_can_be_asked_for(bundle, folder):
    (folder / "query.sql").write_text("select 1")
    assert names(bundle()) == set()
    assert names(bundle(suffixes=[".sql"])) == {"query.sql"}


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern")  # Airflow's own
@pytest.mark.parametrize(("syntax", "pattern"), [("glob", "drafts/\nold.*"), ("regexp", "drafts/.*\nold")])
def test_an_ignored_yaml_makes_no_dags_and_ignored_python_can_still_be_imported(
    model_yaml, bundle, folder, monkeypatch, syntax, pattern
):
    monkeypatch.setenv("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", syntax)
    model_yaml("rain", at="models/rain.yaml")
    model_yaml("fog", at="models/drafts/fog.yaml")
    model_yaml("old", at="models/old.yaml")
    (folder / "drafts" / "code.py").write_text("X = 1\n")
    (folder / ".airflowignore").write_text(pattern)
    made = bundle()
    assert names(made) == {"rain.yaml", "drafts/code.py", ".airflowignore", "mlops_loader.py"}
    assert dags(made) == {"rain.train", "rain.deploy", "rain.rollback"}


def test_the_version_is_of_names_and_contents_and_of_nothing_else(model_yaml, bundle, folder, tmp_path):
    model_yaml("rain", at="models/rain.yaml")
    first = version(bundle())
    settle(folder)
    shutil.copytree(folder, tmp_path / "other place")
    elsewhere = ConfigFolderBundle(name="other", path=str(tmp_path / "other place"))
    elsewhere.initialize()
    assert version(bundle()) == version(elsewhere) == first
    (folder / "rain.yaml").rename(folder / "rain.yml")
    renamed = version(bundle())
    (folder / "rain.yml").write_text((folder / "rain.yml").read_text() + "# a comment\n")
    assert len({first, renamed, version(bundle())}) == 3


def test_names_and_contents_cannot_be_shifted_into_each_other():
    assert (
        len({Snapshot(files).version for files in ({"ab": b"c"}, {"a": b"bc"}, {"a": b"", "b": b"c"})}) == 3
    )


def test_an_edit_gives_a_new_snapshot_and_leaves_the_old_one_as_it_was(model_yaml, bundle, folder):
    path = model_yaml("rain", at="models/rain.yaml")
    made = bundle()
    first, before = version(made), path.read_text()
    path.write_text(before.replace("level: 1", "level: 2"))
    model_yaml("snow", at="models/snow.yaml")
    made.refresh()
    assert version(made) != first
    assert "level: 2" in (made.path / "rain.yaml").read_text()

    pinned = bundle(first)
    assert version(pinned) == first
    assert (pinned.path / "rain.yaml").read_text() == before
    assert dags(pinned) == {"rain.train", "rain.deploy", "rain.rollback"}


def test_a_folder_that_did_not_change_is_only_looked_at(model_yaml, bundle, folder, monkeypatch):
    monkeypatch.setattr(reading, "_TICK_NS", 0)
    model_yaml("rain", at="models/rain.yaml")
    made = bundle()
    made.refresh()
    read = []
    monkeypatch.setattr("airflow_mlops.bundles.reading._content", read.append)
    made.refresh()
    assert read == []


def test_an_edit_of_equal_length_and_time_is_noticed(model_yaml, bundle, monkeypatch):
    monkeypatch.setattr(reading, "_TICK_NS", 0)
    path = model_yaml("rain", at="models/rain.yaml")
    moment = path.stat().st_mtime_ns
    made = bundle()
    first = version(made)
    path.write_text(path.read_text().replace("owner: weather", "owner: Weather"))
    os.utime(path, ns=(moment, moment))
    made.refresh()
    assert version(made) != first


def test_a_file_written_a_moment_ago_is_read_again_at_the_next_look(model_yaml, folder):
    model_yaml("rain", at="models/rain.yaml")
    assert reading.list_folder(folder).stamp is None


def test_what_changes_while_it_is_read_is_read_again(model_yaml, folder, monkeypatch):
    path = model_yaml("rain", at="models/rain.yaml")
    real, edits = reading._content, iter(["second\n"])

    def read(file):
        body = real(file)
        for text in edits:
            path.write_text(text)
            break
        return body

    monkeypatch.setattr(reading, "_content", read)
    files, _, _ = reading.read_folder(folder)
    assert files == {"rain.yaml": b"second\n"}


def test_a_link_out_of_the_folder_is_an_error_of_its_own_and_nothing_else_suffers(
    model_yaml, bundle, folder, tmp_path
):
    model_yaml("rain", at="models/rain.yaml")
    secret = model_yaml("secret", at="elsewhere/secret.yaml")
    (folder / "secret.yaml").symlink_to(secret)
    (folder / "more").symlink_to(secret.parent)
    (folder / "gone.yaml").symlink_to(tmp_path / "gone")
    made = bundle()
    refused = {"secret.yaml.refused.py", "more.refused.py", "gone.yaml.refused.py"}
    assert names(made) == {"rain.yaml", "mlops_loader.py"} | refused
    assert dags(made) == {"rain.train", "rain.deploy", "rain.rollback"}
    text = (made.path / "secret.yaml.refused.py").read_text()
    with pytest.raises(Exception, match=f"secret.yaml is left out.*link to {secret}, outside of the bundle"):
        exec(compile(text, "secret.yaml.refused.py", "exec"))
    assert "airflow" in text.lower()
    assert "dag" in text.lower()  # or Airflow's safe mode would never show it


def test_links_inside_the_folder_are_followed_as_a_mounted_configmap_has_them(model_yaml, bundle, folder):
    real = model_yaml("rain", at="models/..2026_01_01/rain.yaml")
    (folder / "..data").symlink_to(real.parent.name)
    (folder / "rain.yaml").symlink_to("..data/rain.yaml")
    (folder / "again").symlink_to(".")
    assert names(bundle()) == {"rain.yaml", "mlops_loader.py"}


def test_a_file_that_is_too_large_is_an_error_of_its_own(model_yaml, bundle, folder, monkeypatch):
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 2000)
    model_yaml("rain", at="models/rain.yaml")
    (folder / "big.json").write_text("1" * 2001)
    assert names(bundle()) == {"rain.yaml", "mlops_loader.py", "big.json.refused.py"}


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_BYTES", "MAX_ENTRIES"])
def test_a_folder_that_holds_too_much_is_refused(bundle, folder, monkeypatch, limit):
    monkeypatch.setattr(reading, limit, 1)
    for name in ("a.py", "b.py"):
        (folder / name).write_text("X = 1\n")
    with pytest.raises(BundleRefused, match="more than one bundle takes: point the bundle at"):
        bundle()


def test_layers_belong_to_the_snapshot_even_where_models_beside_them_are_ignored(model_yaml, bundle, folder):
    model_yaml("rain", at="models/rain.yaml")
    model_yaml("snow", at="models/snow.yaml")
    (folder / "profiles").mkdir()
    for name in ("defaults.yaml", "policy.yaml", "profiles/prod.yaml"):
        (folder / name).write_text("apiVersion: airflow-mlops/v1\n")
    (folder / ".airflowignore").write_text("*.yaml\n!rain.yaml\n")
    layers = {"defaults.yaml", "policy.yaml", "profiles/prod.yaml"}
    assert names(bundle()) == {"rain.yaml", "mlops_loader.py", ".airflowignore"} | layers


def test_a_folder_of_layers_alone_gets_no_loader(bundle, folder):
    (folder / "defaults.yaml").write_text("apiVersion: airflow-mlops/v1\n")
    assert names(bundle()) == {"defaults.yaml"}


def test_layers_above_the_folder_are_told_instead_of_quietly_left_out(model_yaml, bundle, folder):
    model_yaml("rain", at="models/rain.yaml")
    (folder.parent / ".git").mkdir()
    (folder.parent / "defaults.yaml").write_text("apiVersion: airflow-mlops/v1\nowner: x\n")
    made = bundle()
    assert "above.defaults.yaml.refused.py" in names(made)
    assert f"lies above {folder}" in (made.path / "above.defaults.yaml.refused.py").read_text()


def test_a_pipe_is_not_waited_for(model_yaml, bundle, folder):
    model_yaml("rain", at="models/rain.yaml")
    os.mkfifo(folder / "pipe.yaml")
    assert names(bundle()) == {"rain.yaml", "mlops_loader.py"}
    assert [path.name for path in find_configs(folder)] == ["rain.yaml"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    missing = ConfigFolderBundle(name="models", path=str(tmp_path / "nowhere"))
    with pytest.raises(BundleRefused, match="nowhere: no such folder; check path in"):
        missing.initialize()
    assert missing.path == tmp_path / "nowhere"


def test_the_version_is_said_in_the_form_that_each_airflow_takes(model_yaml, bundle, monkeypatch):
    model_yaml("rain", at="models/rain.yaml")
    made = bundle()
    monkeypatch.delattr(base, "BundleVersion", raising=False)  # Airflow 3.2 has none
    assert made.get_current_version() == made.path.name
    monkeypatch.setattr(base, "BundleVersion", lambda version: ("wrapped", version), raising=False)
    assert made.get_current_version() == ("wrapped", made.path.name)


def test_a_fixed_version_has_nothing_newer(model_yaml, bundle):
    model_yaml("rain", at="models/rain.yaml")
    with pytest.raises(BundleRefused, match="is fixed"):
        bundle(version(bundle())).refresh()


def test_processes_that_take_a_snapshot_at_once_take_the_same_one(model_yaml, bundle, machine):
    for number in range(20):
        model_yaml(f"rain{number}", at=f"models/rain{number}.yaml")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: bundle(), range(8)))
    assert len({version(one) for one in made}) == 1
    assert len(names(made[0])) == 21
    assert len(list((machine / "models" / "versions").iterdir())) == 1
    assert list((machine / "models" / "drafts").iterdir()) == []


def test_another_machine_finds_the_version_in_the_store_when_the_folder_has_moved_on(
    model_yaml, bundle, machine, folder
):
    model_yaml("rain", at="models/rain.yaml")
    taken = version(bundle())
    shutil.rmtree(machine)
    shutil.rmtree(folder)
    assert dags(bundle(taken)) == {"rain.train", "rain.deploy", "rain.rollback"}


def test_a_version_that_is_nowhere_says_where_it_was_looked_for(bundle, tmp_path):
    with pytest.raises(
        BundleRefused, match=rf"neither on this machine nor at {tmp_path}/store/bundles/models/"
    ):
        bundle("0" * 64)


def test_a_snapshot_that_was_tampered_with_in_the_store_is_not_run(model_yaml, bundle, machine, tmp_path):
    model_yaml("rain", at="models/rain.yaml")
    taken = version(bundle())
    shutil.rmtree(machine)
    with zipfile.ZipFile(tmp_path / "store" / "bundles" / "models" / f"{taken}.zip", "a") as packed:
        packed.writestr("../../evil.py", "raise SystemExit\n")
    with pytest.raises(BundleRefused, match="does not hold what its name says"):
        bundle(taken)
    assert not list(machine.rglob("evil.py"))


def test_a_damaged_snapshot_says_so(model_yaml, bundle, machine, tmp_path):
    model_yaml("rain", at="models/rain.yaml")
    taken = version(bundle())
    shutil.rmtree(machine)
    (tmp_path / "store" / "bundles" / "models" / f"{taken}.zip").write_bytes(b"PK")
    with pytest.raises(BundleRefused, match="is damaged"):
        bundle(taken)


def test_a_store_that_cannot_be_written_stops_the_snapshot(model_yaml, bundle, tmp_path):
    model_yaml("rain", at="models/rain.yaml")
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreUnavailable, match=r"cannot be kept at .*store/bundles/models: Not a directory"):
        bundle()


def test_the_archive_may_lie_elsewhere(model_yaml, bundle, tmp_path):
    model_yaml("rain", at="models/rain.yaml")
    made = bundle(archive=str(tmp_path / "shared"))
    assert [path.stem for path in (tmp_path / "shared").iterdir()] == [version(made)]


def test_airflows_cleaning_leaves_the_snapshot_that_is_parsed_and_removes_older_ones(
    model_yaml, bundle, machine, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_MIN_VERSIONS", "0")
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_AGE_THRESHOLD", "-1")
    path = model_yaml("rain", at="models/rain.yaml")
    made = bundle()
    first = version(made)
    path.write_text(path.read_text() + "# edited\n")
    made.refresh()
    base.BundleUsageTrackingManager()._remove_stale_bundle_versions_for_bundle("models")
    assert [kept.name for kept in made.versions_dir.iterdir()] == [version(made)] != [first]
    # A rollout that waited meanwhile goes on.
    assert dags(bundle(first)) == {"rain.train", "rain.deploy", "rain.rollback"}


def test_a_snapshot_that_was_removed_by_hand_comes_back(model_yaml, bundle):
    model_yaml("rain", at="models/rain.yaml")
    made = bundle()
    shutil.rmtree(made.path)
    made.refresh()
    assert dags(made) == {"rain.train", "rain.deploy", "rain.rollback"}


def test_the_python_of_a_version_that_returns_is_parsed_again_at_once(model_yaml, bundle):
    path = model_yaml("rain", at="models/rain.yaml")
    made = bundle()
    first, before = made.path, path.read_text()
    settle(first)
    path.write_text(before + "# edited\n")
    made.refresh()
    path.write_text(before)
    made.refresh()
    assert made.path == first
    assert (first / "mlops_loader.py").stat().st_mtime > time.time()


def test_the_store_keeps_the_newest_versions_and_those_used_within_the_days(tmp_path):
    archive = Archive(tmp_path, keep_days=30)
    kept = [Snapshot({"a.yaml": str(number).encode()}) for number in range(KEPT_AT_LEAST + 3)]
    for age, snapshot in enumerate(kept):
        archive.keep(snapshot)
        os.utime(tmp_path / f"{snapshot.version}.zip", (time.time() - (age + 19.5) * DAY,) * 2)
    archive.prune()
    left = {path.stem for path in tmp_path.iterdir()}
    assert left == {snapshot.version for snapshot in kept[: KEPT_AT_LEAST + 1]}
    archive.keep(kept[KEPT_AT_LEAST])
    assert (tmp_path / f"{kept[KEPT_AT_LEAST].version}.zip").stat().st_mtime > time.time() - DAY


def test_a_crash_leaves_nothing_for_ever(model_yaml, bundle, machine):
    left = machine / "models" / "drafts" / "left"
    left.mkdir(parents=True)
    os.utime(left, (time.time() - DAY,) * 2)
    model_yaml("rain", at="models/rain.yaml")
    bundle()
    assert not left.exists()


def test_the_configuration_in_the_documentation_is_one_that_airflow_takes(folder, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "bundle.md").read_text()
    ours, git = re.findall(r"^```ini\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for text in (ours, git):
        parser = ConfigParser()
        parser.read_string(text)
        (item,) = json.loads(parser["dag_processor"]["dag_bundle_config_list"])
        assert manager._parse_bundle_config([item])[0].name == "models"
        if text is ours:
            made = locate(item["classpath"])(name=item["name"], **item["kwargs"])
            assert isinstance(made, ConfigFolderBundle)
            assert made.folder == Path("/opt/airflow/models")
            assert made.refresh_interval == 5
    known = inspect.signature(ConfigFolderBundle).parameters.keys() - {"kwargs"}
    assert set(re.findall(r"^\| `(\w+)` \| \w", page, re.MULTILINE)) == known


PRINT_HASHES = """
import sys
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow_mlops.factory import load_dags

namespace = {"__file__": sys.argv[1]}
load_dags(namespace)
for dag in namespace.values():
    if isinstance(dag, DAG):
        dag.fileloc, dag.relative_fileloc = sys.argv[1], "mlops_loader.py"
        print(dag.dag_id, SerializedDagModel.hash(DagSerialization.to_dict(dag)))
"""


def hashes(bundle, seed):
    """What Airflow compares to tell whether a DAG has a new version, from a process of its own."""
    command = [sys.executable, "-c", PRINT_HASHES, str(bundle.path / "mlops_loader.py")]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in done.stdout.splitlines() if "." in line.split()[0])


@pytest.mark.slow
@pytest.mark.airflow
def test_dags_are_the_same_in_every_process_and_snapshot_until_the_configuration_changes(
    model_yaml, bundle, mlops_airflow_home
):
    path = model_yaml("rain", level=3, at="models/rain.yaml")
    made = bundle()
    first = hashes(made, "1")
    assert first.keys() == {"rain.train", "rain.deploy", "rain.rollback", "rain.monitor"}
    taken = version(made)
    path.write_text("# said again\n" + path.read_text().replace("owner: weather\n", "") + "owner: weather\n")
    made.refresh()
    assert version(made) != taken
    assert hashes(made, "2") == first
    path.write_text(path.read_text().replace("minimum: 0.6", "minimum: 0.7"))
    made.refresh()
    assert not first.items() & hashes(made, "3").items()
