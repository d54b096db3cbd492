"""Good and broken files under one long-running `airflow dag-processor`, seen by commands and the web API.

The tests run in the order in which the files change. Airflow takes an import error back when it refreshes
the bundle; "reparse" in its UI asks for that at once, and so do the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mlops.cli.demo.processes import Processes
from airflow_mlops.testing.airflow_home import environment, migrate

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
CANCER = (ROOT / "configs" / "breast_cancer.yaml").read_text().replace("level: 2", "level: 1")
GOOD = ("fog", "hail", "rain", "snow", "wind")


def model(name: str) -> str:
    return CANCER.replace("model: breast_cancer\n", f"model: {name}\n")


def dags_of(*names: str) -> set[str]:
    """Those of models of level 1."""
    return {f"{name}.{role}" for name in names for role in ("train", "deploy", "rollback")}


def printed(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON of a command, after what Airflow logs on the same stream."""
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[{")))


class Place:
    """A running DAG processor and API server, and the folders they read."""

    def __init__(self, root: Path) -> None:
        self.home = root / "airflow"
        self.dags = self.home / "dags"
        self.elsewhere = root / "elsewhere"
        self.log = root / "processor.log"
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        self._web = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self.environment = {
            **os.environ,
            **environment(self.home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=20",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "1",
            "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__MLOPS__CONFIGS_FOLDER": str(self.elsewhere),
            # Nobody is there; reading rows, and finding that nothing waits to be deployed, ask neither.
            "AIRFLOW_CONN_MLFLOW_DEFAULT": "mlflow://127.0.0.1:9?__extra__=%7B%7D",
            "AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT": "mlops-gateway://:token@127.0.0.1:9",
        }

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "airflow", *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=240
        )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "airflow.db", timeout=60)) as database:
            return database.execute(query).fetchall()

    def alive(self) -> set[str]:
        return {name for (name,) in self.ask("select dag_id from dag where not is_stale")}

    def errors(self) -> dict[str, str]:
        return dict(self.ask("select filename, stacktrace from import_error"))

    def web(self, method: str, path: str) -> Any:
        if "Authorization" not in self._web.headers:
            token = self._web.get("/auth/token").raise_for_status().json()["access_token"]
            self._web.headers["Authorization"] = f"Bearer {token}"
        return self._web.request(method, f"/api/v2{path}").raise_for_status().json()

    def answers(self) -> bool:
        try:
            return self._web.get("/api/v2/version", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def wait_for_errors(self, names: set[str], what: str) -> None:
        """Asking for a reparse, and once more: a parse that began before may file the old errors anew."""
        for _ in range(6):
            token = self.web("GET", f"/dags/{min(self.alive())}")["file_token"]
            self.web("PUT", f"/parseDagFile/{token}")
            until = time.monotonic() + 5
            while time.monotonic() < until:
                if self.errors().keys() == names:
                    return
                time.sleep(0.1)
        pytest.fail(f"not so: {what}; there are {self.errors().keys()}")

    def wait(self, is_so: Callable[[], bool], what: str, seconds: float = 180) -> None:
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                log = self.log.read_text(errors="replace")[-5000:]
                pytest.fail(f"not so: {what}\nalive {self.alive()}\nerrors {self.errors().keys()}\n{log}")
            time.sleep(0.1)


@pytest.fixture(scope="module")
def place(tmp_path_factory, request) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("broken")
    place = Place(root)
    migrate(place.home, request.config.cache.mkdir("airflow-mlops"))
    with closing(sqlite3.connect(place.home / "airflow.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
    shutil.copy(ROOT / "dags" / "mlops.py", place.dags)
    for name in GOOD:
        (place.dags / f"{name}.yaml").write_text(model(name))
    for name, text in broken(place.dags).items():
        path = place.dags / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    processes = Processes(root / "processes.json")
    try:
        for name, command in (("processor", "dag-processor"), ("web", "api-server")):
            processes.start(
                name,
                [sys.executable, "-m", "airflow", command],
                env=place.environment,
                log=root / f"{name}.log",
                folder=root,
            )
        yield place
    finally:
        processes.stop()


def broken(dags: Path) -> dict[str, str]:
    """Five files, each wrong in a way of its own, by their path below the DAGs folder."""
    return {
        "syntax.yaml": model("syntax").replace("tags: [example, small]", "tags: [example, small"),
        "winter/three.yaml": model("three").replace("level: 1", "levle: 1\nretries: many\nowner: 7"),
        "twice.yaml": model("rain"),
        "latin.yaml": model("latin").replace("owner: pathology", "owner: Käthe"),
        "../../elsewhere/type.yaml": model("type").replace("length: 60 days", "length: 60 dogs"),
    }


SAID = {
    "syntax.yaml": (":7:", "a [ is not closed"),
    "winter/three.yaml": ("levle: unknown key; did you mean 'level'?", "retries: ", "owner: "),
    "twice.yaml": (":3:1: model: 'rain' is described in ", "give one of the two another name"),
    "latin.yaml": (":5:9: not UTF-8 (byte 0xe4); save the file as UTF-8",),
    "elsewhere/type.yaml": ("data.holdout.length: ", "60 dogs"),
}


@pytest.fixture(scope="module")
def paths(place: Place) -> dict[str, Path]:
    """Each broken file by the name under which Airflow shows it: outside of the bundle, its whole path."""
    shown = {str(place.elsewhere / "type.yaml"): place.elsewhere / "type.yaml"}
    return shown | {name: place.dags / name for name in SAID if not name.startswith("elsewhere")}


def test_the_good_models_live_and_each_broken_file_is_an_import_error_under_its_own_path(place, paths):
    place.wait(lambda: place.errors().keys() == paths.keys(), "each broken file is an import error")
    assert place.alive() == dags_of(*GOOD)
    for name, text in place.errors().items():
        lines = text.splitlines()
        carets = [number for number, line in enumerate(lines) if line.strip().replace(" ", "") == "|^"]
        problems = [line for line in lines if f"{paths[name]}:" in line]
        assert len(carets) == len(problems) == (3 if name == "winter/three.yaml" else 1), text
        for caret in carets:
            line, _, snippet = lines[caret - 1].partition(" | ")
            column = lines[caret].index("^") - len(line) - 2
            assert f":{line.strip()}:{column}: " in lines[caret - 2]
            written = paths[name].read_bytes().decode("utf-8", "replace").splitlines()
            assert snippet == written[int(line) - 1]
        for said in SAID[name if name in SAID else "elsewhere/type.yaml"]:
            assert said in text


def test_the_web_api_lists_each_under_its_own_file_name(place, paths):
    place.wait(place.answers, "the web API answers")
    found = place.web("GET", "/importErrors?limit=100")
    assert found["total_entries"] == len(paths)
    assert {error["filename"]: error["stack_trace"] for error in found["import_errors"]} == place.errors()
    assert {error["bundle_name"] for error in found["import_errors"]} == {"dags-folder"}
    one = place.web("GET", "/importErrors?filename_pattern=three")["import_errors"]
    assert [error["filename"] for error in one] == ["winter/three.yaml"]


def test_commands_list_the_good_dags_and_the_broken_files(place, paths):
    listed = place.airflow("dags", "list", "-o", "json")
    assert listed.returncode == 0, listed.stderr
    assert {dag["dag_id"] for dag in printed(listed)} == dags_of(*GOOD)
    assert "list-import-errors" in listed.stderr

    errors = place.airflow("dags", "list-import-errors", "-o", "json")
    assert {error["filepath"]: error["error"] for error in printed(errors)} == place.errors()

    here = place.airflow("dags", "list-import-errors", "--local", "-o", "json")
    (error,) = printed(here)
    assert all(f"{path}:" in error["error"] for path in paths.values())


def test_commands_work_on_good_models_and_say_what_is_wrong_with_broken_ones(place, paths):
    written = place.airflow("dags", "reserialize")
    assert written.returncode == 0, written.stderr

    task = place.airflow("tasks", "test", "rain.train", "snapshot", "2024-12-01")
    assert task.returncode == 0, task.stderr
    assert list((place.home / "mlops" / "snapshots").rglob("*.parquet"))

    run = place.airflow("dags", "test", "rain.deploy", "2024-12-01")
    assert run.returncode == 0, run.stderr
    assert place.ask("select state from dag_run where dag_id = 'rain.deploy'") == [("success",)]

    started = place.airflow("dags", "trigger", "wind.train", "--run-id", "by_hand")
    assert started.returncode == 0, started.stderr
    assert place.ask("select state from dag_run where run_id = 'by_hand'") == [("queued",)]

    refused = place.airflow("tasks", "test", "three.train", "snapshot", "2024-12-01")
    assert refused.returncode != 0
    assert "levle: unknown key; did you mean 'level'?" in refused.stdout + refused.stderr

    assert place.alive() == dags_of(*GOOD)
    assert place.errors().keys() == paths.keys()


def test_a_mended_file_takes_only_its_own_error_along(place, paths):
    paths["winter/three.yaml"].write_text(model("three"))
    place.wait(lambda: dags_of("three") <= place.alive(), "the mended model lives")
    place.wait_for_errors(paths.keys() - {"winter/three.yaml"}, "only the mended file's error is gone")
    assert place.alive() == dags_of(*GOOD, "three")


def test_a_good_file_that_is_deleted_retires_its_dags_and_one_that_breaks_those_of_its_own(place, paths):
    (place.dags / "hail.yaml").unlink()
    (place.dags / "wind.yaml").write_text("apiVersion: airflow-mlops/v1\nmodel: [\n")
    left = dags_of(*GOOD, "three") - dags_of("hail", "wind")
    place.wait(lambda: place.alive() == left, "the DAGs of these two are stale")
    assert place.errors().keys() == paths.keys() - {"winter/three.yaml"} | {"wind.yaml"}


def test_a_broken_file_that_is_deleted_takes_its_error_along_and_nothing_was_ever_a_ghost(place, paths):
    paths["syntax.yaml"].unlink()
    left = paths.keys() - {"winter/three.yaml", "syntax.yaml"} | {"wind.yaml"}
    place.wait_for_errors(left, "only the deleted file's error is gone")
    for table in ("dag", "serialized_dag", "dag_version"):
        assert {name for (name,) in place.ask(f"select dag_id from {table}")} == dags_of(*GOOD, "three")
