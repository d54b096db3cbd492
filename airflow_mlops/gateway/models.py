"""Models in the gateway: where they come from, and one loaded version that predicts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.core.values import LOG_COLUMNS, ColumnKind, TaskKind
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.gateway.rows import Frames, Rows, Signature, Source

if TYPE_CHECKING:
    from airflow_mlops.backends.tracking_mlflow import MlflowTracking


class SignedModel(LoadedModel, Protocol):
    """A model in memory that knows its features and their kinds, in order."""

    @property
    def columns(self) -> Mapping[str, ColumnKind]: ...


class ModelLoader(Protocol):
    """Where versions come from. Both calls block; the gateway makes them off the event loop."""

    def champion_version(self) -> str | None:
        """The version that the registry's ``champion`` alias points to. Raises ``BackendUnavailable``."""

    def load(self, version: str) -> SignedModel:
        """A version in memory. Raises ``ModelRefused`` or ``BackendUnavailable``."""


@dataclass(frozen=True, slots=True)
class RegistryLoader:
    """Versions of one registered model in MLflow."""

    model: str
    tracking_uri: str
    tracking_token: str | None = field(default=None, repr=False)
    trusted_types: tuple[str, ...] = ()

    def champion_version(self) -> str | None:
        champion = self._tracking().alias(self.model, "champion")
        return None if champion is None else champion.version

    def load(self, version: str) -> SignedModel:
        uri = f"models:/{self.model}/{version}"
        return self._tracking().load(uri, trusted_types=self.trusted_types)

    def _tracking(self) -> MlflowTracking:
        return _connected(self.tracking_uri, self.tracking_token)


@cache
def _connected(uri: str, token: str | None) -> MlflowTracking:
    """Kept: a new client reads the system's certificates, which costs as much as eight questions."""
    from airflow_mlops.backends.tracking_mlflow import MlflowTracking

    return MlflowTracking(uri, token)


@dataclass(frozen=True, slots=True)
class Predicted:
    """One call's answers. ``answers`` go to the caller (a number, or a list of class probabilities);
    ``scores`` are one number per row for the log: the same number, or the most probable class's place.
    """

    answers: Sequence[float] | Sequence[list[float]]
    scores: Sequence[float]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A version that is loaded and has predicted once. ``task`` is None where the model does not say."""

    version: str
    columns: Mapping[str, ColumnKind]
    task: TaskKind | None
    model: LoadedModel
    frames: Frames

    def predict(self, parts: Sequence[Rows]) -> Predicted:
        """Predict all rows of all parts in one call. Raises whatever the model raises, and
        ``ModelRefused`` for answers that are too few, too many or not finite."""
        import numpy as np

        frame = self.frames.frame(parts)
        started = time.perf_counter()
        values = np.asarray(self.model.predict(frame), dtype=np.float64)
        seconds = time.perf_counter() - started
        if values.ndim not in (1, 2) or len(values) != len(frame):
            raise ModelRefused(
                f"Version {self.version} answered {len(frame)} rows with an array of shape {values.shape}."
            )
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0])
            raise ModelRefused(f"Version {self.version} gave a prediction that is not finite for row {row}.")
        scores = values if values.ndim == 1 else values.argmax(axis=1).astype(np.float64)
        return Predicted(values.tolist(), scores.tolist(), seconds)


def serve_model(version: str, model: SignedModel) -> ServedModel:
    """Make a loaded model ready to answer: its features checked against the log's own columns and
    its first, slow call made. Raises ``ModelRefused`` for a feature that the log could not keep."""
    columns = dict(model.columns)
    if taken := sorted(LOG_COLUMNS & columns.keys()):
        raise ModelRefused(
            f"Version {version} has features named {', '.join(taken)}, which are columns of the inference "
            "log itself. Rename them in the training data."
        )
    if not columns:
        raise ModelRefused(f"Version {version} has no signature. Log the model with an input example.")
    task: TaskKind | None = getattr(model, "task", None)
    served = ServedModel(version, columns, task, model, Frames(columns))
    _warm_up(served)
    return served


def _warm_up(served: ServedModel) -> None:
    empty: dict[ColumnKind, Any] = {"numeric": 0.0, "categorical": None, "text": ""}
    source = Source(b"", "predict", Signature(served.columns), "warm-up")
    row = Rows(["warm-up"], [tuple(empty[kind] for kind in served.columns.values())], source)
    try:
        served.predict([row])
    except Exception:  # noqa: BLE001 - a model may well refuse this made-up row; real rows will tell
        return


def signature_gap(challenger: ServedModel, champion: ServedModel) -> str | None:
    """Why the two cannot answer the same requests, or None. A challenger may need fewer features."""
    if None not in (challenger.task, champion.task) and challenger.task != champion.task:
        tasks = [str(one.task).replace("_", " ") for one in (challenger, champion)]
        return f"is for {tasks[0]}, version {champion.version} for {tasks[1]}"
    if missing := sorted(challenger.columns.keys() - champion.columns.keys()):
        return f"needs {', '.join(missing)}, which requests to version {champion.version} do not carry"
    changed = [name for name, kind in challenger.columns.items() if champion.columns[name] != kind]
    if changed:
        return f"takes {', '.join(sorted(changed))} as another kind than version {champion.version}"
    return None
