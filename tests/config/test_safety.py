"""What a YAML cannot do: run code, read elsewhere, or keep its reader busy."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from airflow_mlops.cli.main import main
from airflow_mlops.config.imports import refused_imports
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.base import Part
from airflow_mlops.config.parts.row_condition import refused_condition
from airflow_mlops.config.policy import Rule
from airflow_mlops.config.problems import MAX_PROBLEMS, InvalidConfig, Problem
from airflow_mlops.config.scalars import Trap, resolve
from airflow_mlops.config.site import Site
from airflow_mlops.config.source import MAX_BYTES, MAX_DEPTH, MAX_KEY, MAX_VALUES
from airflow_mlops.config.text import printable
from airflow_mlops.config.tree import find_configs
from airflow_mlops.core.windows import Period

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
POLICY = "apiVersion: airflow-mlops/v1\n"


def put(folder: Path, name: str, text: str | bytes = MINIMAL) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path, site: Site | None = None) -> tuple[Problem, ...]:
    with pytest.raises(InvalidConfig) as caught:
        load_model(path, site)
    return caught.value.problems


def _billion_laughs() -> str:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    return "\n".join([*lines, *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))])


# Each once took longer than its reader could wait, or could have.
BOMBS: dict[str, str] = {
    "a billion laughs": _billion_laughs(),
    "one list and thousands of its aliases": "a: &a [" + "x," * 10_000 + "]\nb: [" + "*a," * 100_000 + "]",
    "one long text and thousands of its aliases": (
        "a: &a '" + "x" * 500_000 + "'\nb: [" + "*a," * 100_000 + "]"
    ),
    "aliases beside one another": (
        "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, x]" for n in range(1, 9_999))
    ),
    "a megabyte of opened lists": "a: " + "[" * 1_000_000,
    "a megabyte of opened mappings": "a: " + "{a: " * 250_000,
    "lists in lists by indentation": "a:\n" + "- " * 500_000,
    "ten megabytes": MINIMAL + "# " + "x" * 10_000_000,
    "a hundred thousand values": "a: [" + "1," * 300_000 + "]",
    "a hundred thousand words that mean two things": "a: [" + "no," * 300_000 + "]",
    "keys that nobody knows": MINIMAL + "".join(f"k{n}: 1\n" for n in range(15_000)),
    "one key a thousand times": MINIMAL + "tags: 1\n" * 15_000,
    "a key of half a megabyte": "? " + "k" * 500_000 + "\n: [" + "no," * 100_000 + "]",
    "directives for tags": "".join(f"%TAG !a{n}! x\n" for n in range(60_000)) + "---\n" + MINIMAL,
    "directives for a second document": MINIMAL + "...\n"
    + "".join(f"%TAG !a{n}! x\n" for n in range(60_000)),
    "a number of underscores": "a: 1" + "_" * 1_000_000 + "x",
    "a number of a million digits": "a: " + "9" * 1_000_000,
    "a period of a million digits": MINIMAL.replace("30 days", "9" * 1_000_000 + " days"),
    "a cron of many fields": MINIMAL + "schedule: {cron: '" + "*," * 400_000 + "'}",
    "variables of variables": MINIMAL
    + "vars:\n"
    + "".join(f'  v{n - 1}: "{f"${{vars.v{n}}}" * 50}"\n' for n in range(1, 10))
    + "  v9: ''\ndescription: ${vars.v0}\nowner: 1\n",
    "a list by variables": MINIMAL.replace(
        "training:",
        "vars: {b: [" + "1," * 9_000 + "]}\ntraining:\n  params: {p: [" + "'${vars.b}'," * 9_000 + "]}",
    ),
    "a variable in one text many times": MINIMAL + "description: '" + "${model}" * 100_000 + "'",
    "variables that nobody knows": MINIMAL
    + "vars: {" + "".join(f"n{n}: 1, " for n in range(9_000)) + "}\n"
    + "tags: [" + "'${vars.nn}', " * 9_000 + "]",
    "opened references": MINIMAL + "description: '" + "${" * 400_000 + "'",
    "an import path that nearly fits": MINIMAL.replace("sklearn.linear_model", "a." * 400_000),
    "tabs": "\t" * 1_000_000,
    "blank lines": "\n" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_under_a_second(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, "wine.yaml", BOMBS[name])
    started = time.process_time()
    problems = refused(path)
    told = "\n".join(map(str, problems))
    assert time.process_time() - started < 1
    assert len(problems) <= MAX_PROBLEMS + 1
    assert len(told) < 400_000, "the report must not be a bomb of its own"


def test_the_limits_are_those_that_the_documentation_gives() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "security.md").read_text()
    table = dict(re.findall(r"^\| ([^|]+?) \| ([0-9,]+) \|$", page, re.MULTILINE))
    assert table == {
        "bytes of a file": f"{MAX_BYTES:,}",
        "levels of nesting": f"{MAX_DEPTH:,}",
        "values, aliases and variables counted each time they are used": f"{MAX_VALUES:,}",
        "characters of a key": f"{MAX_KEY:,}",
        "problems told of one file": f"{MAX_PROBLEMS:,}",
    }


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "([a-z]+)*[0-9]", "(.*)*x", "a{1,30}a{1,30}a{1,30}a{1,30}a{1,30}$!"]
)
def test_a_policys_pattern_cannot_be_made_to_search_for_ever(pattern: str, tmp_path: Path) -> None:
    put(tmp_path, "policy.yaml", POLICY + f"rules: [{{name: r, key: owner, matches: '{pattern}'}}]\n")
    path = put(tmp_path, "wine.yaml", MINIMAL + f"owner: {'a' * 900}!\n")
    started = time.process_time()
    assert [one.key for one in refused(path)] == ["owner"]
    assert time.process_time() - started < 1


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(", "a{9999999999999}", r"(\w{500}){500}", "a)(b"])
def test_a_pattern_that_cannot_be_searched_in_bounded_time_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        Rule(name="r", key="owner", matches=pattern)


@pytest.mark.parametrize("demand", ["given", "minimum", "maximum", "matches"])
def test_a_demand_without_a_value_is_refused_where_it_stands(demand: str, tmp_path: Path) -> None:
    """A minimum of nothing was one of 0, and a maximum of nothing broke the report."""
    put(
        tmp_path, "policy.yaml", POLICY + f"rules:\n  - name: r\n    key: gates.minimum_rows\n    {demand}:\n"
    )
    [found] = refused(put(tmp_path, "wine.yaml"))
    assert (found.line, found.key, found.message) == (5, f"rules[0].{demand}", "needs a value")


def test_a_pattern_fits_the_text_as_a_whole(tmp_path: Path) -> None:
    put(tmp_path, "policy.yaml", POLICY + "rules: [{name: r, key: owner, matches: 'a|b'}]\n")
    assert load_model(put(tmp_path, "wine.yaml", MINIMAL + "owner: b\n"))
    for owner in ("ab", '"b\\n"', "xb"):
        assert refused(put(tmp_path, "wine.yaml", MINIMAL + f"owner: {owner}\n"))[0].key == "owner"


@pytest.mark.parametrize(
    "text", ["1" + "_" * 500_000, "1" * 500_000 + "x", "0" * 500_000 + ":", "1:" * 250_000]
)
def test_a_word_is_resolved_in_time_that_grows_with_its_length(text: str) -> None:
    started = time.process_time()
    assert resolve(text) == text or isinstance(resolve(text), Trap)
    with pytest.raises(ValueError, match="is not a period"):
        Period.parse(text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/name:os.system ''",
        "!!python/object/new:os.system ['touch pwned']",
        "!!python/module:pwned ''",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch pwned']",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
        "!include other.yaml",
        "!ENV ${HOME}",
    ],
)
def test_a_tag_makes_nothing(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    problems = refused(
        put(tmp_path, "wine.yaml", MINIMAL.replace("training:", f"training:\n  params: {{p: {tag}}}"))
    )
    assert any("the tag" in one.message and one.line == 20 for one in problems)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "text", ["$SECRET", "%(SECRET)s", "%SECRET%", "{{ var.value.SECRET }}", "$(id)", "`id`", "~"]
)
def test_the_environment_never_appears(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("AIRFLOW_VAR_SECRET", "hunter2")
    config = load_model(put(tmp_path, "wine.yaml", MINIMAL + f"description: '{text}'\n")).config
    assert config.description == text


@pytest.mark.parametrize(
    "name", ["SECRET", "env.SECRET", "oc.env:SECRET", "env:SECRET", "HOME", "vars.__class__"]
)
def test_a_reference_reaches_no_further_than_the_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    [found] = refused(put(tmp_path, "wine.yaml", MINIMAL + f"vars: {{}}\ndescription: '${{{name}}}'\n"))
    assert f"${{{name}}} names nothing" in found.message
    assert "hunter2" not in str(found)


CALLABLES = {
    "os:system": "Python's own code",
    "posix:system": "Python's own code",
    "builtins:eval": "Python's own code",
    "importlib.util:find_spec": "Python's own code",
    "test.support:x": "Python's own code",
    "__main__:x": "Python's own code",
    "__builtins__:eval": "Python's own code",
    "airflow.utils.cli:x": "Airflow's own code",
    "airflow_mlops.cli.main:main": "Airflow's own code",
}


@pytest.mark.parametrize("path", CALLABLES)
def test_an_import_path_into_the_machinery_is_refused(path: str, tmp_path: Path) -> None:
    text = MINIMAL.replace("estimator: sklearn.linear_model.LogisticRegression", f"callable: {path}")
    [found] = refused(put(tmp_path, "wine.yaml", text))
    assert found.key == "training.callable"
    assert CALLABLES[path] in found.message


@pytest.mark.parametrize("path", ["acme.ﬁle:load", "acmeº:load", "acme:ｌoad", "acme.e\u0301:load"])
def test_letters_that_python_reads_as_others_are_refused(path: str, tmp_path: Path) -> None:
    text = MINIMAL.replace("estimator: sklearn.linear_model.LogisticRegression", f"callable: {path}")
    [found] = refused(put(tmp_path, "wine.yaml", text))
    assert found.key == "training.callable"


def test_letters_of_other_languages_may_be_used(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "estimator: sklearn.linear_model.LogisticRegression", "callable: acme.modèle:entraîner"
    )
    assert load_model(put(tmp_path, "wine.yaml", text), Site(imports=("acme",)))


# Every place of a YAML whose text is imported somewhere.
PLACES = {
    "training.estimator": ("estimator: sklearn.linear_model.LogisticRegression", "estimator: {}.Model"),
    "training.callable": ("estimator: sklearn.linear_model.LogisticRegression", "callable: {}:fit"),
    "training.trusted_types[0]": ("training:", "training:\n  trusted_types: [{}.Type]"),
    "data.source.callable": (
        "type: parquet\n    path: wine/*.parquet",
        "type: python\n    callable: {}:load",
    ),
    "monitor.labels.source.callable": (
        "gates:",
        "monitor: {{performance: {{metric: roc_auc}}, "
        "labels: {{source: {{type: python, callable: '{}:load'}}}}}}\ngates:",
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("package", ["acme_evil", "acmee.sub", "acm", "os", "airflow", "evil.acme", "Acme"])
def test_each_place_that_is_imported_keeps_to_the_allowed_packages(
    place: str, package: str, tmp_path: Path
) -> None:
    before, after = PLACES[place]
    path = put(tmp_path, "wine.yaml", MINIMAL.replace(before, after.format(package)))
    by_airflow = refused(path, Site(imports=("acme", "sklearn")))
    assert [one.key for one in by_airflow] == [place]
    put(tmp_path, "policy.yaml", POLICY + "allowed_imports: [acme, sklearn]\n")
    assert [(one.key, one.line) for one in refused(path)] == [(place, by_airflow[0].line)]


@pytest.mark.parametrize("place", PLACES)
def test_each_place_that_is_imported_may_name_what_is_allowed(place: str, tmp_path: Path) -> None:
    before, after = PLACES[place]
    put(tmp_path, "policy.yaml", POLICY + "allowed_imports: [acme.models, sklearn]\n")
    good = put(tmp_path, "wine.yaml", MINIMAL.replace(before, after.format("acme.models")))
    assert load_model(good, Site(imports=("acme", "sklearn")))
    for package, site in (("acme.other", Site()), ("acme.models", Site(imports=("other", "sklearn")))):
        bad = put(tmp_path, "wine.yaml", MINIMAL.replace(before, after.format(package)))
        assert [one.key for one in refused(bad, site)] == [place], "both lists count"


def test_no_text_that_is_imported_was_forgotten() -> None:
    """Whoever adds a field whose name or description speaks of code must mark it, or say here why not."""
    suspicious = re.compile(r"callable|import|class\b|package\.|estimator|trusted", re.IGNORECASE)
    marked = {path.rpartition(".")[2].partition("[")[0] for path in PLACES}
    unmarked = {
        name
        for part in Part.__subclasses__()
        if part.__module__.startswith("airflow_mlops.config.parts") or part is ModelConfig
        for name, field in part.model_fields.items()
        if suspicious.search(f"{name} {field.description}") and "str" in str(field.annotation)
    } - marked
    # Values for the code; and a timetable, which is looked up among those that Airflow knows.
    assert unmarked == {"params", "name"}


def test_types_that_only_hold_values_may_be_trusted(tmp_path: Path) -> None:
    types = "training:\n  trusted_types: [collections.OrderedDict, {}]"
    assert load_model(
        put(tmp_path, "wine.yaml", MINIMAL.replace("training:", types.format("lightgbm.basic.Booster")))
    )
    [found] = refused(put(tmp_path, "wine.yaml", MINIMAL.replace("training:", types.format("builtins.eval"))))
    assert found.key == "training.trusted_types[1]"


def test_a_path_of_python_code_is_found_in_any_part() -> None:
    config = load_model(Path(__file__).parents[2] / "configs" / "flight_delay.yaml").config
    found = {text for _, text, _ in refused_imports(config, ["nothing"])}
    assert {text.split("'")[1] for text in found} == {"flight_delay.data:flights", "flight_delay.model:train"}


@pytest.mark.parametrize(
    "condition",
    [
        "@pd.io.common.os.system('touch pwned')",
        "age > 3 and @__import__('os').system('id')",
        "age.__class__",
        "age.apply(print)",
        "`age` > 1",
        "(lambda: 1)()",
        "[x for x in age]",
        "9 ** 9 ** 9 > age",
        "age[0] > 1",
        "x := 3",
        "f'{age}'",
        "a" * 501,
        "(" * 400,
        3,
        {"type": "pass_through", "pass_through_filter": "@pd"},
    ],
)
def test_a_row_condition_is_no_code(condition: object, tmp_path: Path) -> None:
    assert refused_condition(condition)


@pytest.mark.parametrize(
    "condition",
    ["age > 3", "carrier == 'AA' and not (age <= -3.5 or age in [1, 2])", "(a > 1) & ~(b < 2)", " a==1"],
)
def test_a_row_condition_may_compare(condition: str) -> None:
    assert refused_condition(condition) is None


def test_a_row_condition_is_refused_where_it_stands(tmp_path: Path) -> None:
    expectation = "{type: expect_column_to_exist, kwargs: {column: a, row_condition: '@pd'}}"
    expectation = f"validation:\n  expectations:\n    - {expectation}\n"
    [found] = refused(put(tmp_path, "wine.yaml", MINIMAL + expectation))
    assert (found.line, found.key) == (33, "validation.expectations[0].kwargs.row_condition")


def test_lint_neither_imports_nor_runs_the_models_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(
        tmp_path,
        "trap.py",
        "import pathlib\npathlib.Path(__file__).with_name('pwned').touch()\nraise SystemExit(3)\n",
    )
    put(tmp_path, "sitecustomize.py", "import trap\n")
    put(tmp_path, "conftest.py", "import trap\n")
    put(
        tmp_path,
        "wine.yaml",
        MINIMAL.replace("type: parquet\n    path: wine/*.parquet", "type: python\n    callable: trap:load"),
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.util.find_spec("trap")
    for command in (["lint", "."], ["plan", "wine.yaml"], ["show", "wine.yaml"]):
        assert CliRunner().invoke(main, command).exit_code == 0
    assert "trap" not in sys.modules
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["wine.yaml", "defaults.yaml", "policy.yaml", "profiles/prod.yaml"])
@pytest.mark.parametrize(
    "target", ["../outside/secret.yaml", "{outside}/secret.yaml", "../inside/../outside/secret.yaml"]
)
def test_a_link_out_of_the_folder_is_refused(name: str, target: str, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    put(outside, "secret.yaml", POLICY + "password: hunter2\n")
    model = put(inside, "wine.yaml")
    put(inside, "profiles/prod.yaml", POLICY)
    depth = "../" * name.count("/")
    (inside / name).unlink(missing_ok=True)
    (inside / name).symlink_to(depth + target if target.startswith("..") else target.format(outside=outside))
    [found] = refused(model, Site(root=inside, profile="prod"))
    assert f"is a link to {outside / 'secret.yaml'}, outside of {inside}" in found.message
    assert "hunter2" not in str(found)


def test_a_link_to_a_folder_outside_leads_nowhere(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    put(outside, "wine.yaml")
    put(outside, "profiles/prod.yaml", POLICY)
    inside.mkdir()
    (inside / "team").symlink_to(outside)
    (inside / "profiles").symlink_to(outside / "profiles")
    assert find_configs(inside) == []
    assert "outside of" in refused(inside / "team" / "wine.yaml", Site(root=inside))[0].message
    put(inside, "wine.yaml")
    assert "outside of" in refused(inside / "wine.yaml", Site(root=inside, profile="prod"))[0].message


def test_a_suite_that_is_linked_from_outside_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "outside/suite.json", '{"expectations": []}')
    path = put(tmp_path, "inside/wine.yaml", MINIMAL + "validation: {suite: suite.json}\n")
    (tmp_path / "inside" / "suite.json").symlink_to("../outside/suite.json")
    assert "must lie in the YAML's own folder" in refused(path)[0].message
    put(tmp_path, "inside/wine.yaml", MINIMAL + "validation: {suite: ../outside/suite.json}\n")
    assert "must lie in the YAML's own folder" in refused(path)[0].message


def test_the_links_of_a_mounted_configmap_are_followed(tmp_path: Path) -> None:
    put(tmp_path, "..2026_11_26/wine.yaml")
    put(tmp_path, "..2026_11_26/defaults.yaml", POLICY + "owner: team\n")
    (tmp_path / "..data").symlink_to("..2026_11_26")
    for name in ("wine.yaml", "defaults.yaml"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    [path] = find_configs(tmp_path)
    assert load_model(path, Site(root=tmp_path)).config.owner == "team"


@pytest.mark.parametrize(
    "profile", ["../secret", "a/b", "..", ".", "/etc/x", "a\0b", "-x", "x" * 101, "a\nb", "*"]
)
def test_a_profiles_name_leads_nowhere_else(profile: str, tmp_path: Path) -> None:
    put(tmp_path, "secret.yaml", POLICY)
    put(tmp_path, "profiles/a/b.yaml", POLICY)
    [found] = refused(put(tmp_path, "wine.yaml"), Site(root=tmp_path, profile=profile))
    assert "is no name" in found.message


@pytest.mark.parametrize(
    "name", ["wine.yaml", "defaults.yaml", "policy.yaml", "profiles/prod.yaml", "suite.json"]
)
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "nothing", "itself"])
def test_what_is_no_file_is_a_problem_and_no_wait(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    model = put(tmp_path, "wine.yaml", MINIMAL + "validation: {suite: suite.json}\n")
    for each in ("defaults.yaml", "policy.yaml", "profiles/prod.yaml"):
        put(tmp_path, each, POLICY)
    put(tmp_path, "suite.json", '{"expectations": []}')
    (tmp_path / name).unlink()
    match kind:
        case "pipe":
            os.mkfifo(name)
        case "socket":
            socket.socket(socket.AF_UNIX).bind(name)
        case "device":
            Path(name).symlink_to("/dev/zero")
        case "folder":
            Path(name).mkdir()
        case "nothing":
            Path(name).symlink_to("gone")
        case "itself":
            Path(name).symlink_to(Path(name).name)
    listed = find_configs(tmp_path)  # and does not wait either
    assert set(listed) <= {tmp_path / each for each in ("wine.yaml", "defaults.yaml", "policy.yaml")}
    [found, *_] = refused(model, Site(profile="prod"))
    assert re.search("cannot be read|own folder", found.message), found


def test_a_folder_deeper_than_pythons_stack_is_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = 1_200
    monkeypatch.chdir(tmp_path)
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    put(tmp_path, "wine.yaml")
    os.chdir(tmp_path)
    assert find_configs(tmp_path) == [tmp_path / "wine.yaml"]
    subprocess.run(["rm", "-rf", "d"], check=True)  # Python's own ways of removing a tree are recursive


def test_a_file_whose_name_is_no_text_is_told_of_in_text(tmp_path: Path) -> None:
    for name in (b"\xff.yaml", b"a\nb.yaml", b"\x1b[2J.yaml"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_text(MINIMAL)
        [found] = refused(path)
        assert found.path == printable(path)
        assert found.path.isprintable()
        assert "rename it" in found.hint


@pytest.mark.parametrize("text", [r'"a\0b"', r'"\x07"', r'"\e[2J"', r'["\x00"]', r'{"\x00": 1}', r'"\x7f"'])
def test_characters_that_no_terminal_or_database_takes_are_refused_as_escapes_too(
    text: str, tmp_path: Path
) -> None:
    problems = refused(
        put(tmp_path, "wine.yaml", MINIMAL.replace("training:", f"training:\n  params: {{p: {text}}}"))
    )
    assert [one.message for one in problems if "control character" in one.message]


def test_the_policy_of_the_documentation_keeps_models_within_bounds(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "security.md").read_text()
    put(tmp_path, "policy.yaml", page.partition("layers=lake/policy.yaml\n")[2].partition("```")[0])
    good = MINIMAL.replace("wine/*.parquet", "/lake/wine/*.parquet")
    assert load_model(put(tmp_path, "wine.yaml", good))
    for text, key in (
        (MINIMAL, "data.source.path"),
        (good.replace("/lake/", "/lake/../etc/"), "data.source.path"),
        (good + "compute: {python: /bin/sh}\n", "compute.python"),
        (good.replace("sklearn.linear", "os.linear"), "training.estimator"),
    ):
        assert [one.key for one in refused(put(tmp_path, "wine.yaml", text))] == [key]


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ('{"value": NaN}', "which is too large"),
        ('{"value": -Infinity}', "which is too large"),
        ('{"value": 1e999}', "which is too large"),
        ('{"value": ' + "9" * 41 + "}", "which is too large"),
        ('{"value": ' + "9" * 5_000 + "}", "is not JSON"),
        ('{"value": "\\ud800"}', "a control character"),
        ('{"value": "\\u0000"}', "a control character"),
        ('{"\\u0000": 1}', "a control character"),
        ('{"value": ' + "[" * 60 + "]" * 60 + "}", "nested deeper"),
        ('{"value": ' + "[" * 100_000 + "]" * 100_000 + "}", "is not JSON"),
        ('{"value": [' + "1," * 30_000 + "1]}", "more than 20000 values"),
        ('{"' + "k" * 201 + '": 1}', "a key of more than 200 characters"),
        ('{"row_condition": "@pd"}', "may compare columns with values|must compare columns"),
    ],
)
def test_a_suite_holds_no_more_than_a_yaml_may(kwargs: str, reason: str, tmp_path: Path) -> None:
    body = f'{{"expectations": [{{"type": "expect_column_to_exist", "kwargs": {kwargs}}}]}}'
    put(tmp_path, "suite.json", body)
    [found] = refused(put(tmp_path, "wine.yaml", MINIMAL + "validation: {suite: suite.json}\n"))
    assert (found.line, found.key) == (31, "validation.suite")
    assert re.search(reason, found.message)


@pytest.mark.parametrize("text", ["a plain $${ alone", "$${x} and $${", "^[a-z]$${2}", "$$$${x}"])
def test_a_plain_reference_sign_survives_being_shown(text: str, tmp_path: Path) -> None:
    path = put(tmp_path, "wine.yaml", MINIMAL + f"description: '{text}'\n")
    model = load_model(path)
    assert model.config.description == text.replace("$${", "${")
    shown = CliRunner().invoke(main, ["show", str(path)]).stdout
    assert load_model(put(tmp_path, "shown.yaml", shown)).digest == model.digest


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("schedule: {cron: '0 0 31 2 *', start: 2024-01-01}", "schedule.cron"),
        ("schedule: {cron: '0 0 31 4,6 *', start: 2024-01-01}", "schedule.cron"),
        ("schedule: {cron: '*/٣ * * * *', start: 2024-01-01}", "schedule.cron"),
        ("schedule: {cron: '*/100 * * * *', start: 2024-01-01}", "schedule.cron"),
        ("schedule: {start: 0001-01-01T00:00+14:00}", "schedule.start"),
        ("schedule: {start: 9999-12-31T23:59-12:00}", "schedule.start"),
        ("deploy: {steps: [0.1, 0.10000000001]}", "deploy.steps"),
        ("retraining: {budget: " + "1" * 41 + "}", "retraining.budget"),
    ],
)
def test_what_airflow_could_not_schedule_is_told_at_its_place(text: str, key: str, tmp_path: Path) -> None:
    """A DAG that fails when Airflow stores it takes all others of the loader along."""
    [found] = refused(put(tmp_path, "wine.yaml", MINIMAL + text + "\n"))
    assert (found.line, found.key) == (31, key)


@pytest.mark.parametrize(
    "cron", ["0 0 29 2 *", "0 0 30 2 1", "0 0 31 */2 *", "0 0 31 1-12/2 *", "0 0 */31 2 *"]
)
def test_a_day_that_comes_seldom_is_a_day(cron: str, tmp_path: Path) -> None:
    schedule = f"schedule: {{cron: '{cron}', start: 2024-01-01}}\n"
    assert load_model(put(tmp_path, "wine.yaml", MINIMAL + schedule))


def test_lines_are_counted_as_the_parser_counts_them(tmp_path: Path) -> None:
    r"""``str.splitlines`` ends lines at \v and \f too, and a text once was searched for \n alone."""
    for end in ("\n", "\r\n", "\r", "\x85", "\u2028"):
        path = put(tmp_path, "wine.yaml", MINIMAL.replace("label: is_good", "label: [1]").replace("\n", end))
        [found] = refused(path)
        assert (found.line, found.column, found.snippet) == (11, 10, "  label: [1]")
        path = put(tmp_path, "wine.yaml", MINIMAL.replace("is_good", "is\fgood").replace("\n", end))
        [found] = refused(path)
        assert (found.line, found.column, found.snippet) == (11, 12, "  label: is\fgood")
        body = MINIMAL.replace("is_good", "é?good").replace("\n", end).encode().replace(b"?", b"\xff")
        [found] = refused(put(tmp_path, "wine.yaml", body))
        assert (found.line, found.column, found.snippet) == (11, 11, "  label: é\ufffdgood")


def test_the_end_of_a_file_is_in_its_last_line(tmp_path: Path) -> None:
    for text, column in (("key", 4), ("key\n", 4)):
        [found] = refused(put(tmp_path, "wine.yaml", MINIMAL + text))
        assert (found.line, found.column, found.snippet) == (31, column, "key")
    [found] = refused(put(tmp_path, "wine.yaml", "a: 'x\n"))
    assert (found.line, found.column) == (1, 4)


def test_a_key_is_no_text_of_its_own(tmp_path: Path) -> None:
    """Each problem below it would repeat it."""
    [found] = refused(put(tmp_path, "wine.yaml", f"? {'k' * (MAX_KEY + 1)}\n: 1\n"))
    assert (found.line, found.column) == (1, 3)
    assert f"a key of more than {MAX_KEY} characters" in found.message


def test_of_a_long_line_the_part_around_the_place_is_shown(tmp_path: Path) -> None:
    text = f"{{pad: [{'1, ' * 500}], apiVersion: yes, z: [{'1, ' * 500}]}}"
    told = str(refused(put(tmp_path, "wine.yaml", text))[0]).splitlines()
    assert len(told[1]) < 200
    assert told[1][told[2].index("^") :].startswith("yes")
