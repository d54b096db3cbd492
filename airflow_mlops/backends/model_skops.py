"""Models as skops files: what may be in one, how it is saved and loaded.

skops checks of which types a file's objects are, not what they hold. Tree models keep raw node indices that
scikit-learn follows unchecked, so a forged file can crash the process that predicts with it. Those types are
therefore trusted only in a file whose sha256 is the one that was recorded when the model was logged.
"""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airflow_mlops.backends.by_place import by_place
from airflow_mlops.backends.model_features import column_kinds, conformed, prediction
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import ColumnKind, TaskKind
from airflow_mlops.exceptions import ModelRefused, TrainingFailed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MODEL_FILE = "model.skops"
DESCRIPTION_FILE = "MLmodel"
TEXTS = "mlops.texts"

# What scikit-learn's own estimators hold besides the types that skops trusts already. Exact names only.
TRUSTED_TYPES = (
    "builtins.object",
    "functools.partial",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.TimeSeriesSplit",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
# These follow indices from the file without checking them: see the top of this file.
TRUSTED_IF_UNCHANGED = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SkopsModel:
    """A model in memory. ``columns`` are the features it was trained on, in order; ``classes`` are the
    labels behind a classifier's probabilities, empty for a regression. ``twin`` is what may be asked with
    an array (see ``by_place``).
    """

    estimator: Any
    task: TaskKind
    columns: Mapping[str, ColumnKind]
    twin: Any | None = None

    @property
    def classes(self) -> tuple[Any, ...]:
        return tuple(getattr(self.estimator, "classes_", ()))

    def predict(self, features: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Per row: the probability of ``classes[1]`` (binary), one probability per class (multiclass), or
        the value (regression). More columns than needed are left aside, in any order.

        Raises ``ModelRefused`` that names missing columns, or says why the estimator cannot answer.
        """
        rows = conformed(features, self.columns)
        try:
            if self.twin is not None:
                return prediction(self.twin, self.task, rows.to_numpy())
            return prediction(self.estimator, self.task, rows)
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            # What scikit-learn raises for an unknown category, which it quotes, or in a model of another of
            # its versions.
            raise ModelRefused(
                f"the model ({type(self.estimator).__name__}) cannot predict these rows: {raised(error)}"
            ) from None


def save(
    folder: Path,
    estimator: Any,
    *,
    example: pd.DataFrame,
    task: TaskKind,
    trusted_types: Sequence[str],
    run_id: str,
    model_id: str,
    texts: Sequence[str] = (),
) -> None:
    """Write a model as MLflow's scikit-learn flavour in skops format, with signature and example. ``texts``
    are the columns that hold prose.

    Raises ``ModelRefused`` that names types which nobody trusts, ``TrainingFailed`` where the estimator
    cannot predict the example or cannot be written.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import mlflow.sklearn
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    quiet_skops()
    kinds = column_kinds(example, texts)
    rows = conformed(example, kinds)
    prediction(estimator, task, rows)
    inputs = Schema(
        [ColSpec("double" if kind == "numeric" else "string", name) for name, kind in kinds.items()]
    )
    try:
        mlflow.sklearn.save_model(
            estimator,
            str(folder),
            # MLflow's signature has one type for every string: which of them are prose stands beside it.
            mlflow_model=Model(
                run_id=run_id, model_uuid=model_id, model_id=model_id, metadata={TEXTS: list(texts)}
            ),
            serialization_format="skops",
            skops_trusted_types=[*TRUSTED_TYPES, *TRUSTED_IF_UNCHANGED, *trusted_types],
            signature=ModelSignature(inputs=inputs),
            input_example=rows,
            pip_requirements=requirements(),
        )
    except MlflowException as error:
        raise _unsaved(estimator, trusted_types, error) from error


def quiet_skops() -> Any:
    """``skops.io``. At its import it asks every loaded module for names of scipy's, and Airflow's modules
    answer each with a deprecation warning: over a thousand lines in a task's log.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import skops.io
    return skops.io


def requirements() -> list[str]:
    """What a process needs to load the model, as it is installed here. Always handed to MLflow, which
    otherwise finds out by loading the model in another process."""
    return [f"{name}=={version(name)}" for name in ("scikit-learn", "skops", "numpy", "pandas", "scipy")]


def _unsaved(estimator: Any, trusted_types: Sequence[str], error: Exception) -> Exception:
    from skops.io.exceptions import UntrustedTypesFoundException

    if isinstance(error.__context__, UntrustedTypesFoundException):
        skops_io = quiet_skops()
        untrusted = skops_io.get_untrusted_types(data=skops_io.dumps(estimator))
        return _untrusted(set(untrusted) - {*TRUSTED_TYPES, *TRUSTED_IF_UNCHANGED, *trusted_types})
    return TrainingFailed(
        f"{type(estimator).__name__} cannot be written as a skops file: {error.__cause__ or error}. "
        "Define its classes and functions at the top level of an importable module."
    )


def load(
    description: bytes, body: bytes, *, task: TaskKind, trusted_types: Iterable[str], unchanged: bool
) -> SkopsModel:
    """A model from its two files. ``unchanged`` says that the body's hash is the recorded one.

    The list of trusted types inside the file is never read. Raises ``ModelRefused``.
    """
    skops_io = quiet_skops()
    from skops.io.exceptions import UntrustedTypesFoundException

    columns = _described(description)
    trusted = [*TRUSTED_TYPES, *(TRUSTED_IF_UNCHANGED if unchanged else ()), *trusted_types]
    try:
        estimator = skops_io.load(io.BytesIO(body), trusted=trusted)
    except UntrustedTypesFoundException as error:
        raise _untrusted(set(skops_io.get_untrusted_types(data=body)) - set(trusted)) from error
    except ImportError as error:
        raise ModelRefused(
            f"the model needs a module that is not installed here: {error}. "
            "Load it where its training code's requirements are installed."
        ) from error
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelRefused(f"the model file cannot be read: {type(error).__name__}: {error}") from error
    return SkopsModel(estimator, task, columns, by_place(estimator, columns))


def _untrusted(types: Iterable[str]) -> ModelRefused:
    names = sorted(types)
    return ModelRefused(
        f"the model holds types that nobody trusts yet: {', '.join(names)}. Where you know them, allow them "
        f"in the model's YAML: `training.trusted_types: [{', '.join(names)}]`."
    )


def _described(description: bytes) -> dict[str, ColumnKind]:
    """The columns of a model that MLflow's ``MLmodel`` file says is saved by skops."""
    try:
        told = yaml.load(description, Loader=yaml.CSafeLoader)
        flavor = told["flavors"]["sklearn"]
        inputs = json.loads(told["signature"]["inputs"])
        texts = set((told.get("metadata") or {}).get(TEXTS) or ())
        columns = {str(column["name"]): _kind(column, texts) for column in inputs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ModelRefused(
            f"the model's {DESCRIPTION_FILE} file does not describe a scikit-learn model with a signature of "
            f"named columns ({type(error).__name__}: {error})."
        ) from error
    if flavor.get("serialization_format") != "skops":
        raise ModelRefused(
            f"the model is saved as {flavor.get('serialization_format')!r}, a format that can run code while "
            'it is loaded. Log it with serialization_format="skops".'
        )
    _mention_other_version(str(flavor.get("sklearn_version")))
    return columns


def _kind(column: Mapping[str, Any], texts: Collection[str]) -> ColumnKind:
    if column["type"] != "string":
        return "numeric"
    return "text" if column["name"] in texts else "categorical"


def _mention_other_version(trained_with: str) -> None:
    here = version("scikit-learn")
    if trained_with.split(".")[:2] != here.split(".")[:2]:
        _log.warning("the model was saved with scikit-learn %s and is loaded with %s", trained_with, here)
