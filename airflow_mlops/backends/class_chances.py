"""Answers of several classes in a frame: the most probable one's number in ``prediction``, as the inference
log has it, and where they are known the probabilities in a column for each class (``probability_0``...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

_CHANCE = "probability_"


def with_chances(rows: pd.DataFrame, chances: Any) -> pd.DataFrame:
    """The rows with their probabilities beside them."""
    return rows.assign(**{f"{_CHANCE}{place}": column for place, column in enumerate(chances.T)})


def chances_of(rows: pd.DataFrame) -> Any | None:
    """The probabilities of rows, a column for each class; None where they are not known."""
    names = [name for name in rows if str(name).startswith(_CHANCE)]
    return rows[names].to_numpy(dtype="float64") if names else None


def as_if_sure(rows: pd.DataFrame) -> Any:
    """A probability of 1 for the class that was answered: enough for what is made of decisions. Raises
    ``DataRefused`` where the labels are no class numbers."""
    import numpy as np

    if rows["label"].dtype.kind not in "iu":
        raise DataRefused("the labels are no class numbers, as the answers in the inference log are")
    said = rows["prediction"].to_numpy(dtype=np.intp)
    return np.eye(1 + max(int(said.max(initial=0)), int(rows["label"].max())))[said]


def kept_answers(rows: pd.DataFrame, columns: Sequence[str], names: dict[str, str]) -> pd.DataFrame:
    """The answers that an evaluation kept, one of ``columns`` for each class, under the log's ``names``."""
    import numpy as np

    chances = rows[list(columns)].to_numpy(dtype="float64")
    named = rows[list(names)].rename(columns=names).assign(prediction=chances.argmax(axis=1))
    return with_chances(named.assign(label=named["label"].astype(np.intp)), chances)


def joined_answers(chunks: Sequence[Any]) -> Any:
    """Answers to several pieces of rows as those to all of them."""
    import numpy as np

    return np.concatenate(chunks)
