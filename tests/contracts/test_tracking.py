"""What every tracking backend holds to, against a real MLflow server."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from airflow_mlops.backends.fresh_process import answers_in_fresh_process
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.backends.tracking_mlflow import MlflowTracking
from airflow_mlops.core.tuning import Trial
from airflow_mlops.core.values import ModelRef, RunRef, SearchRun
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrackingRefused, TrainingFailed
from airflow_mlops.testing.mlflow_server import mlflow_server

pytestmark = pytest.mark.slow  # the server takes some six seconds to start


@dataclass(frozen=True)
class Server:
    url: str
    folder: Path

    def files(self, name: str, run: RunRef) -> list[Path]:
        """A model's files where the server keeps them."""
        return list((self.folder / "artifacts").rglob(f"{run.model_uri.rpartition('/')[2]}/artifacts/{name}"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mlflow server")
    with mlflow_server(folder) as url:
        yield Server(url, folder)


@pytest.fixture(params=["mlflow"])
def tracking(server: Server) -> Tracking:
    return MlflowTracking(server.url)


@pytest.fixture
def flights() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    flights = pd.DataFrame(
        {
            "distance": rng.integers(80, 5_000, size=300),
            "carrier": rng.choice(["AA", "UA", "WN"], size=300),
            "wind": rng.normal(10, 4, size=300),
        }
    )
    flights.loc[::7, "wind"] = np.nan
    flights.loc[::11, "carrier"] = None
    return flights


@pytest.fixture
def estimator(flights: pd.DataFrame) -> Any:
    carrier = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    estimator = make_pipeline(
        make_column_transformer((carrier, ["carrier"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=10, random_state=1),
    )
    return estimator.fit(flights, (flights["distance"] > 2_000).astype(int))


@pytest.fixture
def log(tracking: Tracking, estimator: Any, flights: pd.DataFrame) -> Callable[..., RunRef]:
    """Log a training, each test under a run key of its own."""
    own_key = f"flight_delay.train|{uuid.uuid4().hex}|-1"

    def log_training(**changes: Any) -> RunRef:
        given: dict[str, Any] = {
            "experiment": "flight_delay",
            "run_name": "flight_delay as of 2013-07-01",
            "run_key": own_key,
            "estimator": estimator,
            "input_example": flights,
            "task": "binary_classification",
            "params": {"max_iter": 10, "columns": ["distance", "wind"], "loss": "log_loss"},
            "tags": {"mlops.kind": "challenger", "mlops.causes": "", "mlops.code_version": "abc"},
            "dataset_uri": "file:///store/snapshots/flight_delay/1.parquet",
            "dataset_version": "5" * 64,
            "trusted_types": (),
        }
        return tracking.log_training(**(given | changes))

    return log_training


@pytest.fixture
def name() -> str:
    return f"model_{uuid.uuid4().hex[:8]}"


def test_a_logged_model_answers_as_it_was_trained(
    tracking: Tracking, log: Callable[..., RunRef], estimator: Any, flights: pd.DataFrame
) -> None:
    loaded = tracking.load(log().model_uri)
    shuffled = flights[["wind", "carrier", "distance"]].assign(left_aside=1)
    np.testing.assert_array_equal(loaded.predict(shuffled), estimator.predict_proba(flights)[:, 1])


def test_a_loaded_model_tells_its_columns_in_training_order(
    server: Server, log: Callable[..., RunRef]
) -> None:
    loaded = MlflowTracking(server.url).load(log().model_uri)
    assert list(loaded.columns.items()) == [
        ("distance", "numeric"),
        ("carrier", "categorical"),
        ("wind", "numeric"),
    ]
    assert loaded.classes == (0, 1)


def test_a_run_holds_its_tags_and_its_url_leads_to_it(
    tracking: Tracking, log: Callable[..., RunRef], server: Server
) -> None:
    run = log()
    tags = tracking.tags_of(run.run_id)
    assert tags["mlops.kind"] == "challenger"
    assert tags["mlops.task"] == "binary_classification"
    assert tags["mlops.dataset_version"] == "5" * 64
    assert tags["mlops.model_sha256"] == run.sha256
    assert run.url is not None
    assert run.url.startswith(server.url)
    assert run.url.endswith(run.run_id)


def test_mlflow_itself_shows_the_params_the_dataset_and_the_model(
    log: Callable[..., RunRef], server: Server, flights: pd.DataFrame, estimator: Any
) -> None:
    import mlflow

    run = log()
    found = mlflow.MlflowClient(server.url).get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {
        "max_iter": "10",
        "columns": '["distance", "wind"]',
        "loss": "log_loss",
    }
    assert found.inputs.dataset_inputs[0].dataset.digest == "5" * 36
    mlflow.set_tracking_uri(server.url)
    theirs = mlflow.pyfunc.load_model(run.model_uri)
    rows = flights.astype({"distance": "float64", "carrier": object}).dropna()
    np.testing.assert_array_equal(theirs.predict(rows), estimator.predict(rows))


def test_files_are_there_with_the_model_and_a_retry_leaves_them_as_they_are(
    tracking: Tracking, log: Callable[..., RunRef]
) -> None:
    run = log(files={"training_answers.json": b"[0.5]", "more/notes.txt": b"of the first fit"})
    assert log(files={"training_answers.json": b"[0.7]"}) == run
    assert tracking.read_file(run.run_id, "training_answers.json") == b"[0.5]"
    assert tracking.read_file(run.run_id, "more/notes.txt") == b"of the first fit"


def test_a_models_files_are_those_that_were_logged(
    tracking: Tracking, log: Callable[..., RunRef], server: Server
) -> None:
    run = log()
    files = tracking.files_of(run.model_uri)
    assert hashlib.sha256(files.body).hexdigest() == run.sha256
    assert b"serialization_format: skops" in files.description
    (stored,) = server.files("model.skops", run)
    stored.write_bytes(files.body + b"!")
    with pytest.raises(ModelRefused, match="is not the file that was logged"):
        tracking.files_of(run.model_uri)


def test_a_retry_finds_the_finished_run_of_its_key(log: Callable[..., RunRef]) -> None:
    assert log() == log()


@pytest.mark.parametrize(
    "change",
    [
        {"dataset_version": "6" * 64},
        {"tags": {"mlops.code_version": "def"}},
        {"params": {"max_iter": 20}},
    ],
    ids=["data", "code", "params"],
)
def test_a_task_cleared_after_a_change_does_not_get_the_model_of_before(
    log: Callable[..., RunRef], change: dict[str, Any]
) -> None:
    assert log().run_id != log(**change).run_id


def test_a_run_that_an_earlier_try_left_running_is_killed_and_not_used(
    log: Callable[..., RunRef], server: Server
) -> None:
    import mlflow

    client = mlflow.MlflowClient(server.url)
    whole = log()
    experiment = client.get_run(whole.run_id).info.experiment_id
    key = f"flight_delay.train|{uuid.uuid4().hex}|-1"
    left = client.create_run(experiment, tags={"mlops.run_key": key}).info.run_id
    fresh = log(run_key=key)
    assert client.get_run(left).info.status == "KILLED"
    assert fresh.run_id not in {left, whole.run_id}


def test_a_training_that_cannot_be_saved_leaves_a_failed_run_and_nothing_to_register(
    tracking: Tracking, log: Callable[..., RunRef], server: Server, name: str, flights: pd.DataFrame
) -> None:
    import mlflow

    key = f"flight_delay.train|{uuid.uuid4().hex}|-1"
    unknown = make_pipeline(FunctionTransformer(np.nan_to_num), RandomForestClassifier(2))
    unknown.fit(flights[["wind"]], flights["distance"] > 2_000)
    with pytest.raises(ModelRefused) as refused:
        log(run_key=key, estimator=unknown, input_example=flights[["wind"]])
    assert "numpy.nan_to_num" in str(refused.value)
    assert "training.trusted_types" in str(refused.value)
    assert "Tree" not in str(refused.value)
    client = mlflow.MlflowClient(server.url)
    experiment = client.get_experiment_by_name("flight_delay")
    (left,) = client.search_runs([experiment.experiment_id], f"tags.`mlops.run_key` = '{key}'")
    assert left.info.status == "FAILED"
    with pytest.raises(ModelRefused, match="FAILED and holds no model"):
        tracking.register(name, RunRef(left.info.run_id, f"runs:/{left.info.run_id}/model"), {})
    assert tracking.alias(name, "challenger") is None


def test_a_type_is_loaded_only_where_the_caller_trusts_it(
    tracking: Tracking, log: Callable[..., RunRef], flights: pd.DataFrame
) -> None:
    trusted = ["numpy.nan_to_num"]
    model = make_pipeline(FunctionTransformer(np.nan_to_num), RandomForestClassifier(2, random_state=1))
    model.fit(flights[["wind"]], flights["distance"] > 2_000)
    run = log(estimator=model, input_example=flights[["wind"]], trusted_types=trusted)
    with pytest.raises(ModelRefused, match=r"training\.trusted_types: \[numpy\.nan_to_num\]"):
        tracking.load(run.model_uri)
    loaded = tracking.load(run.model_uri, trusted_types=trusted)
    np.testing.assert_array_equal(loaded.predict(flights), model.predict_proba(flights[["wind"]])[:, 1])


@pytest.mark.parametrize("file", ["model.skops", "MLmodel"])
def test_a_model_whose_file_was_changed_is_refused(
    tracking: Tracking, log: Callable[..., RunRef], server: Server, file: str
) -> None:
    run = log()
    (path,) = server.files(file, run)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ModelRefused, match=rf"{file} is not the file that was logged"):
        tracking.load(run.model_uri)


def test_missing_columns_are_named(
    tracking: Tracking, log: Callable[..., RunRef], flights: pd.DataFrame
) -> None:
    loaded = tracking.load(log().model_uri)
    with pytest.raises(ModelRefused, match="not there: carrier, wind"):
        loaded.predict(flights[["distance"]])


def test_a_date_among_the_features_is_refused_before_anything_is_saved(
    log: Callable[..., RunRef], flights: pd.DataFrame
) -> None:
    with pytest.raises(DataRefused, match=r"departed \(datetime64"):
        log(input_example=flights.assign(departed=pd.Timestamp("2013-01-01")))


def test_regression_and_multiclass_models_answer_values_and_probabilities(
    tracking: Tracking, log: Callable[..., RunRef], flights: pd.DataFrame
) -> None:
    key = uuid.uuid4().hex
    numbers = flights[["distance"]]
    line = LinearRegression().fit(numbers, numbers["distance"] * 2.0)
    run = log(run_key=f"{key}r", estimator=line, input_example=numbers, task="regression")
    np.testing.assert_allclose(tracking.load(run.model_uri).predict(numbers), numbers["distance"] * 2.0)

    kinds = RandomForestClassifier(3, random_state=1).fit(numbers, numbers["distance"] // 1_700)
    run = log(run_key=f"{key}m", estimator=kinds, input_example=numbers, task="multiclass_classification")
    assert tracking.load(run.model_uri).predict(numbers).shape == (300, 3)

    with pytest.raises(TrainingFailed, match="binary classification needs two classes"):
        log(run_key=f"{key}b", estimator=kinds, input_example=numbers)


def test_a_models_files_answer_in_a_fresh_process_as_it_was_trained(
    tracking: Tracking, estimator: Any, flights: pd.DataFrame, log: Callable[..., RunRef]
) -> None:
    files = tracking.files_of(log().model_uri)
    answers = answers_in_fresh_process(files, flights, task="binary_classification")
    np.testing.assert_array_equal(answers, estimator.predict_proba(flights)[:, 1])


def test_registering_a_run_again_gives_the_same_version_and_another_run_the_next(
    tracking: Tracking, log: Callable[..., RunRef], name: str
) -> None:
    first = log()
    version = tracking.register(name, first, {"mlops.kind": "challenger", "mlops.causes": ""})
    assert (version.name, version.version) == (name, "1")
    assert version.url is not None
    assert version.url.endswith(f"/models/{name}/versions/1")
    assert tracking.register(name, first, {}) == version
    assert tracking.register(name, log(dataset_version="8" * 64), {}).version == "2"


def test_two_runs_that_register_a_new_model_at_once_both_get_a_version(
    tracking: Tracking, log: Callable[..., RunRef], name: str
) -> None:
    runs = [log(), log(dataset_version="9" * 64)]
    start = Barrier(2)

    def register(run: RunRef) -> str:
        start.wait()
        return tracking.register(name, run, {}).version

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(register, runs)) == ["1", "2"]


def test_a_version_leads_back_to_its_run_and_loads_by_every_address(
    tracking: Tracking, log: Callable[..., RunRef], name: str, flights: pd.DataFrame
) -> None:
    run = log()
    version = tracking.register(name, run, {})
    tracking.set_alias(name, "champion", version.version)
    assert tracking.run_of(version) == run
    expected = tracking.load(run.model_uri).predict(flights)
    for uri in (f"models:/{name}/1", f"models:/{name}@champion", f"runs:/{run.run_id}/model"):
        np.testing.assert_array_equal(tracking.load(uri).predict(flights), expected)


def test_tags_are_set_on_a_version(
    tracking: Tracking, log: Callable[..., RunRef], name: str, server: Server
) -> None:
    version = tracking.register(name, log(), {"mlops.kind": "challenger"})
    tracking.set_tags(version, {"mlops.approved_by": "mira", "mlops.kind": "champion"})
    answer = httpx.get(
        f"{server.url}/api/2.0/mlflow/model-versions/get", params={"name": name, "version": "1"}
    ).json()
    found = {tag["key"]: tag["value"] for tag in answer["model_version"]["tags"]}
    assert found["mlops.approved_by"] == "mira"
    assert found["mlops.kind"] == "champion"


def test_a_version_is_described_and_what_is_too_long_is_cut_at_a_line(
    tracking: Tracking, log: Callable[..., RunRef], name: str, server: Server
) -> None:
    version = tracking.register(name, log(), {})

    def described() -> str:
        url = f"{server.url}/api/2.0/mlflow/model-versions/get"
        answer = httpx.get(url, params={"name": name, "version": "1"}).json()
        return str(answer["model_version"]["description"])

    tracking.describe(version, "# Card\n\n- one\n")
    assert described() == "# Card\n\n- one\n"
    tracking.describe(version, "- a line of the card\n" * 1_000)
    assert 4_900 < len(described()) <= 5_000
    assert described().endswith("- a line of the card\n…")


def test_tags_of_a_version_that_somebody_deleted_are_no_error(
    tracking: Tracking, log: Callable[..., RunRef], name: str
) -> None:
    tracking.register(name, log(), {})
    tracking.set_tags(ModelRef(name, "9"), {"stage": "archived"})


def test_a_column_of_prose_is_told_from_categories_when_the_model_is_loaded(
    tracking: Tracking, log: Callable[..., RunRef], name: str
) -> None:
    version = tracking.register(name, log(texts=["carrier"]), {})
    assert tracking.load(f"models:/{name}/{version.version}").columns == {
        "distance": "numeric",
        "carrier": "text",
        "wind": "numeric",
    }


def test_an_alias_is_set_moved_read_and_dropped(
    tracking: Tracking, log: Callable[..., RunRef], name: str
) -> None:
    assert tracking.alias(name, "champion") is None
    tracking.drop_alias(name, "champion")
    first = tracking.register(name, log(), {})
    second = tracking.register(name, log(dataset_version="7" * 64), {})
    assert tracking.alias(name, "champion") is None
    tracking.set_alias(name, "champion", first.version)
    assert tracking.alias(name, "champion") == first
    tracking.set_alias(name, "champion", second.version)
    assert tracking.alias(name, "champion") == second
    tracking.drop_alias(name, "champion")
    tracking.drop_alias(name, "champion")
    assert tracking.alias(name, "champion") is None


@pytest.mark.parametrize("versions", [["1"], ["1", "2"]], ids=["to one version", "to two versions"])
def test_eight_tasks_that_set_a_new_alias_at_once_leave_it_whole(
    tracking: Tracking, log: Callable[..., RunRef], name: str, versions: list[str]
) -> None:
    for number in range(len(versions)):
        tracking.register(name, log(dataset_version=str(number) * 64), {})
    start = Barrier(8)

    def move(number: int) -> str:
        version = versions[number % len(versions)]
        start.wait()
        try:
            tracking.set_alias(name, "champion", version)
        except TrackingRefused as error:
            return str(error)
        return version

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(move, range(8)))
    champion = tracking.alias(name, "champion")
    assert champion is not None
    assert champion.version in answers
    refused = [answer for answer in answers if answer not in versions]
    assert all("something else moves it too" in answer for answer in refused), refused
    assert not refused or len(versions) == 2


def test_an_alias_on_a_version_that_is_not_there_is_refused(
    tracking: Tracking, log: Callable[..., RunRef], name: str
) -> None:
    tracking.register(name, log(), {})
    with pytest.raises(TrackingRefused, match="version=9"):
        tracking.set_alias(name, "champion", "9")
    assert tracking.alias(name, "champion") is None


def test_files_of_a_run_are_kept_replaced_and_missed_by_name(
    tracking: Tracking, log: Callable[..., RunRef]
) -> None:
    run = log()
    tracking.log_file(run.run_id, "evaluation.json", b"{}")
    tracking.log_file(run.run_id, "evaluation.json", b'{"rows": 3}')
    tracking.log_file(run.run_id, "reports/a b.html", b"<p>")
    assert tracking.read_file(run.run_id, "evaluation.json") == b'{"rows": 3}'
    assert tracking.read_file(run.run_id, "reports/a b.html") == b"<p>"
    with pytest.raises(KeyError, match=r"nothing\.json"):
        tracking.read_file(run.run_id, "nothing.json")


def test_metrics_are_added_with_infinity_as_it_is(
    tracking: Tracking, log: Callable[..., RunRef], server: Server
) -> None:
    import mlflow

    run = log()
    tracking.log_metrics(run.run_id, {"roc_auc": 0.7, "ratio": math.inf})
    found = mlflow.MlflowClient(server.url).get_run(run.run_id).data.metrics
    assert found["roc_auc"] == 0.7
    assert found["ratio"] > 1e300


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("models:/nothing/3", "no nothing version 3"),
        ("models:/nothing@champion", "no alias champion"),
        ("models:/m-00000000000000000000000000000000", "no model m-0000"),
        ("runs:/00000000000000000000000000000000/model", "no run 0000"),
        ("/tmp/model.pkl", "not a model's address"),
    ],
)
def test_a_model_that_is_not_there_is_refused_by_name(tracking: Tracking, uri: str, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        tracking.load(uri)


def test_a_version_that_is_not_there_has_no_run(tracking: Tracking) -> None:
    with pytest.raises(ModelRefused, match="no nothing version 1"):
        tracking.run_of(ModelRef("nothing", "1"))


def test_a_pickled_model_is_refused(
    tracking: Tracking, estimator: Any, flights: pd.DataFrame, server: Server
) -> None:
    import mlflow

    mlflow.set_tracking_uri(server.url)
    with mlflow.start_run(tags={"mlops.task": "binary_classification"}):
        theirs = mlflow.sklearn.log_model(
            estimator, name="model", serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
        )
    with pytest.raises(ModelRefused, match=r"no file model\.skops"):
        tracking.load(theirs.model_uri)


def test_a_tree_model_that_nobody_recorded_the_hash_of_is_refused(
    tracking: Tracking, flights: pd.DataFrame, server: Server
) -> None:
    import mlflow

    forest = RandomForestClassifier(2).fit(flights[["distance"]], flights["distance"] > 2_000)
    mlflow.set_tracking_uri(server.url)
    with mlflow.start_run(tags={"mlops.task": "binary_classification"}):
        theirs = mlflow.sklearn.log_model(
            forest,
            name="model",
            serialization_format="skops",
            skops_trusted_types=["numpy.dtype", "sklearn.tree._tree.Tree"],
            pip_requirements=["scikit-learn"],
            signature=mlflow.models.infer_signature(flights[["distance"]].astype("float64")),
        )
    with pytest.raises(ModelRefused, match=r"sklearn\.tree\._tree\.Tree"):
        tracking.load(theirs.model_uri)
    loaded = tracking.load(theirs.model_uri, trusted_types=["sklearn.tree._tree.Tree"])
    assert loaded.predict(flights).shape == (300,)


def test_looking_up_an_alias_and_loading_a_model_need_no_mlflow(
    log: Callable[..., RunRef], server: Server, tracking: Tracking, name: str
) -> None:
    tracking.register(name, log(), {})
    code = (
        "import sys\n"
        "from airflow_mlops.backends.tracking_mlflow import MlflowTracking\n"
        f"tracking = MlflowTracking({server.url!r})\n"
        f"tracking.alias({name!r}, 'champion')\n"
        "assert 'pandas' not in sys.modules and 'numpy' not in sys.modules\n"
        f"tracking.load('models:/{name}/1')\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def search(tracking: Tracking) -> Callable[[], SearchRun]:
    """Begin the search of a test, again and again."""
    key = f"flight_delay.train|{uuid.uuid4().hex}|search|abc"

    def begin() -> SearchRun:
        return tracking.begin_search(
            experiment="flight_delay", run_name="a search", run_key=key, tags={"mlops.kind": "search"}
        )

    return begin


NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
TRIALS = [
    Trial(0, "complete", {"depth": 3, "layers": [64, 32]}, (0.7, 0.8), "", NOON, NOON, 1),
    Trial(1, "pruned", {"depth": 9, "layers": None}, (0.2,), "worse than others after fold 1", NOON, NOON, 0),
    Trial(2, "failed", {"depth": 1}, (), "no such solver", NOON, NOON, 0),
]


def test_a_search_is_one_run_with_a_nested_run_for_each_trial(
    tracking: Tracking, search: Callable[[], SearchRun], server: Server
) -> None:
    import mlflow

    for _ in range(2):  # the second time as a retry would
        for trial in TRIALS:
            tracking.log_trial(search(), trial, metric="roc_auc")
    tracking.end_search(search(), params={"depth": 3}, metrics={"best_roc_auc": 0.75}, failed=False)
    client = mlflow.MlflowClient(server.url)
    parent = client.get_run(search().run_id)
    assert (parent.info.status, parent.data.tags["mlops.kind"]) == ("FINISHED", "search")
    assert (parent.data.tags["best.depth"], parent.data.metrics["best_roc_auc"]) == ("3", 0.75)
    assert search().url is not None
    assert parent.info.run_id in search().url
    nested = client.search_runs(
        [parent.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
        order_by=["tags.`mlops.trial`"],
    )
    assert [run.info.status for run in nested] == ["FINISHED", "KILLED", "FAILED"]
    assert [run.data.tags["mlops.trial_state"] for run in nested] == ["complete", "pruned", "failed"]
    assert nested[0].data.params == {"depth": "3", "layers": "[64, 32]"}
    assert nested[0].data.metrics == {"roc_auc": 0.8, "mean_roc_auc": pytest.approx(0.75)}
    folds = client.get_metric_history(nested[0].info.run_id, "roc_auc")
    assert [(one.step, one.value) for one in folds] == [(1, 0.7), (2, 0.8)]
    assert nested[2].data.tags["mlops.trial_reason"] == "no such solver"


def test_a_training_does_not_end_the_search_of_its_run(
    tracking: Tracking, search: Callable[[], SearchRun], log: Callable[..., RunRef], server: Server
) -> None:
    import mlflow

    begun = search()
    log()
    assert mlflow.MlflowClient(server.url).get_run(begun.run_id).info.status == "RUNNING"
    tracking.end_search(begun, params={}, metrics={}, failed=True)
    assert mlflow.MlflowClient(server.url).get_run(begun.run_id).info.status == "FAILED"
