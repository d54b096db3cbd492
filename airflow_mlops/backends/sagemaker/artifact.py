"""A registered version as SageMaker takes it: the MLflow model in one archive, the same bytes every time."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any, get_args

import yaml

from airflow_mlops.backends.model_skops import DESCRIPTION_FILE, MODEL_FILE, requirements
from airflow_mlops.backends.tracking import ModelFiles, Tracking
from airflow_mlops.core.raised import known_words
from airflow_mlops.core.values import ModelRef, TaskKind, is_classification
from airflow_mlops.exceptions import ModelRefused


def archive(candidate: ModelRef, tracking: Tracking) -> bytes:
    """``model.tar.gz`` with an MLflow model at its root.

    MLflow's own server answers a classifier's labels. The copy that goes to SageMaker says ``predict_proba``
    instead, for this package's answers are probabilities. The packages to install are those of this process,
    with scikit-learn as the model was trained with; the files in the registry that name packages are not
    used, since nobody recorded their hashes.

    Raises ``ModelRefused`` where the version is not there or its files were changed.
    """
    files = tracking.files_of(f"models:/{candidate.name}/{candidate.version}")
    described = _described(candidate, files)
    task = task_of(candidate, tracking)
    if task is not None and is_classification(task):
        described["flavors"]["python_function"]["predict_fn"] = "predict_proba"
    described["flavors"]["python_function"]["env"] = {
        "conda": "conda.yaml",
        "virtualenv": "python_env.yaml",
    }
    trained_with = described["flavors"]["sklearn"].get("sklearn_version")
    python = described["flavors"]["python_function"].get("python_version")
    return _tar(
        {
            DESCRIPTION_FILE: yaml.safe_dump(described, sort_keys=True).encode(),
            MODEL_FILE: files.body,
            **_environment(trained_with, python),
        }
    )


def task_of(candidate: ModelRef, tracking: Tracking) -> TaskKind | None:
    """What a version predicts, as its training run says."""
    told = tracking.tags_of(tracking.run_of(candidate).run_id).get("mlops.task")
    return next((task for task in get_args(TaskKind) if task == told), None)


def request(rows: list[dict[str, Any]]) -> bytes:
    """Rows as MLflow's ``/invocations`` takes them."""
    return json.dumps({"dataframe_records": rows}, allow_nan=False).encode()


def answers(body: bytes, task: str | None) -> list[Any]:
    """One answer per row, as ``LoadedModel.predict`` gives them. Of two classes MLflow answers both
    probabilities; an image of one's own may answer the second alone. Raises ``ModelRefused``."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    found = told.get("predictions") if isinstance(told, dict) else None
    if not isinstance(found, list):
        raise ModelRefused(
            f'the model\'s container did not answer {{"predictions": [...]}}, but '
            f"{_kind(told, body)}; deploy.target.image must answer as MLflow's server does"
        )
    if task == "binary_classification":
        return [one[1] if isinstance(one, list) and len(one) == 2 else one for one in found]
    return found


def _kind(told: Any, body: bytes) -> str:
    """An answer without those of its words that may quote a row."""
    kind = "what is no JSON" if told is None else f"JSON ({type(told).__name__})"
    kept = known_words(body.decode(errors="replace"))
    return f"{kind} of {len(body)} bytes" if kept is None else f"{kind}: {kept}"


def _described(candidate: ModelRef, files: ModelFiles) -> dict[str, Any]:
    try:
        described: dict[str, Any] = yaml.load(files.description, Loader=yaml.CSafeLoader)
        _ = described["flavors"]["python_function"], described["flavors"]["sklearn"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ModelRefused(
            f"{candidate} has no python_function flavour, without which MLflow's server does not load it"
        ) from error
    return described


def _environment(sklearn_version: str | None, python_version: str | None) -> Mapping[str, bytes]:
    pins = [
        f"scikit-learn=={sklearn_version}" if sklearn_version and pin.startswith("scikit-learn==") else pin
        for pin in requirements()
    ]
    python = python_version or "3.12"
    virtualenv = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    conda = {
        "name": "model",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": pins}],
    }
    return {
        "requirements.txt": "".join(f"{pin}\n" for pin in pins).encode(),
        "python_env.yaml": yaml.safe_dump(virtualenv).encode(),
        "conda.yaml": yaml.safe_dump(conda).encode(),
    }


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            tar.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()
