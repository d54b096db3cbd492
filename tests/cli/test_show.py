"""``airflow-mlops show``: all settings of a file, as a file that means the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.cli.main import main
from airflow_mlops.cli.show import lines
from airflow_mlops.config.load import load_model

REPOSITORY = Path(__file__).parents[2]
MINIMAL = (REPOSITORY / "tests" / "config" / "minimal.yaml").read_text()
EXAMPLES = [REPOSITORY / "tests" / "config" / "minimal.yaml", *(REPOSITORY / "configs").glob("*.yaml")]
TRICKY = [
    *("yes", "y", "012", "1e3", "1:30", "1_000", "0x1F", "0o17", "null", "~", "", "<<", ".inf", "2013-01-01"),
    *(
        "a: b",
        "# no comment",
        " lead",
        "two\nlines\n",
        "tab\there",
        "é→🙂",
        "- x",
        "&a",
        "*a",
        "'",
        '"',
        "%",
        "@",
    ),
]
# What YAML cannot print is refused, and so is a key of more than 200 characters.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=50)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_what_is_shown_is_a_file_that_means_the_same(path: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["show", str(path)])
    assert shown.exit_code == 0
    again = tmp_path / "again.yaml"
    again.write_text(shown.stdout)
    assert load_model(again).digest == load_model(path).digest
    assert f"# digest: {load_model(path).digest}" in shown.stdout


def test_presets_and_defaults_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    path.write_text(MINIMAL + "level: 2\n")
    shown = CliRunner().invoke(main, ["show", str(path)]).stdout
    config = yaml.safe_load(shown)
    assert shown.startswith(f"# {path} with the presets of level 2, and all defaults.\n")
    assert (config["deploy"]["automatic"], config["deploy"]["approval"]) == (True, False)
    assert (config["deploy"]["strategy"], config["deploy"]["steps"]) == ("canary", None)
    assert list(config)[:3] == ["apiVersion", "model", "description"]


def test_a_suites_expectations_are_written_out_and_not_read_twice(tmp_path: Path) -> None:
    suite = {"expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 5}}]}
    (tmp_path / "suite.json").write_text(json.dumps(suite))
    path = tmp_path / "wine.yaml"
    path.write_text(MINIMAL + "validation: {suite: suite.json}\n")
    shown = CliRunner().invoke(main, ["show", str(path)]).stdout
    assert "# The expectations of suite.json are written out.\n" in shown
    path.write_text(shown)
    assert len(load_model(path).config.validation.expectations) == 1


def test_a_bad_file_shows_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "wine.yaml"
    path.write_text(MINIMAL.replace("label:", "lable:"))
    result = CliRunner().invoke(main, ["show", str(path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "data.lable: unknown key; did you mean 'label'?" in result.stderr


@pytest.mark.parametrize("text", TRICKY)
def test_text_that_looks_like_something_else_stays_text(text: str, tmp_path: Path) -> None:
    _survives({"as value": text, text: "as key", "in a list": [text, {text: [text]}]}, tmp_path)


@given(
    st.dictionaries(
        TEXT,
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**30), 10**30) | FLOATS | TEXT,
            lambda below: st.lists(below, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_any_parameters_stay_what_they_are(tmp_path_factory: pytest.TempPathFactory, params: object) -> None:
    _survives(params, tmp_path_factory.mktemp("shown", numbered=True))


def _survives(params: object, folder: Path) -> None:
    """Built without a file: what JSON can hold is more than what one line of YAML can."""
    path = folder / "wine.yaml"
    path.write_text(MINIMAL)
    loaded = load_model(path)
    config = loaded.config
    training = config.training.model_copy(update={"params": params})
    config = config.model_copy(update={"training": training})
    path.write_text("\n".join(lines(replace(loaded, config=config))), encoding="utf-8")
    after = load_model(path).config
    assert after == config
    assert repr(after.training.params) == repr(params)  # 1 and 1.0 and true are equal
