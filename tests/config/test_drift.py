"""What a file may say about drift, and what is wrong between that and its features."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.steps.drift_plan import drift_plan

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()


def loaded(tmp_path: Path, drift: str, gate: str = "") -> ModelConfig:
    path = tmp_path / "wine.yaml"
    path.write_text(f"{MINIMAL}{gate}monitor:\n  drift: {drift}\n")
    return load_model(path).config


def problems(tmp_path: Path, drift: str) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        loaded(tmp_path, drift)
    return [str(problem).splitlines()[0].partition("wine.yaml:")[2] for problem in caught.value.problems]


def test_a_feature_takes_what_it_is_given_and_the_rest_from_all(tmp_path: Path) -> None:
    written = (
        "{method: ks, threshold: 0.2, features: {alcohol: {method: wasserstein}, colour: {threshold: 0.5}}}"
    )
    config = loaded(tmp_path, written)
    columns = {one.column: one for one in drift_plan(config, config.data.features).columns}
    assert (columns["alcohol"].method, columns["alcohol"].threshold) == ("wasserstein", 0.2)
    assert (columns["colour"].method, columns["colour"].threshold) == ("chi_squared", 0.5)


def test_slices_are_those_of_the_gates_where_none_are_named(tmp_path: Path) -> None:
    gate = "    - {type: slices, metric: roc_auc, minimum: 0.5, by: [colour, [colour, alcohol]]"
    gate += ", edges: {alcohol: [12]}}\n"
    config = loaded(tmp_path, "{}", gate)
    plan = drift_plan(config, config.data.features).slices
    assert (plan.cuts, dict(plan.edges)) == ((("colour",), ("colour", "alcohol")), {"alcohol": (12.0,)})
    named = loaded(tmp_path, "{slices: {by: alcohol}}", gate)
    assert drift_plan(named, named.data.features).slices.cuts == (("alcohol",),)
    none = loaded(tmp_path, "{slices: {by: []}}", gate)
    assert drift_plan(none, none.data.features).slices.cuts == ()


def test_what_a_champion_does_not_know_is_left_out_of_columns_and_slices(tmp_path: Path) -> None:
    config = loaded(tmp_path, "{slices: {by: [colour, [colour, alcohol]]}}")
    plan = drift_plan(config, ["colour"])
    assert [one.column for one in plan.columns] == ["colour"]
    assert plan.slices.cuts == (("colour",),)


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        (
            "{features: {alcohl: {threshold: 1}}}",
            "features.alcohl: 'alcohl' is not in data.features; did you mean 'alcohol'?",
        ),
        (
            "{slices: {by: [[colour, region]]}}",
            "slices.by[0]: 'region' is not in data.features; drift is looked for in features only",
        ),
        (
            "{slices: {by: alcohol, edges: {alcohol: [2, 1]}}}",
            "slices.edges.alcohol: must go up, each edge once",
        ),
        (
            "{slices: {by: colour, edges: {colour: [2]}}}",
            "slices.edges.colour: 'colour' is no numeric feature: it has no edges",
        ),
        ("{volume: {minimum_ratio: 3}}", "volume: minimum_ratio 3 is not below maximum_ratio"),
        ("{method: kss}", "method: "),
    ],
)
def test_mistakes_are_told_at_their_place(tmp_path: Path, drift: str, said: str) -> None:
    found = problems(tmp_path, drift)
    assert any(f"monitor.drift.{said}" in problem for problem in found), found
