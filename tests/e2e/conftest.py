"""One stack for the whole loop: `airflow standalone`, `mlflow server` and model server, and a browser."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.demo import stack as programs
from airflow_mlops.cli.demo.airflow_api import AirflowApi
from airflow_mlops.cli.demo.processes import Processes
from airflow_mlops.cli.demo.progress import Narrator
from airflow_mlops.cli.demo.stack import Stack, new_site
from airflow_mlops.core.ledger import Entry

REPOSITORY = Path(__file__).parents[2]
MODEL = "breast_cancer"
BROKEN = "apiVersion: airflow-mlops/v1\nmodel: broken\nlevel: 7\n"


class Loop:
    """A client of the running stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.site = stack.site
        self.api = stack.airflow
        self.gateway = httpx.Client(base_url=self.site.url("gateway"), timeout=30)
        self.ledger = connect(Endpoints(store=str(self.site.store))).ledger

    def of(self, user: str) -> AirflowApi:
        """Airflow's API as another person uses it."""
        return AirflowApi(self.site.url("airflow"), user, self.password(user))

    def password(self, user: str) -> str:
        file = self.site.state / "airflow" / "simple_auth_manager_passwords.json.generated"
        return str(json.loads(file.read_text())[user])

    def rewrite(self, *changes: tuple[str, str]) -> None:
        """Edit the model's YAML, and have Airflow parse it at once."""
        path = self.site.repository / "configs" / f"{MODEL}.yaml"
        text = path.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        for role in ("train", "deploy"):
            token = self.api._call("GET", f"/dags/{MODEL}.{role}")["file_token"]
            self.api._send("PUT", f"/parseDagFile/{token}", conflict_is_fine=True)

    def has_task(self, role: str, task: str) -> bool:
        found = self.api._call("GET", f"/dags/{MODEL}.{role}/tasks")["tasks"]
        return any(one["task_id"] == task for one in found)

    def question(self, task: str) -> dict[str, Any]:
        """The form of a task that waits for a person, once it is there and the scheduler knows that it waits.
        Airflow takes an answer that comes sooner for the end of the task, and asks again."""
        found: list[dict[str, Any]] = []

        def is_asked() -> bool:
            path, asked = "/dags/~/dagRuns/~/hitlDetails", {"response_received": False}
            details = self.api._call("GET", path, params=asked)["hitl_details"]
            found[:] = [one for one in details if one["task_instance"]["task_id"] == task]
            return bool(found) and self._is_parked(found[0]["task_instance"])

        self.wait(is_asked, f"the question of {task}")
        return found[0]

    def _is_parked(self, task: dict[str, Any]) -> bool:
        lines = (self.site.logs / "airflow.log").read_text(errors="replace").splitlines()
        parked = f"ti_id={task['id']}", "state=awaiting_input, executor="
        return task["state"] == "awaiting_input" and any(all(p in line for p in parked) for line in lines)

    def answer(self, user: str, question: dict[str, Any], chosen: str, reason: str = "") -> None:
        body = {"chosen_options": [chosen], "params_input": {"reason": reason}}
        self.of(user)._call("PATCH", f"{_task_path(question)}/-1/hitlDetails", json=body)

    def form_url(self, question: dict[str, Any]) -> str:
        """The page with the form, for a browser."""
        task = question["task_instance"]
        page = f"dags/{task['dag_id']}/runs/{task['dag_run_id']}/tasks/{task['task_id']}/required_actions"
        return f"{self.site.url('airflow')}/{page}"

    def entries(self, kind: str) -> list[Entry]:
        return [entry for entry in self.ledger.entries(MODEL) if entry.kind == kind]

    def run(self, role: str, **conf: Any) -> dict[str, str]:
        """Trigger a DAG and wait; the states of its tasks."""
        dag_id = f"{MODEL}.{role}"
        run_id = self.api.trigger(dag_id, conf)
        self.wait(lambda: self.api.runs(dag_id).get(run_id) in {"success", "failed"}, f"{dag_id} {run_id}")
        return {"run": self.api.runs(dag_id)[run_id], **self.api.tasks(dag_id, run_id)}

    def wait(self, is_done, what: str, seconds: float = 480) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            self.stack.check()
            assert time.monotonic() < deadline, f"{what} is not done after {seconds:.0f} s"
            time.sleep(0.5)

    def ask(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = self.gateway.post("/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"]

    @contextmanager
    def traffic(self, rows: list[dict[str, Any]]) -> Iterator[list[int]]:
        """Requests in the background, with keys of their own, until the block ends; their status codes."""
        codes: list[int] = []
        stop = threading.Event()

        def send() -> None:
            turn = 0
            with httpx.Client(base_url=self.site.url("gateway"), timeout=30) as client:
                while not stop.wait(0.1):
                    turn += 1
                    part = [
                        {**row, "biopsy_id": f"live-{turn}-{number}"} for number, row in enumerate(rows[:25])
                    ]
                    codes.append(client.post("/predict", json={"rows": part}).status_code)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield codes
        finally:
            stop.set()
            thread.join()


def _task_path(question: dict[str, Any]) -> str:
    task = question["task_instance"]
    return f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"


@pytest.fixture(scope="module")
def people() -> Iterator[None]:
    """Three who may log in to Airflow; the API server makes up the passwords of the other two."""
    known = programs.environment
    users = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,ada:user,grace:user"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "environment", lambda site: {**known(site), **users})
        yield


@pytest.fixture(scope="module")
def loop(tmp_path_factory, people, port_base) -> Iterator[Loop]:
    home = tmp_path_factory.mktemp("loop")
    repository = home / "repository"
    for folder in ("dags", "plugins"):
        # The examples are parsed by tests/airflow/test_loader.py, and here they would cost seconds.
        shutil.copytree(REPOSITORY / folder, repository / folder, ignore=shutil.ignore_patterns("example_*"))
    (repository / "configs").mkdir()
    config = (REPOSITORY / "configs" / f"{MODEL}.yaml").read_text()
    (repository / "configs" / f"{MODEL}.yaml").write_text(
        # Six training runs stand here, and tests/airflow/test_factory_runs.py has the preflight.
        f"{config}\nexecution: {{retries: 0, retry_delay: 1 second}}\npreflight: {{enabled: false}}\n"
    )
    (repository / "configs" / "broken.yaml").write_text(BROKEN)
    site = new_site(
        repository, home, model=MODEL, key_column="biopsy_id", time_column="taken_at", port_base=port_base
    )
    processes = Processes(home / "running.json")
    stack = Stack(site, processes)
    try:
        stack.start(Narrator([], Console(file=io.StringIO())))
        loop = Loop(stack)
        dags = [f"{MODEL}.{role}" for role in ("train", "deploy", "monitor")]
        loop.wait(lambda: all(loop.api.has_dag(dag) for dag in dags), "parsing the DAGs")
        for dag in dags:
            loop.api.pause(dag, paused=False)
        yield loop
    finally:
        processes.stop()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    sys.path.insert(0, str(REPOSITORY / "plugins"))
    try:
        from breast_cancer.data import biopsies
    finally:
        sys.path.remove(str(REPOSITORY / "plugins"))
    frame = biopsies(datetime(2024, 9, 1, tzinfo=timezone.utc), datetime(2024, 12, 1, tzinfo=timezone.utc))
    return json.loads(frame.drop(columns="malignant").to_json(orient="records", date_format="iso"))


class Browser:
    """Chromium without a window. ``shown`` keeps pictures, for whoever wants to see what a test saw."""

    def __init__(self, folder: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        # As root there is no sandbox; and it is to look for nothing on the network but the page.
        for flag in (
            "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
            "disable-background-networking", "disable-component-update", "disable-sync",
            f"user-data-dir={folder / 'profile'}", "window-size=1280,1700",
        ):  # fmt: skip
            options.add_argument(f"--{flag}")
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.pictures = Path(os.environ.get("AIRFLOW_MLOPS_PICTURES", folder))

    def open(self, url: str, user: str, password: str) -> None:
        """The form at this address, behind Airflow's login."""
        self.driver.get(url)
        self.wait("[name=username]").send_keys(user)
        self.wait("[name=password]").send_keys(password)
        self.wait("button[type=submit]").click()

    def wait(self, selector: str) -> Any:
        """The element, once it can be used."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support import expected_conditions as until
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 60).until(
            until.element_to_be_clickable((By.CSS_SELECTOR, selector))
        )

    def keep(self, name: str) -> None:
        self.driver.save_screenshot(str(self.pictures / f"{name}.png"))


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)} here: `make browser` installs them, as root")
    opened = Browser(tmp_path)
    try:
        yield opened
    finally:
        opened.driver.quit()
