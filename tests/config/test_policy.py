"""Rules of an organisation: what they demand, of which models, and how a broken one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.site import Site

MODEL = (Path(__file__).parent / "minimal.yaml").read_text()
END = len(MODEL.splitlines())


@pytest.fixture
def load(tmp_path: Path):
    """Load the model, ``more`` at its end, under one rule (or a whole policy)."""

    def loaded(more: str = "", *, profile: str | None = None, **rule: Any) -> LoadedModel:
        policy = {"apiVersion": "airflow-mlops/v1", "rules": [{"name": "the rule", **rule}]}
        (tmp_path / "policy.yaml").write_text(json.dumps(policy))
        path = tmp_path / "team" / "wine.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(MODEL + more)
        return load_model(path, Site(root=tmp_path, profile=profile))

    return loaded


def problem(error: pytest.ExceptionInfo[InvalidConfig]) -> str:
    (found,) = error.value.problems
    return f"{found.line}:{found.column}: {found.key}: {found.message}" + (
        f"; {found.hint}" if found.hint else ""
    )


def test_a_model_that_meets_a_rule_is_loaded(load) -> None:
    assert load("owner: growth\n", key="owner", given=True).config.owner == "growth"


def test_a_broken_rule_is_told_at_the_setting_with_the_rules_name_its_place_and_its_hint(
    load, tmp_path
) -> None:
    with pytest.raises(InvalidConfig) as error:
        load(
            "deploy:\n  on_inconclusive: promote_if_unharmed\n",
            key="deploy.on_inconclusive",
            equals="roll_back",
            hint="ask platform@example.org",
        )
    assert problem(error) == (
        f"{END + 2}:20: deploy.on_inconclusive: must be roll_back, by {tmp_path}/policy.yaml:1 (the rule); "
        "ask platform@example.org"
    )


def test_a_default_is_not_enough_where_a_thing_must_be_given(load) -> None:
    with pytest.raises(InvalidConfig, match="owner: must be said here or in a layer, by"):
        load(key="owner", given=True)


def test_a_layer_may_give_what_must_be_given(load, tmp_path) -> None:
    (tmp_path / "defaults.yaml").write_text("apiVersion: airflow-mlops/v1\nowner: growth\n")
    assert load(key="owner", given=True).config.owner == "growth"


@pytest.mark.parametrize(
    ("good", "bad", "rule", "told"),
    [
        ("level: 2", "level: 1", {"key": "level", "one_of": [2, 3]}, "must be one of 2, 3"),
        ("execution: {retries: 2}", "", {"key": "execution.retries", "minimum": 2}, "must be at least 2"),
        ("", "execution: {retries: 9}", {"key": "execution.retries", "maximum": 3}, "must be at most 3"),
        ("owner: a-team", "owner: me", {"key": "owner", "matches": "[a-z]+-team"}, "must fit '[a-z]+-team'"),
        ("tags: [eu, x]", "tags: [x]", {"key": "tags", "contains": "eu"}, "must contain eu"),
        ("", "deploy: {approval: false}", {"key": "deploy.approval", "equals": True}, "must be true"),
        (
            "deploy: {approval: {users: [ada]}}",
            "deploy: {approval: {required: false}}",
            {"key": "deploy.approval", "equals": True},
            "must be true",
        ),
        (
            "deploy: {approval: {four_eyes: true}}",
            "deploy: {approval: true}",
            {"key": "deploy.approval.four_eyes", "equals": True},
            "must be true",
        ),
        (
            "",
            "compute: {python: /usr/bin/python3}",
            {"key": "compute.python", "given": False},
            "must not be said",
        ),
    ],
)
def test_each_demand_is_met_or_told(load, good, bad, rule, told) -> None:
    load(f"{good}\n", **rule)
    with pytest.raises(InvalidConfig) as error:
        load(f"{bad}\n", **rule)
    assert f"{rule['key']}: {told}, by" in problem(error)


def test_a_list_must_hold_an_entry_with_at_least_the_keys_that_are_named(load) -> None:
    load(key="gates.rules", contains={"type": "champion", "metric": "log_loss"})
    with pytest.raises(InvalidConfig) as error:
        load(key="gates.rules", contains={"type": "champion", "metric": "roc_auc"})
    assert "gates.rules: must contain type: champion, metric: roc_auc, by" in problem(error)


def test_a_demand_for_true_is_not_met_by_one(load) -> None:
    with pytest.raises(InvalidConfig):
        load(key="execution.retries", equals=True)


@pytest.mark.parametrize(
    ("when", "is_for"),
    [
        ({}, True),
        ({"profile": ["prod"]}, True),
        ({"profile": ["dev"]}, False),
        ({"level": [1]}, True),
        ({"level": [2, 3]}, False),
        ({"tags": ["eu", "us"]}, True),
        ({"tags": ["us"]}, False),
        ({"task": ["binary_classification"]}, True),
        ({"task": ["regression"]}, False),
        ({"profile": ["prod"], "level": [3]}, False),
    ],
)
def test_a_rule_is_for_the_models_that_it_names(load, tmp_path, when, is_for) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "prod.yaml").write_text("apiVersion: airflow-mlops/v1\n")
    given = {"key": "owner", "given": True, "when": when}
    if is_for:
        with pytest.raises(InvalidConfig, match="owner: must be said"):
            load("tags: [eu]\n", profile="prod", **given)
    else:
        load("tags: [eu]\n", profile="prod", **given)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"key": "ownr", "given": True}, "'ownr' is no setting of a model; did you mean 'owner'?"),
        ({"key": "owner"}, "demands nothing; give one of given, equals"),
        ({"key": "owner", "matches": "("}, "'(' is not a regular expression"),
        ({"key": "owner", "given": True, "wen": {}}, "unknown key; did you mean 'when'?"),
        ({"key": "owner", "given": "yes"}, "must be true or false"),
    ],
)
def test_a_policy_that_is_wrong_is_told_in_its_own_file_and_lets_no_model_through(
    load, tmp_path, rule, told
) -> None:
    with pytest.raises(InvalidConfig) as error:
        load(**rule)
    assert {problem.path for problem in error.value.problems} == {str(tmp_path / "policy.yaml")}
    assert told in str(error.value)


def test_all_policies_up_the_tree_count(load, tmp_path) -> None:
    (tmp_path / "team").mkdir(exist_ok=True)
    policy = {"apiVersion": "airflow-mlops/v1", "rules": [{"name": "a", "key": "tags", "contains": "eu"}]}
    (tmp_path / "team" / "policy.yaml").write_text(json.dumps(policy))
    with pytest.raises(InvalidConfig) as error:
        load(key="owner", given=True)
    assert {found.key for found in error.value.problems} == {"owner", "tags"}


class TestImports:
    @pytest.mark.parametrize("path", ["os:system", "subprocess:run", "builtins:eval", "airflow.models:DAG"])
    def test_python_and_airflow_themselves_are_refused(self, tmp_path, path) -> None:
        file = tmp_path / "wine.yaml"
        file.write_text(
            MODEL.replace("estimator: sklearn.linear_model.LogisticRegression", f"callable: {path}")
        )
        with pytest.raises(InvalidConfig) as error:
            load_model(file)
        assert f"training.callable: '{path}' leads into" in problem(error)

    def test_with_a_list_only_its_packages_are_allowed(self, tmp_path) -> None:
        file = tmp_path / "wine.yaml"
        file.write_text(MODEL)
        load_model(file, Site(imports=("sklearn",)))
        load_model(file, Site(imports=("sklearn.linear_model",)))
        for listed in ("acme", "sklearn.linear", "sklear", "sklearn.ensemble"):
            with pytest.raises(InvalidConfig, match="leads to a package that is not allowed; allowed are"):
                load_model(file, Site(imports=(listed,)))

    def test_a_policy_and_airflow_must_both_allow_a_package(self, tmp_path) -> None:
        (tmp_path / "policy.yaml").write_text("apiVersion: airflow-mlops/v1\nallowed_imports: [sklearn]\n")
        file = tmp_path / "wine.yaml"
        file.write_text(MODEL)
        load_model(file)
        with pytest.raises(InvalidConfig):
            load_model(file, Site(imports=("acme",)))
        (tmp_path / "policy.yaml").write_text("apiVersion: airflow-mlops/v1\nallowed_imports: [acme]\n")
        with pytest.raises(InvalidConfig):
            load_model(file, Site(imports=("sklearn",)))
