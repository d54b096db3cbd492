"""A whole Airflow with a folder of small models, one for each way in which a schedule can be written.

Its programs run side by side as in production (api-server, scheduler, DAG processor, triggerer), so that one
of them can be restarted. The scheduler has imported what a training task needs before it forks them.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

import pytest

from airflow_mlops.cli.demo.airflow_api import FINISHED, AirflowApi
from airflow_mlops.cli.demo.failures import DemoFailed
from airflow_mlops.cli.demo.processes import Processes
from airflow_mlops.cli.demo.stack import USER, Site, environment, new_site
from airflow_mlops.core.windows import Window
from airflow_mlops.testing.airflow_home import migrate

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NOW = datetime.now(timezone.utc)


class Listener:
    """A local HTTP server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, str | None, dict[str, Any]]] = []
        kept = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append((self.path, self.headers["Authorization"], json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, dag_id: str) -> list[dict[str, Any]]:
        return [body for _, _, body in self.posts if body.get("dag_id") == dag_id]


class Place(AirflowApi):
    """A running Airflow, its models' folder and its store."""

    def __init__(self, site: Site, configs: Path, listener: Listener) -> None:
        super().__init__(site.url("airflow"), USER, site.password)
        self.site = site
        self.configs = configs
        self.listener = listener
        self.env: dict[str, str] = {}
        self.runs_by_hand: dict[str, str] = {}
        self._programs: dict[str, Processes] = {}

    def model(
        self,
        name: str,
        schedule: str,
        *,
        level: int = 1,
        path: str = "rain.parquet",
        execution: str = "retries: 0",
        more: str = "",
    ) -> None:
        """Write a model's YAML into the folder."""
        text = Template((HERE / "model.txt").read_text()).substitute(
            name=name, schedule=schedule, level=level, path=path, execution=execution, more=more
        )
        (self.configs / f"{name}.yaml").write_text(text)

    def start(self, program: str) -> None:
        command = [sys.executable, "-m", "airflow", program]
        log = self.site.logs / f"{program}.log"
        self._programs[program] = Processes(self.site.home / f"{program}.json")
        self._programs[program].start(program, command, env=self.env, log=log, folder=self.site.state)

    def stop(self, *programs: str) -> None:
        """All at once: each takes its time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda program: self._programs.pop(program).stop(), programs))

    def schedule(self) -> None:
        """Start the scheduler, unless it runs. What is to be due is said before: on SQLite others wait long
        for a scheduler that is busy."""
        for program in ("scheduler", "triggerer"):
            if program not in self.running:
                self.start(program)
        self.wait(self.is_healthy, "Airflow is healthy")

    @property
    def running(self) -> list[str]:
        return list(self._programs)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.site.state / "airflow" / "airflow.db")) as database:
            return database.execute(query).fetchall()

    def wait(self, is_so: Callable[[], Any], what: str, seconds: float = 300) -> Any:
        started = time.monotonic()
        while not (found := is_so()):
            if time.monotonic() > started + seconds:
                logs = "\n".join(
                    f"--- {name}\n{(self.site.logs / f'{name}.log').read_text(errors='replace')[-2500:]}"
                    for name in self.running
                )
                pytest.fail(f"not so after {seconds} s: {what}\n{logs}")
            time.sleep(0.3)
        return found

    def told(self, dag_id: str, event: str) -> list[dict[str, Any]]:
        """What was posted of a DAG and an event; what the loop has found is told beside it."""
        return [body for body in self.listener.of(dag_id) if body["event"] == event]

    def run_of(self, dag_id: str, kind: str) -> str:
        """The id of a run of this type, once there is one."""
        query = f"select run_id from dag_run where dag_id = '{dag_id}' and run_type = '{kind}' order by id"
        return str(self.wait(lambda: self.ask(query), f"{dag_id} has a run of type {kind}")[0][0])

    def runs_of(self, dag_id: str) -> int:
        ((count,),) = self.ask(f"select count(*) from dag_run where dag_id = '{dag_id}'")
        return int(count)

    def finished(self, dag_id: str, run_id: str) -> str:
        state = lambda: self.ask(  # noqa: E731
            f"select state from dag_run where dag_id = '{dag_id}' and run_id = '{run_id}'"
        )[0][0]
        self.wait(lambda: state() in FINISHED, f"{dag_id} {run_id} is over")
        return str(state())

    def snapshot(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """What the snapshot of a green run left in XCom."""
        state = self.finished(dag_id, run_id)
        assert state == "success", (self.tasks(dag_id, run_id), self.log_of(dag_id, run_id))
        ((value,),) = self.ask(
            f"select value from xcom where dag_id = '{dag_id}' and run_id = '{run_id}' "
            "and task_id = 'snapshot' and key = 'return_value'"
        )
        found: dict[str, Any] = json.loads(value)
        return found

    def as_of(self, dag_id: str, run_id: str) -> Window:
        """The window of a run that is ended once its snapshot is there: what follows is the same in each.

        Not through the API: it logs the act on a second connection while the first still holds SQLite's lock.
        """
        query = (
            f"select value from xcom where dag_id = '{dag_id}' and run_id = '{run_id}' "
            "and task_id = 'snapshot' and key = 'return_value'"
        )
        ((value,),) = self.wait(lambda: self.ask(query), f"{dag_id} {run_id} has a snapshot")
        with (
            closing(sqlite3.connect(self.site.state / "airflow" / "airflow.db", timeout=60)) as database,
            database,
        ):
            database.execute(
                "update dag_run set state = 'success' where dag_id = ? and run_id = ?", (dag_id, run_id)
            )
        return _window(json.loads(value))

    def window(self, dag_id: str, run_id: str) -> Window:
        return _window(self.snapshot(dag_id, run_id))

    def log_of(self, dag_id: str, run_id: str) -> str:
        files = [
            file for file in (self.site.state / "airflow" / "logs").rglob("*.log") if run_id in str(file)
        ]
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in files if dag_id in str(file))

    def update_asset(self, name: str, key: str | None = None) -> None:
        """An event from outside, as another system would send it."""
        found = self._call("GET", "/assets", params={"name_pattern": name})["assets"]
        (asset,) = (asset for asset in found if asset["name"] == name)
        body = {"asset_id": asset["id"], "partition_key": key}
        self._call("POST", "/assets/events", json=body)

    def parsed(self, names: Iterable[str]) -> None:
        """Until Airflow has the training DAG of each model, which are written by now."""
        if "dag-processor" not in self.running:
            self.start("dag-processor")
        wanted = {f"{name}.train" for name in names}
        self.wait(lambda: wanted <= {dag_id for (dag_id,) in self.ask("select dag_id from dag")}, "parsed")
        assert not self.import_errors()

    def answers(self) -> bool:
        try:
            return self.has_dag("none") is False
        except DemoFailed:
            return False

    def command(self, *words: str) -> str:
        """What an ``airflow`` command prints. It is given again where another program writes for long."""
        for _ in range(5):
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *words],
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
            )
            if "database is locked" not in done.stderr:
                break
        assert done.returncode == 0, done.stderr
        return done.stdout

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """What ``airflow backfill create`` does, without the seconds that a command takes to start."""
        self._call("POST", "/backfills", json=_backfill(dag_id, first, last))

    def refused_backfill(self, dag_id: str, first: datetime, last: datetime) -> str:
        try:
            self.backfill(dag_id, first, last)
        except DemoFailed as error:
            return str(error)
        return ""

    def make_pool(self, name: str) -> None:
        self._call("POST", "/pools", json={"name": name, "slots": 2})


@pytest.fixture(scope="module")
def place(tmp_path_factory, mlops_mlflow_server, port_base, request) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("schedules")
    site = new_site(ROOT, root / "home", model="none", key_column="", time_column="", port_base=port_base)
    home, listener = site.state / "airflow", Listener()
    place = Place(site, root / "configs", listener)
    for folder in (place.configs, home, site.logs, site.store):
        folder.mkdir(parents=True)
    _write_rows(site.store / "rain.parquet")
    migrate(home, request.config.cache.mkdir("airflow-mlops"))
    (home / "simple_auth_manager_passwords.json.generated").write_text(json.dumps({USER: site.password}))
    place.env = environment(site) | {
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(HERE / "plugins"),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        # What `airflow standalone` would hand to all of its programs.
        "AIRFLOW__API_AUTH__JWT_SECRET": "only for this test, and long enough to be one",
        "AIRFLOW__API__SECRET_KEY": "only for this test",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__MLOPS__CONFIGS_FOLDER": str(place.configs),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": _http("mlflow", int(mlops_mlflow_server.rpartition(":")[2])),
        "AIRFLOW_CONN_ALERTS": _http("http", listener.server.server_address[1], password="wasp"),
    }
    try:
        place.start("api-server")
        place.wait(place.answers, "the API server answers")
        yield place
    finally:
        place.stop(*place.running)
        listener.server.shutdown()


def _window(snapshot: Mapping[str, Any]) -> Window:
    said = snapshot["dataset"]["window"]
    return Window(*(datetime.fromisoformat(said[edge]) for edge in ("start", "end")))


def _backfill(dag_id: str, first: datetime, last: datetime) -> dict[str, Any]:
    dates = {"from_date": first.isoformat(), "to_date": last.isoformat()}
    return {"dag_id": dag_id, **dates, "max_active_runs": 1, "run_backwards": False}


def _http(kind: str, port: int, **more: str) -> str:
    return json.dumps({"conn_type": kind, "schema": "http", "host": "127.0.0.1", "port": port, **more})


def _write_rows(path: Path) -> None:
    """Four rows a day, from half a year ago until tomorrow, whose label mostly follows from their feature."""
    import pandas as pd

    count = 4 * 181
    start = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(days=180)
    rows = pd.DataFrame(
        {
            "day": [start + timedelta(hours=6 * index) for index in range(count)],
            "station": [f"s{index}" for index in range(count)],
            "pressure": [float(index % 7) for index in range(count)],
            "rain": [int((index % 7 > 3) != (index % 9 == 0)) for index in range(count)],
        }
    )
    rows.to_parquet(path)
