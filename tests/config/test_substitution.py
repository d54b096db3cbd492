"""Variables in values: typed, from all layers, never over the text of a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.site import Site

MODEL = (Path(__file__).parent / "minimal.yaml").read_text()


@pytest.fixture
def load(tmp_path: Path):
    def loaded(more: str, *, defaults: str = "", profile: str | None = None) -> LoadedModel:
        path = tmp_path / "wine.yaml"
        path.write_text(MODEL + more)
        if defaults:
            (tmp_path / "defaults.yaml").write_text(f"apiVersion: airflow-mlops/v1\n{defaults}")
        return load_model(path, Site(root=tmp_path, profile=profile))

    return loaded


def problem(error: pytest.ExceptionInfo[InvalidConfig]) -> str:
    (found,) = error.value.problems
    return f"{found.line}:{found.column}: {found.key}: {found.message}; {found.hint}"


def test_a_variable_alone_keeps_its_type(load) -> None:
    config = load(
        'vars: {rows: 500, asks: true, steps: [0.2, 0.6]}\nmonitor: {drift: {sample_rows: "${vars.rows}"}}\n'
        'deploy: {approval: "${ vars.asks }", steps: "${vars.steps}"}\n'
    ).config
    assert config.monitor.drift.sample_rows == 500
    assert config.deploy.approval.required is True
    assert config.deploy.steps == (0.2, 0.6)


def test_a_part_may_be_a_variable(load) -> None:
    config = load("vars: {policy: {k: 2, n: 3}}\nretraining: ${vars.policy}\n").config
    assert (config.retraining.k, config.retraining.n) == (2, 3)


def test_inside_text_it_becomes_text(load) -> None:
    config = load('vars: {n: 3, yes_: true}\ndescription: "${model} of ${vars.n}, ${vars.yes_}"\n').config
    assert config.description == "wine of 3, true"


def test_the_profile_is_known_by_name_where_one_is_in_force(load, tmp_path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "prod.yaml").write_text("apiVersion: airflow-mlops/v1\nvars: {where: /prod}\n")
    config = load('description: "${profile} ${vars.where}"\n', profile="prod").config
    assert config.description == "prod /prod"
    with pytest.raises(InvalidConfig, match=r"\$\{profile\} names nothing; no profile is in force here"):
        load('description: "${profile}"\n')


def test_the_nearer_layer_gives_a_variable_and_the_layer_above_may_use_it(load) -> None:
    defaults = 'vars: {who: everybody}\nowner: "${vars.who}"\n'
    assert load("", defaults=defaults).config.owner == "everybody"
    assert load("vars: {who: me}\n", defaults=defaults).config.owner == "me"


def test_variables_may_refer_to_one_another_but_not_to_themselves(load) -> None:
    assert load('vars: {a: "${vars.b}s", b: dog}\nowner: ${vars.a}\n').config.owner == "dogs"
    with pytest.raises(InvalidConfig) as error:
        load('vars: {a: "${vars.b}", b: "${vars.a}"}\nowner: ${vars.a}\n')
    assert "refers to itself" in problem(error)


def test_a_name_that_is_not_there_is_told_at_the_value_with_the_nearest(load) -> None:
    with pytest.raises(InvalidConfig) as error:
        load("vars: {bucket: a}\nowner: x-${vars.buket}\n")
    line = len(MODEL.splitlines()) + 2
    assert problem(error) == f"{line}:8: owner: ${{vars.buket}} names nothing; did you mean 'vars.bucket'?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("owner: a${vars.part}\n", "${vars.part} is a mapping, which cannot stand inside text"),
        ("owner: a${vars.list}\n", "${vars.list} is a list, which cannot stand inside text"),
        ("owner: a${vars.none}\n", "${vars.none} is nothing, which cannot stand inside text"),
        ("owner: a${vars.n\n", "has a ${ without its }"),
        ("owner: ${}\n", "${} names nothing"),
        ("owner: ${vars}\n", "${vars} names nothing"),
        ("owner: ${vars.deep}\n", "${vars.deep} holds references of its own"),
    ],
)
def test_what_cannot_be_replaced_is_a_problem(load, text, said) -> None:
    variables = 'vars: {part: {a: 1}, list: [1], none: null, n: 1, deep: {a: "${vars.n}"}}\n'
    with pytest.raises(InvalidConfig) as error:
        load(variables + text)
    assert said in problem(error)


def test_a_value_of_the_wrong_type_is_told_where_the_variable_stands(load) -> None:
    with pytest.raises(InvalidConfig) as error:
        load("vars: {rows: many}\nmonitor:\n  drift:\n    sample_rows: ${vars.rows}\n")
    line = len(MODEL.splitlines()) + 4
    assert problem(error).startswith(
        f"{line}:18: monitor.drift.sample_rows: must be a whole number, not 'many'"
    )


def test_airflows_braces_and_a_doubled_dollar_are_left_alone(load) -> None:
    config = load('description: "{{ ds }} $5 $${vars.x} {% if 1 %} ${model}"\n').config
    assert config.description == "{{ ds }} $5 ${vars.x} {% if 1 %} wine"


def test_nothing_of_the_environment_gets_in(load, monkeypatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    assert (
        load("description: $SECRET %(SECRET)s $HOME ~\n").config.description == "$SECRET %(SECRET)s $HOME ~"
    )
    for text in ("${SECRET}", "${env.SECRET}", "${HOME}"):
        with pytest.raises(InvalidConfig) as error:
            load(f'description: "{text}"\n')
        assert os.environ["SECRET"] not in str(error.value)


def test_text_that_grows_without_end_is_refused(load) -> None:
    growing = ", ".join(f'v{n}: "{f"${{vars.v{n - 1}}}" * 10}"' for n in range(1, 9))
    with pytest.raises(InvalidConfig, match="more than 100000 characters"):
        load(f'vars: {{v0: "{"x" * 100}", {growing}}}\nowner: "${{vars.v8}}"\n')


def test_variables_are_no_part_of_the_configuration(load) -> None:
    assert load("vars: {unused: 1}\n").digest == load("").digest


@pytest.mark.parametrize("text", ["vars: [1]\n", "vars: 3\n"])
def test_variables_that_are_no_mapping_are_refused(load, text) -> None:
    with pytest.raises(InvalidConfig, match="vars: must be a mapping of keys"):
        load(text)
