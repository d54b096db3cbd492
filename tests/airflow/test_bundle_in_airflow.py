"""Bundles on a real Airflow: a run whose YAML changes under way, a YAML that is dropped, versions of DAGs.

One `airflow standalone` for the module, with one model in each of three kinds of bundle: ours, a git
repository where its provider is installed, and a plain folder as Airflow itself has it. The tests run in the
order in which the files change.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.cli.demo.airflow_api import FINISHED, AirflowApi
from airflow_mlops.cli.demo.processes import Processes
from airflow_mlops.cli.demo.stack import USER, Site, environment, new_site
from airflow_mlops.config.load import load_model
from airflow_mlops.testing.airflow_home import migrate

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
YEAR = {"window_start": "2024-01-01T00:00:00+00:00", "window_end": "2024-12-22T00:00:00+00:00"}
HAS_GIT = importlib.util.find_spec("git") is not None and shutil.which("git") is not None
NO_GIT = "needs apache-airflow-providers-git and git"
# The second task of a run starts when the first has read its rows, which waits for the test.
GATED = """\
import os, time
from pathlib import Path
from breast_cancer.data import biopsies


def rows(start, end):
    gate = Path(os.environ["GATE"])
    gate.with_name(f"waits-{os.getpid()}").touch()
    until = time.monotonic() + 300
    while not gate.exists() and time.monotonic() < until:
        time.sleep(0.1)
    return biopsies(start, end)
"""


class Place:
    """A running Airflow, and the folders of its bundles."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site = site
        self.api = AirflowApi(site.url("airflow"), USER, site.password)
        self.ours, self.plain, self.git = root / "ours", root / "plain", root / "git"
        self.gate = root / "gate"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.site.state / "airflow" / "airflow.db")) as database:
            return database.execute(query).fetchall()

    def dags(self) -> set[str]:
        return {name for (name,) in self.ask("select dag_id from dag where not is_stale")}

    def versions(self, dag_id: str) -> list[str]:
        """The bundle's version of each of a DAG's versions, oldest first."""
        query = "select bundle_version from dag_version where dag_id = '{}' order by version_number"
        return [name for (name,) in self.ask(query.format(dag_id))]

    def newest(self, bundle: str) -> str:
        ((version,),) = self.ask(f"select version from dag_bundle where name = '{bundle}'")
        return str(version)

    def pinned(self, run_id: str) -> str:
        """The version of the bundle that all tasks of a run have their code from."""
        ((version,),) = self.ask(f"select bundle_version from dag_run where run_id = '{run_id}'")
        return str(version)

    def digest_shown(self, dag_id: str) -> str:
        """The digest of the newest serialised DAG's configuration, from its page."""
        query = "select data from serialized_dag where dag_id = '{}' order by created_at desc limit 1"
        ((data,),) = self.ask(query.format(dag_id))
        return str(json.loads(data)["dag"]["doc_md"]).rpartition("`")[0].rpartition("`")[2]

    def wait(self, is_so: Callable[[], bool], what: str, seconds: float = 180) -> float:
        """The seconds that it took."""
        started = time.monotonic()
        while not is_so():
            if time.monotonic() > started + seconds:
                log = (self.site.logs / "airflow.log").read_text(errors="replace")
                pytest.fail(f"not so after {seconds} s: {what}\n{log[-6000:]}")
            time.sleep(0.2)
        return time.monotonic() - started

    def start(self, dag_id: str) -> str:
        self.api.pause(dag_id, paused=False)
        return self.api.trigger(dag_id, YEAR)

    def digests(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The configuration's digest that each task's result carries."""
        query = (
            f"select task_id, value from xcom where dag_id = '{dag_id}' and run_id = '{run_id}' "
            "and key = 'return_value'"
        )
        found = {task: json.loads(value) for task, value in self.ask(query)}
        return {
            task: value["config"]
            for task, value in found.items()
            if isinstance(value, dict) and "config" in value
        }


def model(folder: Path, name: str) -> Path:
    """The small example, by hand only, with rows that wait for the gate and a step for a model that fails."""
    text = (ROOT / "configs" / "breast_cancer.yaml").read_text()
    before, _, rest = text.partition("schedule:\n")
    text = before + "data:\n" + rest.partition("data:\n")[2]
    text = text.replace("model: breast_cancer\n", f"model: {name}\n").replace("level: 2\n", "level: 1\n")
    text = text.replace("gates:\n", "gates:\n  on_fail: ask\n")
    path = folder / f"{name}.yaml"
    path.write_text(text.replace("breast_cancer.data:biopsies", "gated_rows:rows"))
    return path


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory, mlops_mlflow_server, port_base, request) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("bundles")
    site = new_site(ROOT, root / "home", model="none", key_column="", time_column="", port_base=port_base)
    place = Place(site, root)
    for folder in (place.ours, place.plain, place.git, root / "code", site.logs, site.store):
        folder.mkdir(parents=True)
    (root / "code" / "gated_rows.py").write_text(GATED)
    model(place.ours, "kept")
    model(place.plain, "shifted")
    model(place.git, "tracked")
    for folder in (place.plain, place.git):
        shutil.copy(ROOT / "dags" / "mlops.py", folder)
    bundles = [
        _bundle("ours", "airflow_mlops.bundles.folder.ConfigFolderBundle", path=str(place.ours)),
        _bundle("plain", "airflow.dag_processing.bundles.local.LocalDagBundle", path=str(place.plain)),
    ]
    if HAS_GIT:
        git(place.git, "init", "-b", "main")
        git(place.git, "add", ".")
        git(place.git, "commit", "-m", "first")
        more = {"repo_url": str(place.git), "tracking_ref": "main", "refresh_interval": 5}
        bundles.append(_bundle("git", "airflow.providers.git.bundles.git.GitDagBundle", **more))
    home = site.state / "airflow"
    migrate(home, request.config.cache.mkdir("airflow-mlops"))
    (home / "simple_auth_manager_passwords.json.generated").write_text(json.dumps({USER: site.password}))
    port = int(mlops_mlflow_server.rpartition(":")[2])
    given = environment(site)
    del given["AIRFLOW__MLOPS__CONFIGS_FOLDER"]
    given |= {
        "GATE": str(place.gate),
        "PYTHONPATH": os.pathsep.join(
            [str(root / "code"), given["PYTHONPATH"], os.environ.get("PYTHONPATH", "")]
        ),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "10",
        "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(root / "storage"),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(
            {"conn_type": "mlflow", "schema": "http", "host": "127.0.0.1", "port": port}
        ),
    }
    processes = Processes(root / "processes.json")
    try:
        command = [sys.executable, "-m", "airflow", "standalone"]
        processes.start("airflow", command, env=given, log=site.logs / "airflow.log", folder=site.state)
        place.wait(place.api.is_healthy, "Airflow is healthy")
        yield place
    finally:
        processes.stop()


def _bundle(name: str, classpath: str, **kwargs: Any) -> dict[str, Any]:
    return {"name": name, "classpath": classpath, "kwargs": kwargs}


@pytest.fixture(scope="module")
def edited(place: Place) -> dict[str, tuple[str, str, str]]:
    """For each model that run which was under way when its YAML lost a step and changed a parameter, and the
    digest and version of the bundle it started with."""
    models = {"kept": place.ours, "shifted": place.plain} | ({"tracked": place.git} if HAS_GIT else {})
    place.wait(lambda: {f"{name}.train" for name in models} <= place.dags(), "all models have DAGs")
    runs = {name: place.start(f"{name}.train") for name in models}
    # Not the state of the tasks: one that has just begun to run has not read its YAML yet.
    place.wait(lambda: len(list(place.gate.parent.glob("waits-*"))) == len(models), "all read their rows")
    pins = {name: place.pinned(run_id) for name, run_id in runs.items()}
    started = {}
    for name, folder in models.items():
        path = folder / f"{name}.yaml"
        started[name] = (runs[name], load_model(path).digest, pins[name])
        path.write_text(
            path.read_text().replace("  on_fail: ask\n", "").replace("n_estimators: 50", "n_estimators: 7")
        )
        if name == "tracked":
            git(folder, "commit", "-am", "second")
    for name, folder in models.items():
        new = load_model(folder / f"{name}.yaml").digest[:12]
        place.wait(lambda name=name, new=new: place.digest_shown(f"{name}.train") == new, f"{name} is new")
    place.gate.touch()
    for name, run_id in runs.items():
        over = lambda name=name, run_id=run_id: place.api.runs(f"{name}.train").get(run_id) in FINISHED  # noqa: E731
        place.wait(over, f"the run of {name} is over", 400)
    return started


@pytest.mark.parametrize(
    ("name", "bundle"),
    [("kept", "ours"), pytest.param("tracked", "git", marks=pytest.mark.skipif(not HAS_GIT, reason=NO_GIT))],
)
def test_a_run_goes_on_with_the_yaml_it_started_with(place, edited, name, bundle):
    run_id, digest, pinned = edited[name]
    tasks = place.api.tasks(f"{name}.train", run_id)
    assert place.api.runs(f"{name}.train")[run_id] == "success", tasks
    assert tasks["review"] == "skipped"  # the step that the edit removed: it ran, and had nothing to ask
    digests = place.digests(f"{name}.train", run_id)
    assert {"snapshot", "evaluate", "train", "register"} <= digests.keys()
    assert set(digests.values()) == {digest}
    # The version of the first DAG may show the new commit: the parse that was under way when the bundle was
    # refreshed is booked on what came of it. A task's code comes from the run's own pin.
    _, second = place.versions(f"{name}.train")
    assert second == place.newest(bundle) != pinned == place.pinned(run_id)


def test_without_versions_a_run_whose_yaml_changed_fails_and_says_so(place, edited):
    run_id, digest, _ = edited["shifted"]
    assert place.api.runs("shifted.train")[run_id] == "failed"
    assert "register" not in place.digests("shifted.train", run_id)
    logs = [file for file in (place.site.state / "airflow" / "logs").rglob("*.log") if run_id in str(file)]
    said = "".join(file.read_text(errors="replace") for file in logs)
    assert (
        f"the YAML of shifted changed while this run was under way (started with {digest[:12]}, now" in said
    )
    assert "start a new run" in said


def test_a_run_that_starts_after_the_edit_has_the_new_yaml(place, edited):
    run_id = place.api.trigger("kept.train", YEAR)
    place.wait(lambda: place.api.runs("kept.train").get(run_id) in FINISHED, "the second run is over", 400)
    tasks = place.api.tasks("kept.train", run_id)
    assert place.api.runs("kept.train")[run_id] == "success", tasks
    assert "review" not in tasks
    now = load_model(place.ours / "kept.yaml").digest
    assert set(place.digests("kept.train", run_id).values()) == {now} != {edited["kept"][1]}


def test_a_comment_or_another_order_of_keys_makes_no_version_and_a_change_makes_one(place, edited):
    path = place.ours / "kept.yaml"
    versions = place.versions("kept.train")
    place.wait(lambda: "kept.train" in place.dags(), "parsed")
    head, _, rest = path.read_text().partition("owner: pathology\n")
    path.write_text(f"# said again\n{head}{rest}\nowner: pathology  # last\n")
    place.wait(
        lambda: place.versions("kept.train")[-1] == place.newest("ours") != versions[-1], "parsed again"
    )
    assert len(place.versions("kept.train")) == len(versions)

    path.write_text(path.read_text().replace("n_estimators: 7", "n_estimators: 8"))
    new = load_model(path).digest[:12]
    place.wait(lambda: place.digest_shown("kept.train") == new, "the change is seen")
    assert len(place.versions("kept.train")) == len(versions) + 1


def test_a_yaml_that_is_dropped_becomes_dags_within_fifteen_seconds(place):
    place.wait(lambda: "kept.train" in place.dags(), "parsed")
    model(place.ours, "dropped")
    took = place.wait(
        lambda: {"dropped.train", "dropped.deploy", "dropped.rollback"} <= place.dags(),
        "the model has DAGs",
        60,
    )
    assert took <= 15
    assert not list(place.ours.glob("*.py"))


def test_a_broken_yaml_and_a_link_out_of_the_folder_show_in_the_ui_alone(place):
    (place.ours / "broken.yaml").write_text("apiVersion: airflow-mlops/v1\nmodel: broken\nlevel: 7\n")
    (place.ours / "secret.yaml").symlink_to("/etc/hostname")

    def errors() -> dict[str, str]:
        query = "select filename, stacktrace from import_error where bundle_name = 'ours'"
        return dict(place.ask(query))

    place.wait(lambda: errors().keys() >= {"broken.yaml", "secret.yaml.refused.py"}, "both are shown")
    assert errors().keys() == {"broken.yaml", "secret.yaml.refused.py"}
    assert "outside of the bundle's folder" in errors()["secret.yaml.refused.py"]
    assert {"kept.train", "dropped.train"} <= place.dags()

    (place.ours / "broken.yaml").unlink()
    (place.ours / "secret.yaml").unlink()
    place.wait(lambda: errors() == {}, "both are gone")


def test_a_yaml_that_is_removed_retires_its_dags_and_the_others_stay(place):
    (place.ours / "dropped.yaml").unlink()
    place.wait(lambda: "dropped.train" not in place.dags(), "the DAGs are stale", 240)
    assert "kept.train" in place.dags()
