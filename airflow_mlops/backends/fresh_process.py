"""What a saved model answers in a process that has never seen it: as on a model server, and as next year.

A model that leans on what its training left in memory (a global, a patched class, the order of a set) answers
as in training when it is loaded there, and otherwise when it is loaded elsewhere.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.own_process import Ended, run_module
from airflow_mlops.backends.tracking import LoadedModel, ModelFiles
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import TaskKind
from airflow_mlops.exceptions import DataRefused, MlopsError, ModelRefused, TrainingFailed

if TYPE_CHECKING:
    import pandas as pd

_TIMEOUT_SECONDS = 120.0
_ERRORS: dict[str, type[MlopsError]] = {
    error.__name__: error for error in (ModelRefused, DataRefused, TrainingFailed)
}


def answers_in_fresh_process(
    model: ModelFiles,
    rows: pd.DataFrame,
    *,
    task: TaskKind,
    trusted_types: Sequence[str] = (),
    timeout_seconds: float = _TIMEOUT_SECONDS,
) -> list[Any]:
    """Load a model in a new process of this Python and predict ``rows`` there: one number a row, or for
    several classes one list of probabilities. Starting takes some two seconds.

    Raises ``ModelRefused`` where it cannot be loaded or cannot answer there, or not in time.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as parent:
        folder = Path(parent)
        put_down(folder, model, rows, task=task, trusted_types=trusted_types)
        ended = run_module(
            "airflow_mlops.backends.fresh_process", [str(folder)], timeout_seconds=timeout_seconds
        )
        answered = folder / "answer.json"
        if not answered.is_file():
            raise _silent(ended, timeout_seconds)
        answer = json.loads(answered.read_text())
    if "error" in answer:
        raise _ERRORS.get(answer["error"], ModelRefused)(f"in a fresh process, {answer['message']}")
    answers: list[Any] = answer["answers"]
    return answers


def put_down(
    folder: Path, model: ModelFiles, rows: pd.DataFrame, *, task: TaskKind, trusted_types: Sequence[str]
) -> None:
    """Write what the other process reads: a model and the rows that it is asked for."""
    from airflow_mlops.backends import parquet_bytes

    (folder / "MLmodel").write_bytes(model.description)
    (folder / "model.skops").write_bytes(model.body)
    (folder / "rows.parquet").write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(rows)))
    (folder / "request.json").write_text(json.dumps({"task": task, "trusted": list(trusted_types)}))


def rows_in(folder: Path) -> pd.DataFrame:
    """The rows that ``put_down`` wrote."""
    from airflow_mlops.backends import parquet_bytes

    return parquet_bytes.from_bytes((folder / "rows.parquet").read_bytes())


def model_in(folder: Path) -> LoadedModel:
    """The model that ``put_down`` wrote, loaded as any other."""
    from airflow_mlops.backends import model_skops

    asked = json.loads((folder / "request.json").read_text())
    return model_skops.load(
        (folder / "MLmodel").read_bytes(),
        (folder / "model.skops").read_bytes(),
        task=asked["task"],
        trusted_types=asked["trusted"],
        unchanged=True,
    )


def _silent(ended: Ended, timeout_seconds: float) -> ModelRefused:
    if ended.code is None:
        return ModelRefused(
            f"in a fresh process, the model did not answer within {timeout_seconds:g} seconds; look for what "
            "its modules do when they are imported"
        )
    how = f"signal {-ended.code}" if ended.code < 0 else f"code {ended.code}"
    last = ended.output.strip().splitlines()[-5:] or ["it printed nothing"]
    return ModelRefused(
        f"in a fresh process, loading the model or predicting ended that process with {how}: "
        + "\n".join(last)
    )


def _answer(folder: Path) -> dict[str, Any]:
    rows = rows_in(folder)
    try:
        return {"answers": model_in(folder).predict(rows).tolist()}
    except MlopsError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything here
        return {
            "error": "ModelRefused",
            "message": f"the model raised {raised(error)}",
        }


if __name__ == "__main__":
    place = Path(sys.argv[1])
    # Written whole or not at all: the other side takes the file for the answer.
    half = place / "answer.half"
    half.write_text(json.dumps(_answer(place)))
    half.rename(place / "answer.json")
