"""What a broken YAML becomes in each process that parses whole files: an import error, a DAG, or words."""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import sys

import airflow.dag_processing.processor  # noqa: F401 (loaded in every process that it starts)
import pytest
from airflow import settings
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlops.factory import load_dags, reporting
from airflow_mlops.factory.import_errors import BrokenConfig

BAD = "levle: 2\n"
GOOD = {"rain.train", "rain.deploy", "rain.rollback"}


@pytest.fixture
def load(tmp_path):
    """Run the loader as if it were ``mlops.py`` in the test's folder; its DAGs by their id."""

    def run() -> dict[str, DAG]:
        namespace: dict = {"__file__": str(tmp_path / "mlops.py")}
        load_dags(namespace)
        return {value.dag_id: value for value in namespace.values() if isinstance(value, DAG)}

    return run


@pytest.fixture
def parser(monkeypatch):
    """This process counts as the DAG processor's."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")


@pytest.fixture
def changed_airflow(parser, monkeypatch):
    """An Airflow on which an import error cannot be had."""
    monkeypatch.setattr(reporting, "broken_promises", lambda: ["DAG.relative_fileloc"])


def stand_ins(dags):
    return [dag for dag in dags.values() if isinstance(dag, BrokenConfig)]


def test_a_broken_file_stands_in_under_its_own_path_only_while_airflow_parses_whole_files(
    model_yaml, load, monkeypatch, tmp_path
):
    bad = model_yaml("snow", at="winter/snow.yaml", more=BAD)
    assert load() == {}

    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    (stand_in,) = stand_ins(load())
    stand_in.fileloc, stand_in.relative_fileloc = str(tmp_path / "mlops.py"), "mlops.py"
    assert stand_in.relative_fileloc == "winter/snow.yaml"
    stand_in.fileloc = str(tmp_path / "winter" / "dags" / "mlops.py")
    stand_in.relative_fileloc = "dags/mlops.py"
    assert stand_in.relative_fileloc == "snow.yaml"
    assert stand_in.config_path == bad


def test_a_file_whose_name_is_no_unicode_is_still_told_in_unicode(model_yaml, load, parser, tmp_path):
    path = model_yaml("snow", more=BAD + "# \0\n")
    path.rename(tmp_path / os.fsdecode(b"sn\xffw.yaml"))
    (stand_in,) = stand_ins(load())
    for text, name in ((stand_in.relative_fileloc, "sn?w.yaml"), (stand_in.message, r"sn\xffw.yaml")):
        assert name in text.encode().decode()
        assert "\0" not in text


def test_an_endless_message_is_cut_so_that_every_database_keeps_it(model_yaml, load, parser):
    model_yaml("snow", more="".join(f"unknown_{number:0100}: 1\n" for number in range(1000)))
    (stand_in,) = stand_ins(load())
    assert stand_in.message.endswith("and more, which `airflow-mlops lint` shows")
    assert len(stand_in.message.encode()) < 65_535


def test_two_things_that_are_wrong_with_one_file_are_one_import_error(parser, monkeypatch, tmp_path):
    above, dags, other = (tmp_path / name for name in ("defaults.yaml", "dags", "other"))
    for folder in (tmp_path / ".git", dags, other):
        folder.mkdir()
    above.write_text("apiVersion: airflow-mlops/v1\nowner: weather\n")
    monkeypatch.setenv("AIRFLOW__MLOPS__CONFIGS_FOLDER", str(other))
    namespace: dict = {"__file__": str(dags / "mlops.py")}
    load_dags(namespace)
    (stand_in,) = (value for value in namespace.values() if isinstance(value, BrokenConfig))
    assert stand_in.config_path == above
    assert f"above {dags}," in stand_in.message
    assert f"above {other}," in stand_in.message


def test_on_an_airflow_that_has_changed_a_broken_file_is_a_dag_that_says_everything(
    model_yaml, load, changed_airflow, caplog
):
    model_yaml("rain")
    bad = model_yaml("snow", at="winter/first.yaml", more=BAD + "retries: many\n")
    dags = load()
    assert dags.keys() == GOOD | {"snow.config_error"}
    dag = dags["snow.config_error"]
    line = bad.read_text().splitlines().index("levle: 2") + 1
    assert dag.tags == {"config-error", "mlops"}
    assert dag.schedule is None
    assert dag.owner == "weather"
    assert dag.description == f"first.yaml:{line}:1: levle: unknown key; did you mean 'level'?"
    assert f"```text\n{bad}:{line}:1: levle" in dag.doc_md
    assert f"{line:>6} | levle: 2\n       | ^" in dag.doc_md
    assert f"{bad}:{line + 1}:1: retries" in dag.doc_md
    assert "DAG.relative_fileloc" in caplog.text
    DagSerialization.to_dict(dag)


def test_a_run_of_that_dag_fails_with_the_problems_also_in_a_worker(
    model_yaml, load, changed_airflow, monkeypatch
):
    bad = model_yaml("snow", more=BAD)
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "snow.config_error")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "config_error")
    (task,) = load()["snow.config_error"].tasks
    with pytest.raises(AirflowFailException, match="did you mean 'level'") as caught:
        task.execute({})
    assert str(bad) in str(caught.value)
    assert task.retries == 0

    bad.write_text(bad.read_text().replace(BAD, ""))
    assert load() == {}


def test_a_file_that_tells_neither_model_nor_owner_gives_its_name(
    model_yaml, load, changed_airflow, tmp_path
):
    first, again, other = (tmp_path / at for at in ("a/sn w.yaml", "b/sn w.yaml", "c/it's.yaml"))
    for path in (first, again, other):
        path.parent.mkdir()
        path.write_text("apiVersion: airflow-mlops/v1\nmodel: [\n```\n")
    dags = load()
    assert {"sn_w.config_error", "it_s.config_error"} < dags.keys()
    (hashed,) = dags.keys() - {"sn_w.config_error", "it_s.config_error"}
    assert hashed.startswith("sn_w.")
    assert str(again) in dags[hashed].doc_md
    assert str(first) in dags["sn_w.config_error"].doc_md
    assert dags["it_s.config_error"].doc_md.endswith(
        "\n````\n" if "```" in dags[hashed].doc_md else "\n```\n"
    )


def test_a_stand_in_that_a_cluster_policy_refuses_becomes_a_dag_and_hides_no_model(
    model_yaml, load, parser, monkeypatch
):
    def policy(dag):
        if not dag.tasks:
            raise AirflowClusterPolicyViolation("a DAG needs tasks")

    monkeypatch.setattr(settings, "dag_policy", policy)
    model_yaml("rain")
    model_yaml("snow", more=BAD)
    assert load().keys() == GOOD | {"snow.config_error"}


@pytest.mark.parametrize("policy", ["dag_policy", "task_policy"])
def test_what_the_policies_refuse_in_every_form_is_logged_and_hides_no_model(
    model_yaml, load, parser, monkeypatch, caplog, policy
):
    def refuse(dag_or_task):
        raise AirflowClusterPolicyViolation("not here")

    monkeypatch.setattr(settings, policy, refuse)
    monkeypatch.setattr(settings, "dag_policy", lambda dag: 1 / len(dag.tasks) and refuse(dag))
    model_yaml("rain")
    bad = model_yaml("snow", more=BAD)
    assert load().keys() == GOOD
    assert f"Skipped {bad}: {bad}:" in caplog.text


def test_a_processor_that_does_not_mark_its_parser_is_given_the_dag(model_yaml, load, monkeypatch):
    monkeypatch.setattr(reporting, "marks_its_parser", lambda: False)
    model_yaml("rain")
    model_yaml("snow", more=BAD)
    assert load().keys() == GOOD | {"snow.config_error"}


def test_a_command_that_lists_what_it_has_parsed_lists_the_problems(model_yaml, load, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["airflow", "dags", "list-import-errors", "--local"])
    model_yaml("rain")
    bad = [model_yaml(name, more=BAD) for name in ("fog", "snow")]
    dags = load()
    (listed,) = (dag for name, dag in dags.items() if name not in GOOD)
    with pytest.raises(Exception, match="levle") as caught:
        listed.validate()
    assert all(f"{path}:" in str(caught.value) for path in bad)


def test_a_command_that_has_switched_logging_off_says_it_on_standard_error(model_yaml, load, capsys):
    bad = model_yaml("snow", more=BAD)
    logging.disable(logging.CRITICAL)
    try:
        load()
    finally:
        logging.disable(logging.NOTSET)
    assert f"Skipped {bad}: {bad}:" in capsys.readouterr().err


@pytest.mark.slow
def test_where_nothing_is_broken_nothing_of_this_is_imported(model_yaml, tmp_path):
    model_yaml("rain")
    code = (
        "import sys; from airflow_mlops.factory import load_dags\n"
        f"namespace = {{'__file__': {str(tmp_path / 'mlops.py')!r}}}; load_dags(namespace)\n"
        "print(len(namespace), [name for name in sys.modules if name.startswith('airflow_mlops.factory.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, _, modules = done.stdout.splitlines()[-1].partition(" ")
    assert count == "4"
    telling = ("reporting", "contract", "import_errors", "placeholder")
    made = {name.rpartition(".")[2] for name in ast.literal_eval(modules)}
    assert "render" in made
    assert not made.intersection(telling)
