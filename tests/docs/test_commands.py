"""Every command of the documentation is tried: run where it is ours, else held against its own parser."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.main import main
from airflow_mlops.config.load import load_model
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef
from airflow_mlops.core.windows import Window
from airflow_mlops.get_provider_info import get_provider_info
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.steps.plan_reversal import PlannedReversal
from airflow_mlops.steps.requests import Reversal

PROMOTED = datetime(2026, 8, 1, tzinfo=timezone.utc)


@pytest.fixture
def reader(tutorial: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """Where a reader of the tutorial stands: in AIRFLOW_HOME, with a first champion of each of two models."""
    monkeypatch.setenv("AIRFLOW_MLOPS_GATEWAY_TOKEN", "secret")
    monkeypatch.setenv("MLFLOW_TOKEN", "secret")
    monkeypatch.setenv("PROMETHEUS_TOKEN", "secret")
    monkeypatch.setenv("READER_HOME", str(tutorial))
    monkeypatch.chdir(tutorial)
    ledger = connect(Endpoints(store=str(tutorial / "mlops"))).ledger
    for model in ("churn", "harmful_content"):
        ledger.append(
            Entry(
                model=model,
                kind="promoted",
                subject="1",
                version="1",
                at=PROMOTED,
                dag_id=f"{model}.deploy",
                run_id="manual",
                reasons=("first champion: there was none to compare with",),
            )
        )
    return tutorial


def test_a_command_is_one_that_works(command, reader, repository, monkeypatch, request) -> None:
    if command.block.page.name == "layers.md":
        request.getfixturevalue("layers")
    text = command.text.replace("$AIRFLOW_HOME", "$READER_HOME").replace("$(openssl rand -hex 24)", "secret")
    words = shlex.split(os.path.expandvars(text))
    assert words[0] in _TRIED, f"nobody knows how to try {words[0]!r}; teach tests/docs/test_commands.py"
    _TRIED[words[0]](words[1:], reader, repository, monkeypatch)


def _ours(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if words[0] == "rollback":
        _without_servers(monkeypatch)
        words = [*words, "--yes"]
    served: list[Any] = []
    monkeypatch.setattr("airflow_mlops.gateway.server.serve", served.append)
    monkeypatch.setattr("airflow_mlops.backends.ledger_metrics.serve_metrics", _served_for_no_time)
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    if words[0] == "serve":
        data = yaml.safe_load((reader / "dags" / "churn.yaml").read_text())["data"]
        settings = served[0]
        assert (settings.model, settings.key_column, settings.time_column) == (
            "churn",
            data["key"],
            data["time_column"],
        )
        assert settings.store == reader / "mlops"


def _served_for_no_time(_: Any, **bound: Any) -> tuple[int, threading.Thread]:
    """The exporter would serve until it is stopped; tests/cli/test_metrics.py has it answer."""
    thread = threading.Thread(target=lambda: None)
    thread.start()
    return bound["port"], thread


def _without_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback without the servers it would ask; tests/gateway/test_rollback.py has them."""
    back, out = ModelRef("churn", "2"), ModelRef("churn", "3")
    monkeypatch.setattr(
        "airflow_mlops.steps.plan_reversal.plan_reversal", lambda *_: PlannedReversal(back, out)
    )
    monkeypatch.setattr(
        "airflow_mlops.steps.reverse.reverse", lambda *_: Reversal("churn", "2", None, previous="3")
    )


def _make(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), re.MULTILINE)
    assert set(words) <= set(targets)


def _pip(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert words[0] == "install"
    for asked in map(Requirement, words[1:]):
        assert asked.name == project["name"]
        assert asked.extras <= set(project["optional-dependencies"])


def _airflow(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.cli.cli_parser import get_parser

    asked = vars(get_parser().parse_args(words))
    if asked.get("dag_id") is not None:
        loaded = load_model(reader / "dags" / "churn.yaml")
        known = {dag.dag_id for dag in compile_plan(loaded.config, loaded.digest).dags} | {
            "churn.monitor",
            "churn.score",
        }
        assert asked["dag_id"] in known
    if asked.get("conn_type") is not None:
        kinds = {kind["connection-type"] for kind in get_provider_info()["connection-types"]}
        assert asked["conn_type"] in kinds | {"http", "aws", "kubernetes", "slackwebhook", "smtp"}
    if asked.get("conf") is not None:
        assert set(json.loads(asked["conf"])) <= {"window_start", "window_end", "reason", "version"}


def _mlflow(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.cli import cli

    command = cli.commands[words[0]]
    command.make_context(words[0], list(words[1:]))


def _curl(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is a route of the model server or of Airflow, and the body one that it takes."""
    if "/api/v2/" in next(word for word in words if word.startswith("http://")):
        _curl_airflow(words)
        return
    from airflow_mlops.gateway.admin import admin_app
    from airflow_mlops.gateway.app import other_routes
    from airflow_mlops.gateway.bodies import RollBack
    from airflow_mlops.gateway.predictions import PATHS
    from airflow_mlops.gateway.process import Gateway
    from airflow_mlops.gateway.settings import Settings

    gateway = Gateway(Settings(model="churn", store=reader / "mlops"), loader=None)
    public = {*PATHS, *(route.path for route in other_routes(gateway).routes)}
    admin = {f"/admin{route.path}" for route in admin_app(gateway).routes}
    path = urlsplit(next(word for word in words if word.startswith("http://"))).path
    assert path in public | admin
    body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
    if path == "/predict":
        data = load_model(reader / "dags" / "churn.yaml").config.data
        assert all(set(row) == {data.key, *data.features} for row in body["rows"])
    elif body is not None:
        RollBack.model_validate(body)


def _curl_airflow(words: list[str]) -> None:
    """An answer to a form, or the list of those that wait for one."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import task_instances_hitl_router

    from airflow_mlops.operators.approval import ApproveRolloutOperator
    from airflow_mlops.operators.review import ReviewChallengerOperator

    asks = {"approve": ApproveRolloutOperator, "review": ReviewChallengerOperator}
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    path = urlsplit(next(word for word in words if word.startswith("http://"))).path
    routes = [route for route in task_instances_hitl_router.routes if method in route.methods]
    (match,) = [found for route in routes if (found := route.path_regex.match(path.removeprefix("/api/v2")))]
    assert match["dag_id"] in {"churn.train", "churn.deploy"}
    if method == "PATCH":
        said = UpdateHITLDetailPayload.model_validate_json(words[words.index("-d") + 1])
        asked = asks[match["task_id"]]
        assert set(said.chosen_options) <= {asked.yes, asked.no}
        assert set(said.params_input) == {"reason"}


def _export(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = words[0].partition("=")[0]
    options = {
        f"AIRFLOW__MLOPS__{option.upper()}" for option in get_provider_info()["config"]["mlops"]["options"]
    }
    assert name in options | {"AIRFLOW_MLOPS_GATEWAY_TOKEN"}


def _pytest(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of the page about the preflight, by hand: on the tutorial's model and rows of its source."""
    page = (repository / "docs" / "how-to" / "preflight.md").read_text()
    ((name, text),) = re.findall(r"^```python file=(\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = reader / name
    file.parent.mkdir()
    file.write_text(text)
    monkeypatch.syspath_prepend(str(reader / "plugins"))
    config = load_model(reader / "dags" / "churn.yaml").config
    source = connect(Endpoints(store=str(reader / "mlops"))).data_source("python", dict(config.data.source))
    window = Window(PROMOTED - timedelta(days=9), PROMOTED)
    rows = source.read(window, time_column=config.data.time_column, columns=config.data.columns)
    rows.to_parquet(reader / "rows.parquet")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def _kubectl(words: list[str], reader: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An applied file is in the repository, and all its objects in the namespace that was made before it."""
    if words[0] == "create":
        assert words[1:] == ["namespace", "models"]
        return
    assert words[:2] == ["apply", "-f"]
    for one in yaml.safe_load_all((repository / words[2]).read_text()):
        if not one["kind"].startswith("Cluster"):
            assert one["metadata"]["namespace"] in ("models", "airflow")


_TRIED: dict[str, Callable[[list[str], Path, Path, pytest.MonkeyPatch], None]] = {
    "airflow-mlops": _ours,
    "airflow": _airflow,
    "mlflow": _mlflow,
    "kubectl": _kubectl,
    "make": _make,
    "pip": _pip,
    "curl": _curl,
    "export": _export,
    "pytest": _pytest,
}
