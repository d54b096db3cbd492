"""The internals of Airflow that the stand-in of a broken YAML leans on, one by one, on the installed Airflow.

If one of these fails, an Airflow has changed: broken files are then shown by placeholder DAGs. Nothing is
lost, but an import error under the file's own path was better.
"""

from __future__ import annotations

import sys

import attrs
import pytest
from airflow.dag_processing import processor
from airflow.sdk import DAG
from airflow.version import version

from airflow_mlops.factory import contract
from airflow_mlops.factory.contract import PROMISES, broken_promises, marks_its_parser

RELATIVE, BAGGED, FILED, MARKED = PROMISES


@pytest.mark.parametrize("promise", PROMISES)
def test_the_installed_airflow_keeps(promise):
    assert broken_promises({promise: PROMISES[promise]}) == [], (
        f"Airflow {version} has changed in {promise}. Broken YAMLs are shown by placeholder DAGs "
        "(<model>.config_error) until factory/import_errors.py knows the new way."
    )


def an_older_processor(bag, log):
    """Files errors under the path of the Python file, which takes all of its DAGs along."""
    dags, errors = REAL(bag, log)
    return dags, {bag.dags[name].fileloc: text for name in bag.dags for text in errors.values()}


def a_terse_processor(bag, log):
    dags, errors = REAL(bag, log)
    return dags, dict.fromkeys(errors, "Failed to serialize")


REAL = processor._serialize_dags


@pytest.mark.parametrize(
    ("what", "attribute", "instead", "lost"),
    [
        (processor, "_serialize_dags", an_older_processor, FILED),
        (processor, "_serialize_dags", a_terse_processor, FILED),
        (processor, "_serialize_dags", lambda dags: dags, FILED),
        (processor, "_serialize_dags", None, FILED),
        (processor, "_parse_file_entrypoint", lambda: None, MARKED),
        (processor, "_parse_file_entrypoint", None, MARKED),
        (DAG, "validate", lambda dag: 1 / len(dag.tasks), BAGGED),
        (DAG, "check_cycle", None, BAGGED),
    ],
)
def test_a_change_of_airflow_is_noticed_and_named(monkeypatch, what, attribute, instead, lost):
    monkeypatch.setattr(what, attribute, instead)
    assert broken_promises() == [lost]


def test_a_dag_whose_path_cannot_be_answered_by_a_subclass_is_noticed(monkeypatch):
    """As it would be if Airflow kept the path elsewhere and wrote it there when it bags the DAG."""

    @attrs.define
    class Elsewhere:
        fileloc: str = ""
        relative_fileloc: str = ""

    monkeypatch.setattr(contract, "broken_config", lambda path, message: Elsewhere())
    assert broken_promises({RELATIVE: PROMISES[RELATIVE]}) == [RELATIVE]


def test_a_process_that_never_loaded_the_processor_is_not_its_parser(monkeypatch):
    monkeypatch.delitem(sys.modules, contract.PROCESSOR)
    assert marks_its_parser()
    assert contract.PROCESSOR not in sys.modules, "asking must not load it"


def test_where_the_processor_has_moved_no_process_is_known_to_be_another(monkeypatch):
    monkeypatch.setattr(contract, "PROCESSOR", "airflow.dag_processing.elsewhere")
    assert not marks_its_parser()


def test_a_worker_without_airflow_core_is_not_the_parser(monkeypatch):
    def find_spec(name):
        if name == contract.PROCESSOR:
            raise ModuleNotFoundError(name)

    monkeypatch.delitem(sys.modules, contract.PROCESSOR)
    monkeypatch.setattr(contract.importlib.util, "find_spec", find_spec)
    assert marks_its_parser()
