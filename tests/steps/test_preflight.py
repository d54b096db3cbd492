"""The preflight on made-up rows: a fault is named before anything is trained, and nothing is left behind."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from textwrap import dedent

import pandas as pd
import pytest

from airflow_mlops.config.parts.data import ExpectationConfig, PythonSource
from airflow_mlops.config.parts.evaluation import EvaluationConfig
from airflow_mlops.config.parts.gates import Gates
from airflow_mlops.config.parts.gates_custom import CustomGate
from airflow_mlops.config.parts.training import Training
from airflow_mlops.exceptions import ConfigError, PreflightFailed
from airflow_mlops.steps.contracts import contracts
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.model_tests import model_tests
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    DatasetRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.sample import held_out_of, sample_of
from airflow_mlops.steps.sample_run import sample_run
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def request_of(backends, make_run, root):
    """``request_of(config, change)``: a snapshot of the made-up rows, changed."""

    def taken(config, change=lambda rows: rows, run_id="r1"):
        path = root / "rows" / "all.parquet"
        change(pd.read_parquet(path)).to_parquet(path)
        run = make_run(40, run_id=run_id)
        return DatasetRequest(config, run, snapshot(SnapshotRequest(config, run), backends))

    return taken


@pytest.fixture
def code(tmp_path, monkeypatch):
    """``code(path, text)``: a file of the user's, in a folder that Python imports from."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def write(path: str, text: str) -> Path:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        return file

    yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0].startswith("own_"):
            del sys.modules[name]


def trained_by(config, path, **more):
    training = config.training.model_copy(update={"callable": path, "estimator": None, **more})
    return config.model_copy(update={"training": training})


def page_of(backends, report: str) -> str:
    return backends.store.local_path(report).read_text()


def left_behind(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_sample_goes_through_every_step_without_the_holdout_and_leaves_only_its_report(
    config, backends, request_of, root, monkeypatch
):
    about_all = ExpectationConfig(
        type="expect_table_row_count_to_be_between", kwargs={"min_value": 10_000_000}
    )
    expectations = (*config.validation.expectations, about_all)
    validation = config.validation.model_copy(update={"expectations": expectations})
    request = request_of(config.model_copy(update={"validation": validation}))
    before, parts = left_behind(root), []
    load = type(backends.datasets).load

    def noted(self, dataset, part):
        parts.append((dataset.version, part))
        return load(self, dataset, part)

    monkeypatch.setattr(type(backends.datasets), "load", noted)
    report = sample_run(request, backends)
    assert report.summary == {"rows": 600, "largest_difference": 0.0, "not_measured": []}
    assert {part for version, part in parts if version == request.snapshot.dataset.version} == {"train"}
    assert left_behind(root) - before == {"reports/churn.train/r1/sample_run.html"}
    assert backends.tracking.runs == {}
    assert backends.tracking.aliases == {}
    page = page_of(backends, report.uri)
    assert all(
        step in page for step in ("validate", "train", "saving and loading", "evaluate", "gate", "register")
    )


@pytest.mark.slow
def test_a_model_that_leans_on_what_its_training_left_in_memory_is_caught_in_a_fresh_process(
    config, backends, request_of, code
):
    code(
        "own_skew/__init__.py",
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        SCALE = {"by": 1.0}

        def scaled(rows):
            return rows[["age", "spend"]] * SCALE["by"]

        def train(features, label, params, seed):
            SCALE["by"] = float(1 / features["spend"].max())
            return make_pipeline(FunctionTransformer(scaled), LogisticRegression()).fit(features, label)
        """,
    )
    config = trained_by(config, "own_skew:train", trusted_types=("own_skew.scaled",))
    with pytest.raises(
        PreflightFailed, match=r"^saving and loading fails on a sample of \d+ rows: training-serving skew"
    ) as failed:
        sample_run(request_of(config), backends)
    assert "training-serving skew" in page_of(backends, failed.value.report)


def test_training_code_that_raises_names_the_step_and_its_own_error(config, backends, request_of, code):
    code("own_broken.py", "def train(features, label, params, seed):\n    raise KeyError('gust')\n")
    with pytest.raises(
        PreflightFailed, match=r"^train fails on a sample of \d+ rows: own_broken:train raised KeyError"
    ):
        sample_run(request_of(trained_by(config, "own_broken:train")), backends)


def test_every_class_is_in_both_parts_of_a_sample_however_rare_one_is(config):
    rows = pd.DataFrame({"churned": [1] * 30 + [0] * 5_000})
    sample = sample_of(rows, config)
    assert len(sample) == 2_020
    held_out = held_out_of(sample, config)
    assert sample[held_out]["churned"].value_counts().to_dict() == {0: 400, 1: 4}
    assert sample[~held_out]["churned"].value_counts().to_dict() == {0: 1600, 1: 16}


def test_a_row_that_breaks_an_expectation_is_found_in_the_sample(config, backends, request_of):
    def without_age(rows):
        return rows.assign(age=rows["age"].where(rows.index % 50 > 0))

    with pytest.raises(
        PreflightFailed, match=r"(?s)^validate fails .*not_be_null on age: 12 of 600 rows"
    ) as failed:
        sample_run(request_of(config, without_age), backends)
    assert "file://" not in str(failed.value), "the page of the sample is gone"


TESTS = """
    import pytest

    def test_the_sample_is_of_this_model(mlops_config, mlops_sample):
        assert mlops_config.model == "churn"
        assert set(mlops_config.data.columns) == set(mlops_sample.columns)

    class TestRows:
        @pytest.mark.parametrize("column", ["age", "spend"])
        def test_no_row_is_negative(self, mlops_sample, column):
            lowest = mlops_sample[column].min()
            assert lowest >= 0
"""


def with_tests(config, *tests, timeout="10 minutes"):
    preflight = config.preflight.model_copy(update={"tests": tests, "timeout": timeout})
    return config.model_copy(update={"preflight": preflight})


@pytest.mark.slow
def test_a_failing_test_is_named_first_with_its_line_and_stands_in_the_report(
    config, backends, request_of, code, root
):
    file = code("own_churn/tests/test_rows.py", TESTS)
    before = sorted(file.parents[1].rglob("*"))
    with pytest.raises(PreflightFailed) as failed:
        model_tests(request_of(with_tests(config, "own_churn/tests")), backends)
    first, second, *_ = str(failed.value).splitlines()
    assert first.startswith(
        "own_churn/tests/test_rows.py::TestRows::test_no_row_is_negative[age]: AssertionError ("
    )
    assert first.endswith("(own_churn/tests/test_rows.py:12: assert lowest >= 0)")
    assert second == "1 of 3 tests of the model failed, and nothing was trained."
    page = page_of(backends, failed.value.report)
    assert "TestRows::test_no_row_is_negative[age]" in page
    assert "assert lowest &gt;= 0" in page
    assert "<testsuite" in (root / "reports/churn.train/r1/model_tests.xml").read_text()
    assert sorted(file.parents[1].rglob("*")) == before, "a versioned bundle would be refused"


@pytest.mark.slow
def test_a_file_of_tests_that_cannot_be_imported_is_a_failed_test(config, backends, request_of, code):
    code("own_churn/tests/test_rows.py", "import nothing_of_that_name\n")
    with pytest.raises(PreflightFailed, match=r"^own_churn/tests/test_rows\.py.*nothing_of_that_name"):
        model_tests(request_of(with_tests(config, "own_churn/tests")), backends)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def check(): pass\n", "pytest found none"),
        (
            "import pytest\n@pytest.mark.skip(reason='later')\ndef test_it(): pass\n",
            "all 1 were skipped.*later",
        ),
    ],
)
def test_tests_that_test_nothing_fail(config, backends, request_of, code, text, why):
    code("own_churn/tests/test_rows.py", text)
    with pytest.raises(PreflightFailed, match=f"no test ran: {why}"):
        model_tests(request_of(with_tests(config, "own_churn/tests")), backends)


def test_tests_that_hang_are_ended(config, backends, request_of, code):
    code("own_churn/tests/test_rows.py", "import time\ndef test_it_ends(): time.sleep(600)\n")
    with pytest.raises(PreflightFailed, match="tests were not over within 1 seconds"):
        model_tests(request_of(with_tests(config, "own_churn/tests", timeout="1 second")), backends)


def test_tests_that_are_not_there_are_named_with_the_folders_that_were_looked_in(
    config, backends, request_of, code
):
    folder = code("own_churn/__init__.py", "").parents[1]
    with pytest.raises(ConfigError, match=rf"(?s)no 'own_churn/tests' in any folder .*{folder}"):
        model_tests(request_of(with_tests(config, "own_churn/tests")), backends)


def test_contracts_hold_for_a_model_as_it_should_be(config, backends, request_of):
    summary = contracts(request_of(config), backends).summary
    assert summary["checks"] > 5
    assert summary["warnings"] == []


def test_code_that_cannot_be_called_as_it_will_be_is_told_with_all_else_that_is_wrong(
    config, backends, request_of, code
):
    code("own_code.py", "def train(features, label):\n    pass\n\ndef rows(start, end):\n    pass\n")
    asked = request_of(config)
    source = PythonSource(type="python", callable="own_code:rows", params={"region": "north"})
    data = config.data.model_copy(update={"source": source})
    broken = trained_by(config, "own_code:train").model_copy(update={"data": data})
    with pytest.raises(PreflightFailed) as failed:
        contracts(replace(asked, config=broken), backends)
    told = str(failed.value)
    called = "own_code:train is called as (features, label, params, seed), but it takes (features, label)"
    assert f"training.callable: {called}" in told
    assert told.startswith(
        "data.source.callable: own_code:rows is called as (start=..., end=..., region=...)"
    )


def test_a_gate_of_ones_own_that_cannot_be_called_is_told(config, backends, request_of, code):
    code("own_code.py", "def calm(evidence, most):\n    pass\n")
    gate = CustomGate(type="custom", callable="own_code:calm", params={"least": 1})
    gates = config.gates.model_copy(update={"rules": (*config.gates.rules, gate)})
    called = r"own_code:calm is called as \(evidence, least=\.\.\.\), but it takes \(evidence, most\)"
    with pytest.raises(PreflightFailed, match=rf"gates\.rules\.2\.callable: {called}"):
        contracts(request_of(config.model_copy(update={"gates": gates})), backends)


def test_a_trusted_type_that_leads_nowhere_is_told(config, backends, request_of):
    training = config.training.model_copy(update={"trusted_types": ("sklearn.Encoder",)})
    summary = contracts(request_of(config.model_copy(update={"training": training})), backends).summary
    (warning,) = summary["warnings"]
    assert warning.startswith("training.trusted_types.0: sklearn.Encoder: there is no 'Encoder'")


def test_a_parameter_that_the_estimator_does_not_know_is_found(config, backends, request_of):
    training = config.training.model_copy(update={"params": {"depth": 3}})
    with pytest.raises(PreflightFailed, match=r"training\.estimator: .*unexpected keyword argument 'depth'"):
        contracts(request_of(config.model_copy(update={"training": training})), backends)


def test_a_categorical_column_that_names_its_row_is_refused(config, backends, request_of):
    with pytest.raises(PreflightFailed, match=r"data\.features\.plan: .* 600 of 600 values are different"):
        contracts(request_of(config, lambda rows: rows.assign(plan=rows["id"])), backends)


def test_columns_that_the_champion_was_not_trained_on_are_told_before_training(config, backends, request_of):
    asked = request_of(config)
    run, taken = asked.run, asked.snapshot
    trained = train(TrainRequest(config, asked.run, asked.snapshot), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    verdict = gate(GateRequest(config, run, taken, trained, evaluation), backends)
    model = register(RegisterRequest(config, run, taken, trained, evaluation, verdict), backends)
    backends.tracking.set_alias("churn", "champion", model.version)
    assert contracts(asked, backends).summary["warnings"] == []

    features = {"age": "numeric", "tenure": "numeric", "plan": "numeric"}
    data = config.data.model_copy(update={"features": features})
    changed = request_of(
        config.model_copy(update={"data": data}),
        lambda rows: rows.assign(tenure=rows["spend"], plan=1.0),
        run_id="r2",
    )
    (warning,) = contracts(changed, backends).summary["warnings"]
    assert warning == (
        "the champion's columns: churn version 1 was trained on others: tenure is new; spend is gone; "
        "plan was string and is double"
    )


def test_a_ranking_is_tried_with_its_queries(config, request_of, backends):
    config = config.model_copy(
        update={
            "task": "ranking",
            "data": config.data.model_copy(update={"group": "query"}),
            "training": Training(estimator="sklearn.linear_model.LinearRegression"),
            "evaluation": EvaluationConfig(metrics=["ndcg"]),
            "gates": Gates(
                rules=[
                    {"type": "threshold", "metric": "ndcg", "minimum": 0.1},
                    {"type": "champion", "metric": "ndcg", "margin": 0.1},
                ]
            ),
        }
    )
    queries = lambda rows: rows.assign(query=[f"q{index // 7}" for index in range(len(rows))])  # noqa: E731
    assert sample_run(request_of(config, queries), backends).summary["not_measured"] == []
