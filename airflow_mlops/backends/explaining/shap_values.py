"""SHAP: how much each feature moves the answer of a row, on average over rows (Lundberg and Lee 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.explaining.rows import parts
from airflow_mlops.backends.material import Material
from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.values import Estimate, Importance

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND_ROWS = 50
EXPLAINED_ROWS = 200


def explain(settings: Mapping[str, Any], material: Material) -> tuple[Importance, ...]:
    """The mean size of the contribution, in the unit of the answer (a probability, or the predicted value),
    with its interval over the rows. Computed by permutations of the features on the model as a whole, with
    its encoders, so that one number stands for one column of the data. At most ``EXPLAINED_ROWS`` rows
    a slice.
    """
    table = _Table.of(material.features, material)
    background = table.numbers(
        material.features.sample(min(BACKGROUND_ROWS, len(material.holdout)), random_state=material.seed)
    )
    found: list[Importance] = []
    for name, rows in parts({**settings, "rows": min(settings["rows"], EXPLAINED_ROWS)}, material):
        contributions = _contributions(table, background, rows[table.names], material)
        found += sorted(
            (
                Importance(feature, _mean(contributions[:, index], material.confidence), name)
                for index, feature in enumerate(table.names)
            ),
            key=lambda item: -item.estimate.value,
        )
    return tuple(found)


def _contributions(table: _Table, background: Any, rows: pd.DataFrame, material: Material) -> Any:
    """Sizes, one row and one feature each; of several classes the mean over them."""
    import numpy as np
    import shap

    explainer = shap.explainers.Permutation(
        lambda numbers: material.model.predict(table.frame(numbers)),
        shap.maskers.Independent(background, max_samples=len(background)),
        seed=material.seed,
    )
    most = 2 * len(table.names) + 1
    sizes = np.abs(explainer(table.numbers(rows), max_evals=most, silent=True).values)
    return sizes.mean(axis=2) if sizes.ndim == 3 else sizes


@dataclass(frozen=True)
class _Table:
    """Rows as the numbers that SHAP shuffles, and back: a category is the position of its value."""

    names: list[str]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, features: pd.DataFrame, material: Material) -> _Table:
        kinds = material.columns.features
        return cls(
            list(kinds),
            {name: features[name].dropna().unique() for name, kind in kinds.items() if kind != "numeric"},
        )

    def numbers(self, rows: pd.DataFrame) -> Any:
        import numpy as np
        import pandas as pd

        columns = [
            pd.Categorical(rows[name], categories=self.values[name]).codes
            if name in self.values
            else rows[name]
            for name in self.names
        ]
        return np.column_stack([np.asarray(column, dtype="float64") for column in columns])

    def frame(self, numbers: Any) -> pd.DataFrame:
        import pandas as pd

        columns: dict[str, Any] = {}
        for index, name in enumerate(self.names):
            column = numbers[:, index]
            if name in self.values:
                codes = column.round().astype(int)
                column = pd.Series(pd.Categorical.from_codes(codes, categories=self.values[name])).astype(
                    object
                )
            columns[name] = column
        return pd.DataFrame(columns)


def _mean(sizes: Any, confidence: float) -> Estimate:
    value = float(sizes.mean())
    error = float(sizes.std(ddof=1)) / len(sizes) ** 0.5 if len(sizes) > 1 else float("inf")
    margin = quantile(confidence) * error
    return Estimate(value, max(0.0, value - margin), value + margin)
