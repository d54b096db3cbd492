"""The programs of the demo: MLflow, the model server and Airflow, on ports that are free."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from airflow_mlops.cli.demo.airflow_api import AirflowApi
from airflow_mlops.cli.demo.failures import DemoFailed, last_lines
from airflow_mlops.cli.demo.processes import Processes
from airflow_mlops.cli.demo.progress import Narrator

USUAL_PORTS = {"airflow": 8080, "mlflow": 5000, "gateway": 8800}
# Airflow's own log servers; taken by another Airflow on the machine, they would be fought over.
LOG_SERVER_PORTS = ("worker_logs", "trigger_logs")
START_SECONDS = 240.0
SETTINGS = Path(__file__).with_name("settings")  # a folder with a module that Airflow imports
_BUSY_SECONDS = 20
"""How long a program waits for another one's write. Not longer: Airflow's API server logs what a caller does
on its event loop, where it can wait for a write that only that loop can end. It then answers 500, which
callers repeat; its tasks give up on it after half a minute."""

USER = "admin"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one demo lives: folders, ports and secrets, made once and handed to every program."""

    repository: Path
    home: Path
    model: str
    key_column: str
    time_column: str
    ports: dict[str, int]
    password: str
    token: str

    @property
    def state(self) -> Path:
        """What a new demo starts without: databases, artifacts, store."""
        return self.home / "state"

    @property
    def store(self) -> Path:
        return self.state / "store"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def url(self, name: str) -> str:
        """The address of ``airflow``, ``mlflow`` or ``gateway``."""
        return f"http://127.0.0.1:{self.ports[name]}"


class Stack:
    """Starts the three programs in an order that lets each find what it needs."""

    def __init__(self, site: Site, processes: Processes) -> None:
        self.site = site
        self._processes = processes
        self.airflow = AirflowApi(site.url("airflow"), USER, site.password)

    def start(self, narrator: Narrator) -> None:
        """Bring all up. Raises ``DemoFailed`` with the end of the log of what did not come."""
        for folder in (self.site.state, self.site.logs):
            empty_folder(folder)
        self.site.store.mkdir()
        narrator.say("Starting MLflow and Airflow")
        self._start("mlflow", mlflow_command(self.site))
        _seed_password(self.site)
        _prepare_database(self.site)
        self._start("airflow", [sys.executable, "-m", "airflow", "standalone"])
        self._wait("mlflow", lambda: _answers(f"{self.site.url('mlflow')}/health"), narrator)
        narrator.say("MLflow is up; starting the model server")
        self._start("gateway", gateway_command(self.site))
        self._wait("gateway", lambda: _answers(f"{self.site.url('gateway')}/health"), narrator)
        narrator.say("The model server is up; waiting for Airflow")
        self._wait("airflow", self.airflow.is_healthy, narrator)

    def check(self) -> None:
        """Raises ``DemoFailed`` if a program has ended."""
        self._processes.check()

    def wait_for_dags(self, dag_ids: Sequence[str]) -> None:
        """Until Airflow has parsed these DAGs. Raises ``DemoFailed`` with the import errors if it cannot."""
        deadline = time.monotonic() + START_SECONDS
        while not all(self.airflow.has_dag(dag_id) for dag_id in dag_ids):
            self.check()
            errors = self.airflow.import_errors()
            if errors:
                raise DemoFailed("Airflow cannot load the DAGs.\n" + "\n".join(errors))
            if time.monotonic() > deadline:
                log = last_lines(self.site.logs / "airflow.log")
                raise DemoFailed(
                    f"Airflow does not show {', '.join(dag_ids)} after {START_SECONDS:.0f} s. {log}"
                )
            time.sleep(0.5)

    def _start(self, name: str, command: Sequence[str]) -> None:
        self._processes.start(
            name,
            command,
            env=environment(self.site),
            log=self.site.logs / f"{name}.log",
            folder=self.site.state,
        )

    def _wait(self, name: str, is_up: Callable[[], bool], narrator: Narrator) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            self.check()
            narrator.now(f"waiting for {name}")
            if time.monotonic() > deadline:
                log = last_lines(self.site.logs / f"{name}.log")
                raise DemoFailed(f"{name} is not up after {START_SECONDS:.0f} s. {log}")
            time.sleep(0.25)


def empty_folder(folder: Path) -> None:
    """A new, empty folder with our mark in it, in the place of an earlier demo's.

    Raises ``DemoFailed`` for a folder that holds something and no mark: ``--home`` may be anywhere.
    """
    mark = folder / ".airflow-mlops-demo"
    if folder.exists() and not mark.exists() and any(folder.iterdir()):
        raise DemoFailed(f"{folder} was not made by a demo and is not emptied; choose another --home")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()


def new_site(
    repository: Path, home: Path, *, model: str, key_column: str, time_column: str, port_base: int | None
) -> Site:
    """A site with free ports: the usual ones, or counted up from ``port_base``, or any that is free."""
    wanted = dict(USUAL_PORTS)
    if port_base is not None:
        wanted = {name: port_base + offset for offset, name in enumerate(USUAL_PORTS)}
    return Site(
        repository=repository,
        home=home,
        model=model,
        key_column=key_column,
        time_column=time_column,
        ports=free_ports({**wanted, **dict.fromkeys(LOG_SERVER_PORTS, 0)}),
        password=secrets.token_urlsafe(9),
        token=secrets.token_urlsafe(24),
    )


def free_ports(wanted: dict[str, int]) -> dict[str, int]:
    """For each name the port that is wanted if it is free, else another one; all different."""
    held = []
    found = {}
    try:
        for name, port in wanted.items():
            held.append(_bound(port) or _bound(0) or socket.socket())
            found[name] = int(held[-1].getsockname()[1])
    finally:
        for taken in held:
            taken.close()
    return found


def _bound(port: int) -> socket.socket | None:
    listener = socket.socket()
    # As servers do: a port whose last connections are just closing is free.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener


def mlflow_command(site: Site) -> list[str]:
    """MLflow with a SQLite backend and artifacts in files, on loopback."""
    folder = site.state / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        sys.executable, "-m", "mlflow", "server",
        "--host", "127.0.0.1",
        "--port", str(site.ports["mlflow"]),
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"),
        "--workers", "1",
    ]  # fmt: skip


def gateway_command(site: Site) -> list[str]:
    """The model server; its token comes by the environment, where no process list shows it."""
    return [
        sys.executable, "-c", "from airflow_mlops.cli.main import main; main()", "serve",
        "--model", site.model,
        "--tracking-uri", site.url("mlflow"),
        "--store", str(site.store),
        "--host", "127.0.0.1",
        "--port", str(site.ports["gateway"]),
        "--key-column", site.key_column,
        "--time-column", site.time_column,
    ]  # fmt: skip


def environment(site: Site) -> dict[str, str]:
    """What every program of the demo finds in its environment; settings of another Airflow are left out."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    here, airflow = str(Path(sys.executable).parent), site.url("airflow")
    return {
        **inherited,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(site.repository / "plugins"), str(SETTINGS)]),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_MODEL_CATALOG_URI": "",
        # Its job runners take 1.5 GB and run nothing of ours.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "AIRFLOW_MLOPS_GATEWAY_TOKEN": site.token,
        "AIRFLOW_HOME": str(site.state / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_database(site)}?timeout={_BUSY_SECONDS}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(site.repository / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(site.repository / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(site.ports["airflow"]),
        "AIRFLOW__API__BASE_URL": airflow,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(site.ports["worker_logs"]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(site.ports["trigger_logs"]),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__MLOPS__STORE": str(site.store),
        "AIRFLOW__MLOPS__CONFIGS_FOLDER": str(site.repository / "configs"),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": _connection("mlflow", site.ports["mlflow"]),
        "AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT": _connection(
            "mlops_gateway", site.ports["gateway"], password=site.token
        ),
    }


def _connection(kind: str, port: int, **more: str) -> str:
    return json.dumps({"conn_type": kind, "schema": "http", "host": "127.0.0.1", "port": port, **more})


def _database(site: Site) -> Path:
    return site.state / "airflow" / "airflow.db"


def _prepare_database(site: Site) -> None:
    """An empty database in write-ahead mode, which stays with the file: readers no longer stop a writer, and
    writers wait for each other (``_BUSY_SECONDS``), where Airflow would answer 500, "database is locked".
    """
    with contextlib.closing(sqlite3.connect(_database(site))) as database:
        database.execute("PRAGMA journal_mode=WAL")


def _seed_password(site: Site) -> None:
    """Airflow's simple login takes the password it finds here instead of inventing one."""
    folder = site.state / "airflow"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "simple_auth_manager_passwords.json.generated"
    file.touch(mode=0o600)
    file.write_text(json.dumps({USER: site.password}))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False
