"""Training by a function of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.import_path import load_object, source_version
from airflow_mlops.backends.learnable import refuse_unusable_label
from airflow_mlops.backends.user_code import user_code
from airflow_mlops.exceptions import TrainingFailed

if TYPE_CHECKING:
    import pandas as pd


class CallableTrainer:
    """Calls ``train(features, label, params, seed)`` for a fitted estimator."""

    def __init__(self, path: str) -> None:
        self._path = path

    def fit(
        self,
        features: pd.DataFrame,
        label: pd.Series,
        params: Mapping[str, Any],
        seed: int,
        *,
        texts: Sequence[str] = (),  # noqa: ARG002 - the function knows its own columns
    ) -> Any:
        """What the function returned. Raises ``TrainingFailed`` with the function's own error as its cause,
        or where the result cannot predict, and ``BackendUnavailable`` where a service was away. The function
        gets copies: it may change what it is given.
        """
        refuse_unusable_label(label)
        train = load_object(self._path)
        with user_code(self._path, lambda said: TrainingFailed(f"{said} on {len(features)} rows")):
            estimator = train(features.copy(), label.copy(), dict(params), seed)
        if not callable(getattr(estimator, "predict", None)):
            returned = (
                "nothing" if estimator is None else f"{type(estimator).__name__}, which has no predict()"
            )
            raise TrainingFailed(
                f"{self._path} returned {returned}; return the fitted estimator, as a Pipeline"
            )
        return estimator

    def code_version(self) -> str:
        """The hash of the source of the package that holds the function."""
        return source_version(self._path)
