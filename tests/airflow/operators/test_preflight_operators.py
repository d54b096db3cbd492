"""A failing preflight as a person meets it: the task's error, the link beside it, the page behind that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException
from pandas import DataFrame, Timestamp

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.datasets_parquet import ParquetDatasets
from airflow_mlops.core.windows import Window
from airflow_mlops.operators import ModelTestsOperator, SampleRunOperator
from airflow_mlops.operators.other_python import OtherPython, StepFailed
from airflow_mlops.steps.catalog import dump_request
from airflow_mlops.steps.requests import Snapshot
from airflow_mlops.ui.reports import report


@pytest.fixture
def snapshot(backends):
    """Thirty rows of customers, the last ten of them the holdout."""
    backends.datasets = ParquetDatasets(backends.real.store)
    backends.store = backends.real.store
    start = Timestamp("2026-01-01", tz="UTC")
    rows = DataFrame(
        {
            "id": [f"r{number}" for number in range(30)],
            "at": [start + timedelta(days=number) for number in range(30)],
            "age": [float(number) for number in range(30)],
            "plan": ["free", "pro", "pro"] * 10,
            "churned": [0, 1] * 15,
        }
    )
    dataset = backends.datasets.save(
        rows,
        model="churn",
        window=Window(start, start + timedelta(days=30)),
        time_column="at",
        holdout_start=start + timedelta(days=20),
    )
    return dump_request(Snapshot(dataset))


@pytest.mark.slow
def test_the_failing_test_is_the_first_thing_the_log_says_and_the_link_leads_to_its_page(
    backends, config, make_context, snapshot, tmp_path, monkeypatch
):
    tests = tmp_path / "own_churn" / "tests"
    tests.mkdir(parents=True)
    (tests / "test_plans.py").write_text(
        "def test_every_plan_is_sold(mlops_config, mlops_sample):\n"
        "    plans = set(mlops_sample['plan'])\n"
        "    assert plans <= {'free'}, mlops_config.model\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    preflight = config.preflight.model_copy(update={"tests": ("own_churn/tests",)})
    task = ModelTestsOperator(
        task_id="model_tests", model=config.model_copy(update={"preflight": preflight}), snapshot=snapshot
    )
    with pytest.raises(AirflowFailException) as failed:
        task.execute(make_context())
    error_line = str(failed.value).splitlines()[0]
    name = "own_churn/tests/test_plans.py::test_every_plan_is_sold"
    assert error_line.startswith(f"{name}: AssertionError: churn")
    assert "test_plans.py:3: assert plans <= {'free'}" in error_line
    (link,) = task.operator_extra_links
    url = link.get_link(task, ti_key=None)
    assert url.endswith("/mlops/reports/churn.train/r1/model_tests.html")
    shown = report(*url.split("/")[-3:]).body.decode()
    assert name in shown


def test_a_report_of_a_step_that_failed_in_another_python_is_linked_as_well(tmp_path: Path):
    program = tmp_path / "python"
    said = '{"error": "PreflightFailed", "message": "no", "report": "file:///s/reports/d/r/sample_run.html"}'
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 65\n")
    program.chmod(0o755)
    with pytest.raises(StepFailed) as failed:
        OtherPython(str(program)).run("sample_run", {}, Endpoints(store="/s"), print)
    assert failed.value.report == "file:///s/reports/d/r/sample_run.html"


def test_a_task_that_is_red_for_another_reason_links_to_nothing(backends, config, make_context, snapshot):
    broken = {**snapshot, "dataset": {**snapshot["dataset"], "uri": "file:///gone.parquet"}}
    task = SampleRunOperator(task_id="sample_run", model=config, snapshot=broken)
    with pytest.raises(AirflowFailException, match="gone from the store"):
        task.execute(make_context())
    (link,) = task.operator_extra_links
    assert link.get_link(task, ti_key=None) == ""
