"""Defaults, profiles and the model's own file: what each says, which one counts, and where it came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.config.layers import check_layer
from airflow_mlops.config.load import LoadedModel, load_model
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.site import Site

MODEL = (Path(__file__).parent / "minimal.yaml").read_text()
HEAD = "apiVersion: airflow-mlops/v1\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("team/defaults.yaml", "owner: growth")``: a file below the root, with the apiVersion first."""

    def put(name: str, text: str, head: str = HEAD) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + text)
        return path

    put("team/wine.yaml", MODEL, head="")
    return put


@pytest.fixture
def load(write: Write, tmp_path: Path) -> Callable[..., LoadedModel]:
    """Load the model with the layers that were written. ``more`` is put at the end of its file."""

    def loaded(more: str = "", **site: Any) -> LoadedModel:
        path = write("team/wine.yaml", MODEL + more, head="")
        return load_model(path, Site(root=tmp_path, **site))

    return loaded


def told(error: pytest.ExceptionInfo[InvalidConfig]) -> list[str]:
    return [str(problem).partition("\n")[0] for problem in error.value.problems]


def test_defaults_count_for_the_models_below_and_the_nearer_ones_before_the_others(write, load) -> None:
    write("defaults.yaml", "owner: everybody\nexecution: {retries: 3}\ntags: [all]\n")
    write("team/defaults.yaml", "owner: growth\n")
    write("other/defaults.yaml", "owner: somebody\n")
    config = load().config
    assert (config.owner, config.execution.retries, config.tags) == ("growth", 3, ("all",))


def test_the_models_own_file_is_the_last_word(write, load) -> None:
    write("defaults.yaml", "owner: everybody\nexecution: {retries: 3}\n")
    config = load("owner: me\n").config
    assert (config.owner, config.execution.retries) == ("me", 3)


def test_a_profile_comes_after_all_defaults_and_before_the_model(write, load) -> None:
    write("profiles/prod.yaml", "owner: platform\nexecution: {retries: 5}\n")
    write("team/defaults.yaml", "owner: growth\nexecution: {retries: 3}\ntags: [a]\n")
    config = load("owner: me\n", profile="prod").config
    assert (config.owner, config.execution.retries, config.tags) == ("me", 5, ("a",))
    assert load().config.execution.retries == 3


def test_a_layer_above_the_root_does_not_count(write, tmp_path) -> None:
    write("defaults.yaml", "owner: everybody\n")
    assert load_model(tmp_path / "team" / "wine.yaml", Site(root=tmp_path / "team")).config.owner == "airflow"


def test_without_a_root_only_the_files_own_folder_counts(write, tmp_path) -> None:
    write("defaults.yaml", "owner: everybody\n")
    write("team/defaults.yaml", "tags: [a]\n")
    config = load_model(tmp_path / "team" / "wine.yaml").config
    assert (config.owner, config.tags) == ("airflow", ("a",))


def test_a_list_is_replaced_whole_and_null_takes_away_what_a_layer_gave(write, load) -> None:
    write("defaults.yaml", "tags: [a, b]\nowner: everybody\nexecution: {retries: 3}\n")
    config = load("tags: [c]\nowner: null\nexecution: null\n").config
    assert (config.tags, config.owner, config.execution.retries) == (("c",), "airflow", 1)


def test_a_part_of_another_type_replaces_the_one_below_whole(write, load) -> None:
    write("defaults.yaml", 'data:\n  source: {type: python, callable: "wine.data:load", params: {a: 1}}\n')
    assert load().config.data.source.type == "parquet"


def test_parts_of_one_type_are_merged_key_by_key(write, load) -> None:
    write("profiles/prod.yaml", "deploy: {shadow: {minimum_requests: 900}}\n")
    write("defaults.yaml", "deploy: {shadow: {max_disagreement: 0.1}}\n")
    shadow = load("deploy: {approval_timeout: 2 days}\n", profile="prod").config.deploy.shadow
    assert (shadow.minimum_requests, shadow.max_disagreement) == (900, 0.1)


def test_where_a_thing_is_said_makes_no_other_digest(write, load) -> None:
    said = load("owner: growth\nexecution: {retries: 3}\n").digest
    write("defaults.yaml", "# the team's\nexecution: {retries: 3}\nowner: growth\nvars: {unused: 1}\n")
    assert load().digest == said
    assert load("execution: {retries: 4}\n").digest != said


def test_a_wrong_value_is_told_at_its_place_in_the_layer_that_gave_it(write, load, tmp_path) -> None:
    layer = write("defaults.yaml", "owner: growth\nexecution:\n  retries: many\n")
    with pytest.raises(InvalidConfig) as error:
        load()
    assert told(error) == [f"{layer}:4:12: execution.retries: must be a whole number, not 'many'"]


def test_problems_of_several_files_are_told_at_once(write, load, tmp_path) -> None:
    layer = write("defaults.yaml", "owner: 3\n")
    with pytest.raises(InvalidConfig) as error:
        load("levle: 2\n")
    assert [line.partition(":")[0] for line in told(error)] == [str(layer), str(tmp_path / "team/wine.yaml")]


def test_a_missing_key_is_told_in_the_models_own_file(write, tmp_path) -> None:
    write("defaults.yaml", "owner: growth\n")
    path = write("team/wine.yaml", MODEL.replace("task: binary_classification\n", ""), head="")
    with pytest.raises(InvalidConfig) as error:
        load_model(path, Site(root=tmp_path))
    assert told(error)[0].startswith(f"{path}:2:1: task: missing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: wine\n", ":2:1: model: names one model; it belongs in the model's own file"),
        ("ownr: me\n", ":2:1: ownr: unknown key; did you mean 'owner'?"),
        ("locked: deploy\n", ":2:9: locked: must be a list of keys; as in [deploy.approval]"),
        ("owner: yes\n", ":2:8: owner: 'yes' is true or false to some YAML readers and text to others"),
    ],
)
def test_what_a_layer_may_not_say_is_told_by_itself_and_with_each_model(write, load, text, expected) -> None:
    layer = write("defaults.yaml", text)
    (problem,) = check_layer(layer, Site())
    assert f"{layer}{expected}" in str(problem)
    with pytest.raises(InvalidConfig, match=":2:"):
        load()


def test_a_layer_without_an_api_version_is_refused_instead_of_left_out(write, load) -> None:
    layer = write("defaults.yaml", "owner: growth\n", head="")
    with pytest.raises(InvalidConfig) as error:
        load()
    assert told(error) == [f"{layer}:1:1: apiVersion: missing; begin with apiVersion: airflow-mlops/v1"]


def test_a_profile_that_is_not_there_is_refused_with_the_nearest_name(write, load, tmp_path) -> None:
    write("profiles/prod.yaml", "owner: platform\n")
    with pytest.raises(InvalidConfig) as error:
        load(profile="prd")
    assert f"the profile 'prd' is in force, and there is no {tmp_path}/profiles/prd.yaml" in told(error)[0]
    assert "did you mean 'prod'?" in told(error)[0]


class TestLocks:
    def test_a_locked_key_cannot_be_said_otherwise(self, write, load, tmp_path) -> None:
        lock = write("profiles/prod.yaml", "deploy: {approval: true}\nlocked: [deploy.approval]\n")
        with pytest.raises(InvalidConfig) as error:
            load("deploy:\n  approval: false\n", profile="prod")
        line = len(MODEL.splitlines()) + 2
        assert told(error) == [
            f"{tmp_path}/team/wine.yaml:{line}:3: deploy.approval: locked by {lock}:3; "
            "leave it out, or ask who owns that file"
        ]

    def test_saying_the_same_is_no_offence(self, write, load) -> None:
        write("profiles/prod.yaml", "deploy: {approval: true}\nlocked: [deploy.approval]\n")
        assert load("deploy: {approval: true}\n", profile="prod").config.deploy.approval.required is True

    def test_a_locked_part_is_locked_with_all_that_is_in_it(self, write, load) -> None:
        write("defaults.yaml", "deploy: {shadow: {minimum_requests: 900}}\nlocked: [deploy.shadow]\n")
        with pytest.raises(InvalidConfig, match=r"deploy.shadow: locked by"):
            load("deploy: {shadow: {max_disagreement: 0.9}}\n")

    @pytest.mark.parametrize("way_round", ["deploy: null\n", "deploy: {approval: null}\n"])
    def test_null_is_no_way_round_a_lock(self, write, load, way_round) -> None:
        write("defaults.yaml", "deploy: {approval: true}\nlocked: [deploy.approval]\n")
        with pytest.raises(InvalidConfig, match=r"deploy.approval: locked by"):
            load(way_round)

    def test_nearer_defaults_and_profiles_are_held_to_a_lock_as_well(self, write, load, tmp_path) -> None:
        write("defaults.yaml", "owner: platform\nlocked: [owner]\n")
        nearer = write("team/defaults.yaml", "owner: growth\n")
        with pytest.raises(InvalidConfig) as error:
            load()
        assert told(error)[0].startswith(f"{nearer}:2:1: owner: locked by {tmp_path}/defaults.yaml:3")

    def test_a_lock_on_what_nobody_gave_is_told(self, write, load) -> None:
        write("defaults.yaml", "locked: [deploy.aproval]\n")
        with pytest.raises(InvalidConfig, match=r"'deploy.aproval' is locked but not given"):
            load()

    def test_a_model_cannot_lock(self, load) -> None:
        with pytest.raises(InvalidConfig, match="locked: unknown key"):
            load("locked: [owner]\n")

    def test_a_variable_is_no_way_round_a_lock(self, write, load) -> None:
        write("defaults.yaml", 'vars: {who: platform}\nowner: "${vars.who}"\nlocked: [owner]\n')
        with pytest.raises(InvalidConfig, match="locked by"):
            load("vars: {who: me}\n")


def test_the_files_that_decided_are_named_and_so_are_those_that_would(write, load, tmp_path) -> None:
    write("profiles/prod.yaml", "owner: platform\n")
    named = {
        str(one.path.relative_to(tmp_path)): one.sha256 is not None
        for one in load(profile="prod").dependencies
    }
    assert named == {
        "defaults.yaml": False,
        "policy.yaml": False,
        "profiles/prod.yaml": True,
        "team/defaults.yaml": False,
        "team/policy.yaml": False,
        "team/profiles/prod.yaml": False,
        "team/wine.yaml": True,
    }


def test_the_layers_are_read_anew_when_one_changes(write, load) -> None:
    layer = write("defaults.yaml", "owner: growth\n")
    assert load().config.owner == "growth"
    layer.write_text(HEAD + "owner: platform\n")
    assert load().config.owner == "platform"
    layer.unlink()
    assert load().config.owner == "airflow"
