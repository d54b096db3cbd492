"""The documentation is true: its files load, its code runs, its links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from airflow_mlops.cli.main import main
from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.schema import SCHEMA_FILES
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import read_source

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_REASON = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def test_a_yaml_of_the_documentation_is_a_model(whole_yaml, tmp_path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(whole_yaml.text)
    assert load_model(path).config.model


def test_a_part_of_a_yaml_fits_into_the_tutorials_model(yaml_part, tutorial) -> None:
    assert yaml_part.marks == "fragment" or yaml_part.marks.endswith("changes"), "mark it as one of the two"
    base = (
        {"level": 2, "monitor": {"cron": "@weekly"}} if yaml_part.text.startswith("level: 3") else {}
    )  # level 3 stands on the change before it
    assert _changed(tutorial, base, yaml.safe_load(yaml_part.text)).config.model == "churn"


def test_the_tutorials_changes_one_after_the_other_lead_to_level_3(tutorial, churn_changes) -> None:
    config = _changed(tutorial, *(yaml.safe_load(block.text) for block in churn_changes)).config
    assert (config.level, config.retraining.enabled, config.retraining.causes) == (
        3,
        True,
        ("drift", "decay", "config"),
    )


def _changed(tutorial: Path, *changes: dict[str, object]) -> LoadedModel:
    model = yaml.safe_load((tutorial / "dags" / "churn.yaml").read_text())
    for change in changes:
        model |= change
    path = tutorial / "changed.yaml"
    # JSON is YAML, and quotes what must stay text (the reader takes dates as text in either case).
    schedule = {**model["schedule"], "start": "2026-01-01"}
    path.write_text(json.dumps({**model, "schedule": schedule}, default=str))
    return load_model(path)


def test_the_layers_of_the_documentation_do_what_its_page_says(layers) -> None:
    churn = layers / "dags" / "churn.yaml"
    plain, prod = (load_model(churn, Site(layers / "dags", name)).config for name in (None, "prod"))
    assert (plain.execution.retries, plain.monitor.drift.threshold) == (3, 0.15)
    assert (plain.monitor.drift.minimum_rows, prod.monitor.drift.minimum_rows) == (100, 500)
    assert prod.deploy.approval.required is True
    for said, instead, broken in (
        ("owner: growth\n", "", "owner: must be said here or in a layer, by"),
        (
            "type: champion, metric: log_loss, margin",
            "type: threshold, metric: log_loss, maximum",
            "contain type",
        ),
        ("churn.data:customers", "other.data:rows", "leads to a package that is not allowed"),
    ):
        copy = layers / "dags" / "copy.yaml"
        copy.write_text(churn.read_text().replace(said, instead))
        with pytest.raises(InvalidConfig, match=broken):
            load_model(copy, Site(layers / "dags", "prod"))


def test_a_yaml_of_the_documentation_is_good_to_the_schema(whole_yaml) -> None:
    value = read_source(whole_yaml.text, str(whole_yaml)).root.value
    jsonschema.Draft202012Validator(json.loads(SCHEMA_FILES["model"].read_text())).validate(value)


def test_a_part_of_a_yaml_is_good_to_the_schema(yaml_part, tutorial) -> None:
    whole = read_source((tutorial / "dags" / "churn.yaml").read_text(), "churn.yaml").root.value
    part = read_source(yaml_part.text, str(yaml_part)).root.value
    jsonschema.Draft202012Validator(json.loads(SCHEMA_FILES["model"].read_text())).validate({**whole, **part})


def test_python_of_the_documentation_compiles(python_block) -> None:
    compile(python_block.text, str(python_block), "exec")


def test_a_file_of_the_repository_is_shown_as_it_is(shown_file, repository) -> None:
    file = repository / shown_file.marks.removeprefix("file=")
    assert shown_file.text == file.read_text(), f"copy {file.name} into {shown_file} again"


def test_tests_of_the_documentation_pass(python_test, request, monkeypatch, repository) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.syspath_prepend(str(repository / "plugins"))
    namespace: dict[str, object] = {}
    exec(compile(python_test.text, str(python_test), "exec"), namespace)
    for name, test in namespace.items():
        if name.startswith("test_") and callable(test):
            test(*(request.getfixturevalue(fixture) for fixture in inspect.signature(test).parameters))


def test_the_loader_makes_the_dags_of_the_yaml_beside_it(loader, tutorial) -> None:
    namespace = {"__file__": str(tutorial / "dags" / "mlops.py")}
    exec(compile(loader.text, str(loader), "exec"), namespace)
    assert sorted(dag.dag_id for dag in namespace.values() if hasattr(dag, "dag_id")) == [
        "churn.deploy",
        "churn.rollback",
        "churn.train",
    ]
    assert "airflow" in loader.text.lower()
    assert "dag" in loader.text.lower()  # or Airflow's safe mode would never read the file


def test_the_dag_that_hands_its_challenger_on_announces_it(announcing) -> None:
    namespace: dict[str, object] = {}
    exec(compile(announcing.text, str(announcing), "exec"), namespace)
    dag = namespace["dag"]
    assert [asset.name for asset in dag.task_dict["announce_challenger"].outlets] == [
        "breast_cancer/challenger"
    ]
    assert dag.task_dict["register"].upstream_task_ids == {"snapshot", "train", "evaluate", "gate"}


def test_the_hand_written_dag_around_a_model_in_python_loads(handed_a_model) -> None:
    namespace: dict[str, object] = {}
    exec(compile(handed_a_model.text, str(handed_a_model), "exec"), namespace)
    configured = namespace["dag"].task_dict["train"].configured()
    assert (configured.config.model, configured.digest) == ("rain", namespace["model"].digest)


def test_output_is_what_the_command_prints(output_block, tutorial, monkeypatch) -> None:
    monkeypatch.chdir(tutorial)
    command = output_block.marks.removeprefix("output=airflow-mlops ").split()
    assert CliRunner().invoke(main, command).output == output_block.text


def test_a_message_is_one_that_the_code_gives(message_block, repository) -> None:
    _assert_said(message_block.text.splitlines(), repository)


def test_a_reason_is_one_that_the_code_gives(repository) -> None:
    reasons = _REASON.findall((repository / "docs" / "how-to" / "on-call.md").read_text())
    assert len(reasons) > 10
    _assert_said(reasons, repository)


def _assert_said(messages: list[str], repository: Path) -> None:
    said = _texts(repository / "airflow_mlops")
    for message in messages:
        parts = [part.strip() for part in message.split("…") if len(part.strip()) > 5]
        assert parts, f"{message!r} has too little text of its own to be looked for"
        missing = [part for part in parts if not any(part in text for text in said)]
        assert not missing, f"no code says {missing}, of the message {message!r}"


@cache
def _texts(folder: Path) -> tuple[str, ...]:
    """Every text of the code; where a value is put into one there is a gap that matches nothing."""
    return tuple(_texts_in(folder))


def _texts_in(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
                )


def test_links_and_pictures_are_there(page) -> None:
    text = _CODE.sub("", page.read_text())
    for target in _LINK.findall(text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_file(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in _anchors(file), (
                f"{page.name} links to {target}, and {file.name} has no such heading"
            )


def _anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    kept = ("".join(c for c in heading.lower() if c.isalnum() or c in " -_") for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def test_every_page_can_be_reached_from_the_list_of_pages(repository) -> None:
    docs = repository / "docs"
    reached, new = set(), [docs / "README.md"]
    while new:
        file = new.pop()
        reached.add(file)
        targets = (target.partition("#")[0] for target in _LINK.findall(file.read_text()))
        found = {(file.parent / target).resolve() for target in targets if target.endswith(".md")}
        new += [path for path in found if path not in reached]
    assert set(docs.rglob("*.md")) <= reached


def test_the_reference_is_what_the_code_says(monkeypatch, repository) -> None:
    monkeypatch.syspath_prepend(str(repository / "docs"))
    made = importlib.import_module("generate").pages()
    folder = repository / "docs" / "reference"
    assert {path.name for path in folder.iterdir()} == set(made)
    stale = [name for name, text in made.items() if (folder / name).read_text(encoding="utf-8") != text]
    assert not stale, f"docs/reference/{', '.join(stale)} is not what the code says; run: make docs"
