"""Models written in Python: the same DAGs as from a YAML, the same layers, every mistake at its line."""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
import sys
from datetime import date, datetime, timezone
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlops import Model, build_dags
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.source import read_source
from airflow_mlops.factory import ModelKeys, load_file
from airflow_mlops.operators import TrainOperator
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.sensors import PendingChallengerSensor

ROOT = Path(__file__).parents[2]
EXAMPLES = [*sorted((ROOT / "configs").rglob("*.yaml")), ROOT / "tests" / "config" / "minimal.yaml"]

RAIN = {
    "model": "rain",
    "task": "binary_classification",
    "data": {
        "source": {"type": "parquet", "path": "rain.parquet"},
        "time_column": "day",
        "key": "station",
        "label": "rain",
        "features": {"pressure": "numeric", "cloud": "categorical"},
        "window": {"length": "3 months"},
        "holdout": {"length": "14 days"},
    },
    "training": {"estimator": "sklearn.linear_model.LogisticRegression"},
    "evaluation": {"metrics": ["roc_auc"]},
    "gates": {"rules": [{"type": "threshold", "metric": "roc_auc", "minimum": 0.6}]},
}


def serialised(dags):
    return json.dumps([DagSerialization.to_dict(dag) for dag in dags.values()])


def rain(**changed):
    return Model(**{**RAIN, **changed})


@pytest.fixture
def for_one_task(monkeypatch):
    def parse_for(dag_id):
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "train")

    return parse_for


@pytest.fixture
def weather(tmp_path, monkeypatch):
    """A package of training code, as it would lie in plugins/."""
    package = tmp_path / "plugins" / "weather"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from weather._trees import Forest\ndef train(): ...\n")
    (package / "_trees.py").write_text("class Forest: ...\n")
    monkeypatch.syspath_prepend(package.parent)
    yield import_module("weather")
    for name in [name for name in sys.modules if name.partition(".")[0] == "weather"]:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """``write("team/x.py", text)``: a file below the DAGs folder of the test's own."""

    def write_file(name, text):
        file = tmp_path / "dags" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write_file


@pytest.fixture
def parse(tmp_path, write, monkeypatch):
    """Let Airflow read a DAG file of that folder, its bundle: the DAGs, and the import error or None."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # the bag leaves the bundle's folder on it

    def read(text, name="rain_dag.py"):
        bag = BundleDagBag(write(name, text), bundle_path=tmp_path / "dags", bundle_name="test")
        return bag.dags, next(iter(bag.import_errors.values()), None)

    return read


DAG_FILE = f"""\
from airflow_mlops import Model, build_dags  # an Airflow DAG file

RAIN = {RAIN!r}
globals().update(build_dags(Model(**RAIN, owner="weather")))
"""


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_model_in_python_is_the_model_of_the_yaml_that_says_the_same(path):
    values = read_source(path.read_text(), str(path)).root.value
    model, loaded = Model(**values), load_model(path)

    assert (model.config, model.digest) == (loaded.config, loaded.digest)
    assert compile_plan(model.config, model.digest) == compile_plan(loaded.config, loaded.digest)
    assert serialised(build_dags(model)) == serialised(load_file(path))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_level_has_the_dags_that_it_has_from_yaml(model_yaml, level):
    path = model_yaml(level=level)
    values = read_source(path.read_text(), str(path)).root.value
    assert serialised(build_dags(Model(**values))) == serialised(load_file(path))


def test_dates_tuples_and_other_mappings_mean_what_they_mean_in_yaml():
    given = rain(
        tags=("a", "b"),
        schedule={
            "cron": "@daily",
            "start": date(2026, 1, 1),
            "end": datetime(2027, 1, 1, tzinfo=timezone.utc),
        },
        gates={"rules": ({"type": "threshold", "metric": "roc_auc", "minimum": 0.6},)},
    )
    written = rain(
        tags=["a", "b"], schedule={"cron": "@daily", "start": "2026-01-01", "end": "2027-01-01T00:00Z"}
    )
    assert given.digest == written.digest


def test_a_function_or_class_of_a_module_is_its_import_path(weather):
    function = rain(training={"callable": weather.train})
    assert function.config.training.callable == "weather:train"
    assert function.digest == rain(training={"callable": "weather:train"}).digest


def test_a_class_of_a_private_module_is_named_as_its_library_names_it(weather):
    assert weather.Forest.__module__ == "weather._trees"
    assert rain(training={"estimator": weather.Forest}).config.training.estimator == "weather.Forest"


def _local():
    def train(): ...

    return train


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (lambda: 0, "a lambda has no import path"),
        (_local(), "_local.<locals>.train stands inside a function"),
        (RAIN.get, "'dict.get' is not at the top level"),
        (functools.partial(print, 1), "a partial has no import path; give a function, and arguments as"),
        ("alias", "weather:train does not lead to this object"),
    ],
)
def test_code_that_no_step_could_import_is_refused_with_the_reason(weather, code, reason):
    if code == "alias":
        code, weather.train = weather.train, _local()
    with pytest.raises(InvalidConfig, match=reason.replace("(", r"\(")) as caught:
        rain(training={"callable": code})
    (problem,) = caught.value.problems
    assert problem.key == "training.callable"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": print}, "data.source.params.a: is code, and this key takes a plain value"),
        ({"a": float("nan")}, "data.source.params.a: nan is not a number that JSON can hold"),
        ({"a": {1, 2}}, "data.source.params.a: a set has no order; give a list"),
        ({"a": [datetime.now() - datetime.now()]}, r"data.source.params.a\[0\]: a timedelta is no value"),
        ({"a": object()}, "data.source.params.a: a object is no value of a model's key"),
        ({1: "a"}, "data.source.params: the key 1 is not text"),
    ],
)
def test_what_no_yaml_could_say_is_refused(value, reason):
    source = {"type": "python", "callable": "weather:rows", "params": value}
    with pytest.raises(InvalidConfig, match=reason):
        rain(data={**RAIN["data"], "source": source})


def test_a_mapping_inside_itself_is_refused():
    params: dict = {}
    params["again"] = params
    with pytest.raises(InvalidConfig, match="nested deeper than 50 levels"):
        rain(training={**RAIN["training"], "params": params})


def test_all_mistakes_are_told_at_once_each_at_the_line_of_its_key(parse):
    text = dedent("""\
        from airflow_mlops import Model, build_dags  # an Airflow DAG file

        def train(features, label, params, seed): ...

        HOLDOUT = {"lenght": "14 days"}
        model = Model(
            model="rain",
            levle=2,
            task="binary_classification",
            data={
                "source": {"type": "parquet", "path": "rain.parquet"},
                "time_column": "day", "key": "station", "label": "rain",
                "features": {"größe": "numeric", "cloud": "categorial"},
                "window": dict(length="3 months"),
                "holdout": HOLDOUT,
            },
            training={"callable": train},
            evaluation={"metrics": ["roc_auc", "roc_auk"]},
            gates={"rules": [{"type": "threshold", "metric": "roc_auc", "minimum": "0.6"}]},
        )
        globals().update(build_dags(model))
        """)
    dags, error = parse(text)

    assert dags == {}
    told = re.findall(r"rain_dag\.py:(\d+:\d+: \S+: .{0,30})", error)
    assert told == [
        "8:5: levle: unknown key; did you mean 'lev",
        "13:51: data.features.cloud: 'categorial' is not one of 'nu",
        "15:9: data.holdout.length: missing; it says: How long the",
        "15:20: data.holdout.lenght: unknown key; did you mean 'len",
        "17:27: training.callable: train stands in the DAG file i",
        "18:40: evaluation.metrics[1]: 'roc_auk' is not one of 'roc_a",
        "19:76: gates.rules[0].minimum: must be a number, not '0.6'",
    ]
    assert "did you mean 'level'?" in error
    assert "move it to a module in Airflow's plugins/ folder" in error
    assert (
        '    19 |     gates={"rules": [{"type": "threshold", "metric": "roc_auc", "minimum": "0.6"}]},'
        in error
    )


def test_several_mistakes_that_no_line_tells_apart_are_all_told():
    keys = {**RAIN, "levle": 2, "owner": 3, "tags": {"a"}}
    with pytest.raises(InvalidConfig) as caught:
        Model(**keys)
    assert [one.key for one in caught.value.problems] == ["levle", "owner", "tags"]
    assert {one.path for one in caught.value.problems} == {__file__}
    assert len({one.line for one in caught.value.problems}) == 1


def test_a_dag_file_of_a_few_lines_gives_airflow_the_dags(parse):
    dags, error = parse(DAG_FILE)
    assert error is None
    assert sorted(dags) == ["rain.deploy", "rain.rollback", "rain.train"]
    assert dags["rain.train"].owner == "weather"
    assert dags["rain.train"].relative_fileloc == "rain_dag.py"


def test_a_model_in_python_stands_on_the_defaults_and_the_profile_of_its_dag_files_folders(
    parse, write, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__MLOPS__PROFILE", "prod")
    write("defaults.yaml", "apiVersion: airflow-mlops/v1\nowner: everybody\n")
    write("team/profiles/prod.yaml", "apiVersion: airflow-mlops/v1\ntags: [production]\n")

    dags, error = parse(DAG_FILE.replace(', owner="weather"', ""), "team/rain_dag.py")

    assert error is None
    assert dags["rain.train"].owner == "everybody"
    assert "production" in dags["rain.train"].tags


POLICY = """\
apiVersion: airflow-mlops/v1
allowed_imports: [weather]
rules:
  - {name: an owner answers, key: owner, given: true}
"""


def test_a_model_in_python_obeys_the_policy_and_the_locks_of_its_folder(parse, write):
    write("policy.yaml", POLICY)
    write(
        "defaults.yaml",
        "apiVersion: airflow-mlops/v1\ndeploy: {approval: true}\nlocked: [deploy.approval]\n",
    )

    dags, error = parse(DAG_FILE.replace('owner="weather"', 'deploy={"approval": False}'), "team/rain_dag.py")

    assert dags == {}
    assert re.findall(r"rain_dag\.py:(\d+:\d+: \S+: .{0,12})", error) == [
        "4:29: owner: must be said",
        "4:29: training.estimator: 'sklearn.lin",
        "4:51: deploy.approval: locked by /t",
    ]
    assert "(an owner answers)" in error
    assert "defaults.yaml:3" in error


def test_a_policy_holds_for_a_model_that_the_dag_file_imports(parse, write, tmp_path, monkeypatch):
    library = tmp_path / "plugins"
    library.mkdir()
    (library / "rain_of_mine.py").write_text(f"from airflow_mlops import Model\nmodel = Model(**{RAIN!r})\n")
    monkeypatch.syspath_prepend(library)
    monkeypatch.delitem(sys.modules, "rain_of_mine", raising=False)
    write("policy.yaml", POLICY)

    dags, error = parse(
        "from airflow_mlops import build_dags  # an Airflow DAG file\n"
        "import rain_of_mine\n"
        "globals().update(build_dags(rain_of_mine.model))\n"
    )

    assert dags == {}
    assert f"{library}/rain_of_mine.py:2:9: owner: must be said" in error


def test_an_unknown_apiversion_is_refused():
    with pytest.raises(InvalidConfig, match="'airflow-mlops/v9' is not a version this release can read"):
        rain(apiVersion="airflow-mlops/v9")


def test_where_airflow_parses_for_one_task_that_dag_alone_is_built(for_one_task):
    model = rain()
    for_one_task("rain.deploy")
    assert list(build_dags(model)) == ["rain.deploy"]
    for_one_task("snow.train")
    assert build_dags(model) == {}


def test_where_airflow_parses_for_one_task_other_models_are_not_even_checked(for_one_task):
    for_one_task("rain.train")
    assert build_dags(rain(model="snow", levle=2)) == {}
    with pytest.raises(InvalidConfig, match="levle"):
        rain(levle=2)


def test_a_name_made_of_variables_is_found_in_the_parse_for_its_task(for_one_task):
    for_one_task("rain_eu.train")
    model = rain(model="rain_${vars.region}", vars={"region": "eu"})
    assert list(build_dags(model)) == ["rain_eu.train"]


def test_build_dags_takes_nothing_but_a_model():
    with pytest.raises(TypeError, match=r"takes a Model\(\.\.\.\), not a dict"):
        build_dags(RAIN)


def test_an_operator_takes_a_model_and_refuses_inputs_of_another():
    model = rain()
    operator = copy.deepcopy(TrainOperator(task_id="train", model=model, snapshot={}))
    configured = operator.configured()
    assert (configured.config, configured.digest) == (model.config, model.digest)

    of_another = TrainOperator(task_id="train", model=model, snapshot={"config": "another"})
    with pytest.raises(AirflowFailException, match="changed while this run was under way"):
        of_another.execute({})
    stale = TrainOperator(task_id="train", model=model, config_digest="another", snapshot={})
    with pytest.raises(AirflowFailException, match="changed while this run was under way"):
        stale.execute({})


def test_an_operator_takes_what_load_model_gives():
    loaded = load_model(EXAMPLES[0])
    assert TrainOperator(task_id="train", model=loaded, snapshot={}).configured().digest == loaded.digest


def test_a_sensor_takes_a_model(mlops_store):
    sensor = PendingChallengerSensor(task_id="wait", model=rain(), deferrable=False)
    assert not sensor.poke({}).is_done


def test_the_typed_keys_are_those_of_the_yaml():
    assert set(ModelKeys.__annotations__) == {*ModelConfig.model_fields, "vars"}


@pytest.mark.slow
def test_two_processes_serialise_to_equal_bytes(tmp_path):
    file = tmp_path / "rain_dag.py"
    file.write_text(
        DAG_FILE + "import json\n"
        "from airflow.serialization.serialized_objects import DagSerialization\n"
        "dags = [value for value in list(globals().values()) if hasattr(value, 'dag_id')]\n"
        "print(json.dumps([DagSerialization.to_dict(dag) for dag in dags], sort_keys=True))\n"
    )
    first, second = (
        subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first.splitlines()[-1] == second.splitlines()[-1]
    assert "rain.deploy" in first
