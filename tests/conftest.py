"""Shared by all tests: nothing may phone home, and heavy libraries stay single-threaded."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_MODEL_CATALOG_URI", "")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def port_base() -> int:
    """Where the ports of this worker's servers begin. Two workers that start an Airflow at one moment both
    find the usual ports free; these are apart, and below those that a system hands out."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return 21_000 + 100 * int(worker)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which of the two the Kubernetes tests ran on."""
    ran = [report for reports in terminalreporter.stats.values() for report in reports]
    if not any("kube" in getattr(report, "nodeid", "") for report in ran):
        return
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    which = f"a real API server from {assets}" if assets else "the stand-in (KUBEBUILDER_ASSETS is not set)"
    terminalreporter.write_line(f"Kubernetes tests ran on {which}")
