"""The list of public names is whole, and each change of a public signature is a change of its record."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.sdk import BaseHook, BaseNotifier, BaseOperator
from airflow.triggers.base import BaseTrigger

import airflow_mlops
from airflow_mlops.cli.main import COMMANDS
from airflow_mlops.testing import plugin


@pytest.fixture
def generate_public(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "docs"))
    return importlib.import_module("generate_public")


@pytest.fixture
def names_page(repository: Path) -> str:
    return (repository / "docs" / "reference" / "public-api.md").read_text()


def test_the_record_of_signatures_is_what_the_code_has(generate_public, repository) -> None:
    record = (repository / "docs" / "reference" / "public-api.txt").read_text()
    made = generate_public.public_api()
    gone = sorted({*record.splitlines()} - {*made.splitlines()})
    new = sorted({*made.splitlines()} - {*record.splitlines()})
    assert record == made, (
        f"the public API is another: gone {gone}, new {new}. If that is meant, hold it against "
        "docs/stability.md, say so in CHANGELOG.md and run: make docs"
    )


def test_a_changed_signature_changes_the_record(generate_public, monkeypatch) -> None:
    before = generate_public.public_api()

    def build_dags(model: airflow_mlops.Model, *, prefix: str = "") -> dict[str, object]:
        raise NotImplementedError

    monkeypatch.setattr("airflow_mlops.factory.build_dags", build_dags)
    after = generate_public.public_api()
    assert set(after.splitlines()) - set(before.splitlines()) == {
        f"{module}.build_dags(model: airflow_mlops.Model, *, prefix: str = '') -> dict[str, object]"
        for module in ("airflow_mlops", "airflow_mlops.factory")
    }


KINDS = {
    "operators": BaseOperator,
    "sensors": BaseOperator,
    "triggers": BaseTrigger,
    "notifications": BaseNotifier,
    "hooks": BaseHook,
    "bundles": BaseDagBundle,
}


@pytest.mark.parametrize("room", KINDS)
def test_every_class_that_airflow_is_given_is_public(room) -> None:
    package = importlib.import_module(f"airflow_mlops.{room}")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]
    classes = {
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and issubclass(kind, KINDS[room])
        and not kind.__name__.startswith("_")
    }
    bases = {base for kind in classes for base in kind.__mro__[1:]}
    assert sorted(kind.__name__ for kind in classes - bases) == sorted(package.__all__)


def test_the_page_names_what_there_is_and_nothing_else(generate_public, names_page, repository) -> None:
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", names_page, re.MULTILINE | re.DOTALL))
    for module, title in generate_public.MODULES.items():
        listed = re.findall(r"^\| `(\w+)` \|", parts.pop(f"{title}: `{module}`"), re.MULTILINE)
        assert sorted(listed) == sorted(importlib.import_module(module).__all__)

    commands = re.findall(r"`([a-z-]+)`", parts.pop("Commands: `airflow-mlops`"))
    assert commands == list(COMMANDS)
    fixtures = re.findall(r"^\| `(\w+)` \|", parts.pop("pytest"), re.MULTILINE)
    assert sorted(fixtures) == sorted(name for name in vars(plugin) if name.startswith("mlops_"))
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    groups = re.findall(r"^\| `([\w.]+)` \|", parts.pop("Entry point groups"), re.MULTILINE)
    assert set(groups) == {*project["entry-points"], "console_scripts", "airflow_mlops.backends"}
    assert list(parts) == ["Airflow's configuration"]


def test_every_package_with_public_names_lists_them_and_has_no_others(generate_public) -> None:
    for name in generate_public.MODULES:
        module = importlib.import_module(name)
        assert all(getattr(module, one) is not None for one in module.__all__)
        with pytest.raises(AttributeError, match="no attribute 'nothing_of_this_name'"):
            _ = module.nothing_of_this_name


@pytest.mark.parametrize("module", ["airflow_mlops", "airflow_mlops.exceptions", "airflow_mlops.testing"])
def test_a_light_package_stays_light(module) -> None:
    code = (
        f"import sys, {module}; print(sorted({{'airflow', 'pydantic', 'yaml', 'httpx'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
