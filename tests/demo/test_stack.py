"""How the demo's programs are set up."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from airflow_mlops.cli.demo.failures import DemoFailed
from airflow_mlops.cli.demo.stack import (
    Site,
    empty_folder,
    environment,
    free_ports,
    gateway_command,
    new_site,
)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(
        REPOSITORY,
        tmp_path,
        model="flight_delay",
        key_column="flight_id",
        time_column="departs_at",
        port_base=None,
    )


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = free_ports({"airflow": port, "mlflow": 0})
    assert found["airflow"] != port
    assert found["airflow"] != found["mlflow"]


def test_a_free_port_that_is_wanted_is_taken() -> None:
    port = free_ports({"any": 0})["any"]
    assert free_ports({"airflow": port}) == {"airflow": port}


def test_settings_of_another_airflow_do_not_reach_the_demos(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    found = environment(site)
    assert "AIRFLOW__CORE__EXECUTOR" not in found
    assert found["AIRFLOW_HOME"].startswith(str(site.home))


def test_airflow_and_its_tasks_are_told_the_port_that_was_found(site: Site) -> None:
    found, url = environment(site), site.url("airflow")
    assert found["AIRFLOW__API__BASE_URL"] == url
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"{url}/execution/"
    gateway = json.loads(found["AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT"])
    assert f"http://{gateway['host']}:{gateway['port']}" == site.url("gateway")


def test_a_folder_of_an_earlier_demo_is_emptied_and_anybody_elses_is_not(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "state", tmp_path / "logs"
    for _ in range(2):
        empty_folder(ours)
        (ours / "airflow.db").touch()
    empty_folder(ours)
    assert not (ours / "airflow.db").exists()
    theirs.mkdir()
    (theirs / "thesis.tex").touch()
    with pytest.raises(DemoFailed, match=r"choose another --home"):
        empty_folder(theirs)
    assert (theirs / "thesis.tex").exists()


def test_no_secret_is_on_a_command_line(site: Site) -> None:
    assert site.token not in " ".join(gateway_command(site))
    assert environment(site)["AIRFLOW_MLOPS_GATEWAY_TOKEN"] == site.token


def test_two_demos_never_share_a_secret(site: Site, tmp_path: Path) -> None:
    other = new_site(REPOSITORY, tmp_path, model="m", key_column="k", time_column="t", port_base=None)
    assert {site.password, site.token}.isdisjoint({other.password, other.token})
