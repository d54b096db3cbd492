"""The archive for SageMaker, in the server that MLflow's image for SageMaker runs."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import yaml

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.plain_json import plain_rows
from airflow_mlops.backends.sagemaker.artifact import answers, archive, request
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.core.values import ModelRef, RunRef
from airflow_mlops.exceptions import ModelRefused

FLIGHTS = ModelRef("flights", "3")


class Registry:
    """One version, saved as this package logs it."""

    def __init__(self, folder: Path, estimator: Any, example: pd.DataFrame, task: str) -> None:
        self.task = task
        saved = {"task": task, "trusted_types": (), "run_id": "r", "model_id": "m"}
        model_skops.save(folder, estimator, example=example, **saved)  # type: ignore[arg-type]
        self.files = ModelFiles(*((folder / name).read_bytes() for name in ("MLmodel", "model.skops")))

    def files_of(self, model_uri: str) -> ModelFiles:
        assert model_uri == "models:/flights/3"
        return self.files

    def run_of(self, model: ModelRef) -> RunRef:
        return RunRef("r", "")

    def tags_of(self, run_id: str) -> dict[str, str]:
        return {"mlops.task": self.task}


def rows(count: int = 60) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    temp = rng.normal(size=count)
    temp[::7] = np.nan
    frame = pd.DataFrame({"temp": temp, "carrier": rng.choice(["AA", "BB"], count)})
    return frame, (np.nan_to_num(temp) + (frame["carrier"] == "AA") > 0.3).to_numpy().astype(int)


def estimator(kind: str) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    last = HistGradientBoostingRegressor if kind == "regression" else HistGradientBoostingClassifier
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(make_column_transformer((encoder, ["carrier"]), remainder="passthrough"), last())


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary_classification", "regression"])
def test_mlflows_own_server_answers_from_the_archive_what_the_evaluation_saw(
    task: str, tmp_path: Path
) -> None:
    import mlflow.pyfunc
    from mlflow.pyfunc.scoring_server import init

    features, label = rows()
    registry = Registry(tmp_path / "model", estimator(task).fit(features, label), features.head(5), task)
    packed = archive(FLIGHTS, registry)  # type: ignore[arg-type]
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(tmp_path / "opt", filter="data")
    app = init(mlflow.pyfunc.load_model(str(tmp_path / "opt")))
    assert asked(app, "GET", "/ping").status_code == 200
    body = request(plain_rows(features.head(20).to_dict(orient="records")))
    answer = asked(app, "POST", "/invocations", body)
    assert answer.status_code == 200, answer.text
    loaded = model_skops.load(
        registry.files.description,
        registry.files.body,
        task=task,  # type: ignore[arg-type]
        trusted_types=(),
        unchanged=True,
    )
    expected = loaded.predict(features.head(20))
    assert answers(answer.content, task) == pytest.approx(expected.tolist())
    refused = asked(app, "POST", "/invocations", request([{"carrier": "AA"}]))
    assert refused.status_code == 400
    assert "temp" in refused.text


def asked(app: Any, method: str, path: str, body: bytes = b"") -> httpx.Response:
    """One request to a server in this process."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://model") as client:
            headers = {"Content-Type": "application/json"}
            return await client.request(method, path, content=body, headers=headers)

    return asyncio.run(ask())


def test_the_archive_is_the_same_bytes_every_time_and_pins_what_the_model_was_trained_with(
    tmp_path: Path,
) -> None:
    features, label = rows()
    registry = Registry(
        tmp_path / "model",
        estimator("binary").fit(features, label),
        features.head(5),
        "binary_classification",
    )
    packed = archive(FLIGHTS, registry)  # type: ignore[arg-type]
    assert packed == archive(FLIGHTS, registry)  # type: ignore[arg-type]
    with tarfile.open(fileobj=gzip.open(io.BytesIO(packed))) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]
    assert sorted(files) == ["MLmodel", "conda.yaml", "model.skops", "python_env.yaml", "requirements.txt"]
    described = yaml.safe_load(files["MLmodel"])["flavors"]
    assert described["python_function"]["predict_fn"] == "predict_proba"
    assert described["sklearn"]["serialization_format"] == "skops"
    assert f"scikit-learn=={described['sklearn']['sklearn_version']}" in files["requirements.txt"].decode()


@pytest.mark.parametrize(
    ("body", "task", "expected"),
    [
        ({"predictions": [[0.75, 0.25]]}, "binary_classification", [0.25]),
        ({"predictions": [0.25]}, "binary_classification", [0.25]),
        ({"predictions": [[0.5, 0.2, 0.3]]}, "multiclass_classification", [[0.5, 0.2, 0.3]]),
        ({"predictions": [12.5]}, "regression", [12.5]),
    ],
)
def test_answers_are_read_as_the_evaluation_has_them(body: Any, task: str, expected: Any) -> None:
    assert answers(json.dumps(body).encode(), task) == expected


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"predictions": 1}'])
def test_what_is_not_an_answer_of_mlflows_server_is_refused(body: bytes) -> None:
    with pytest.raises(ModelRefused, match=r'did not answer \{"predictions"'):
        answers(body, None)
