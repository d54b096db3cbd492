"""Each alert rule fires where it should and nowhere else, by Prometheus' own tool."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from airflow_mlops.backends.ledger_metrics import PREFIX
from airflow_mlops.cli.alert_rules import RULES_FILE
from airflow_mlops.cli.main import main
from airflow_mlops.core.model_metrics import FAMILIES

TESTS = Path(__file__).with_name("alert_rules_test.yaml")


@pytest.fixture
def promtool() -> str:
    beside = Path(sys.executable).parent / "promtool"
    found = str(beside) if beside.is_file() else shutil.which("promtool")
    if found is None:
        pytest.skip("no Prometheus here: make prometheus gets one")
    return found


def test_prometheus_takes_the_rules(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(CliRunner().invoke(main, ["alert-rules"]).output)
    done = subprocess.run(
        [promtool, "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_fires_where_it_should_and_nowhere_else(promtool: str, tmp_path: Path) -> None:
    shutil.copy(RULES_FILE, tmp_path)
    shutil.copy(TESTS, tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", TESTS.name], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_tested_for_firing_and_for_silence() -> None:
    named = [
        rule["alert"] for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]
    ]
    cases = [case for one in yaml.safe_load(TESTS.read_text())["tests"] for case in one["alert_rule_test"]]
    for name in named:
        expected = [bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name]
        assert {True, False} == set(expected), f"{name} needs a case that fires and one that does not"


def test_every_metric_of_the_rules_is_one_that_is_there() -> None:
    source = (RULES_FILE.parents[1] / "gateway" / "metrics.py").read_text()
    there = {f"{PREFIX}{name}" for name in FAMILIES} | {"mlops_ledger_readable"}
    for name in set(re.findall(r"mlops_\w+", " ".join(_expressions()))):
        stem = name.removeprefix("mlops_gateway_").removesuffix("_total").removesuffix("_bucket")
        assert name in there or f'{{prefix}}_{stem}"' in source, name


def _expressions() -> list[str]:
    return [
        rule["expr"] for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]
    ]


def test_prometheus_takes_the_configuration_of_the_page(promtool: str, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "prometheus.md"
    (config,) = re.findall(r"^```yml [^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "prometheus.yml").write_text(config)
    shutil.copy(RULES_FILE, tmp_path / "airflow-mlops.rules.yaml")
    done = subprocess.run([promtool, "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
