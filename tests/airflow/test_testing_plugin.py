"""The pytest plugin, used the way somebody with models of their own uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = "pytester"


def test_importing_the_plugin_imports_no_airflow():
    loaded = "[name for name in sys.modules if name == 'airflow' or name.startswith(('airflow.', 'mlflow'))]"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, airflow_mlops.testing.plugin; print({loaded})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose tests import Airflow at their top."""
    pytester.makepyfile(
        """
        import os
        from airflow.sdk import DAG
        from airflow.configuration import conf

        def test_airflow_lives_in_a_home_of_its_own(mlops_airflow_home):
            assert conf.get("core", "dags_folder") == str(mlops_airflow_home / "dags")
            assert os.environ["AIRFLOW_HOME"] == str(mlops_airflow_home)
        """
    )
    return pytester


@pytest.mark.slow
@pytest.mark.airflow
def test_the_ini_option_gives_every_worker_its_own_home(project):
    project.makeini("[pytest]\nmlops_airflow = true\n")
    result = project.runpytest_subprocess("-n2", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert not list(Path(project.path).glob("airflow-mlops-home-*"))


def test_a_home_that_comes_too_late_is_refused_with_the_option_to_set(project):
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Airflow was imported before*mlops_airflow = true*"])


@pytest.mark.slow
@pytest.mark.airflow
def test_a_dag_by_hand_runs_and_its_results_states_and_events_are_read_back(mlops_run_dag):
    from airflow.sdk import DAG, Asset, task

    dag = DAG("by_hand", auto_register=False)

    @task(dag=dag)
    def count() -> dict[str, int]:
        return {"rows": 3}

    @task(dag=dag)
    def skip() -> None:
        from airflow.sdk.exceptions import AirflowSkipException

        raise AirflowSkipException

    @task(dag=dag, outlets=[Asset("by_hand/done")])
    def announce(counted: dict[str, int], *, outlet_events) -> None:
        outlet_events[Asset("by_hand/done")].extra = counted

    announce(count())
    skip()

    run = mlops_run_dag(dag)

    assert run.state == "success"
    assert run.tasks == {"count": "success", "skip": "skipped", "announce": "success"}
    assert run.results["count"] == {"rows": 3}
    assert run.events == {"by_hand/done": {"rows": 3}}


@pytest.mark.slow
@pytest.mark.airflow
def test_a_failed_task_is_told_without_waiting_for_its_retries(mlops_run_dag):
    from airflow.sdk import DAG, task

    dag = DAG("fails", auto_register=False)

    @task(dag=dag, retries=3)
    def fail() -> None:
        raise ValueError("no rows")

    fail()

    run = mlops_run_dag(dag)

    assert (run.state, run.tasks) == ("failed", {"fail": "failed"})
