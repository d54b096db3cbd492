"""What is averaged in each group of rows: how often a model says yes, is right, how far it is off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.gates.decisions import decisions, labels
from airflow_mlops.backends.gates.groups import Grouping
from airflow_mlops.backends.material import Material
from airflow_mlops.core.proportions import wilson
from airflow_mlops.core.values import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean over those rows of a group that count for it. Of a share each row is 0 or 1. ``of_class`` says
    what the rows that count are, where not all do."""

    name: str
    per_row: NDArray[np.float64]
    counted: NDArray[np.bool_]
    of_class: str = ""
    is_share: bool = True

    def counts(self, grouping: Grouping) -> list[int]:
        """How many rows of each group count."""
        import numpy as np

        codes = grouping.codes[self.counted]
        counts: list[int] = np.bincount(codes[codes >= 0], minlength=len(grouping.names)).tolist()
        return counts

    def of_groups(self, grouping: Grouping, critical: float) -> list[Estimate]:
        """The mean of each group, with its interval at a critical value. At least two rows count in each."""
        import numpy as np

        counted = self.counted & (grouping.codes >= 0)
        codes, values, groups = grouping.codes[counted], self.per_row[counted], len(grouping.names)
        counts = np.bincount(codes, minlength=groups)
        sums = np.bincount(codes, weights=values, minlength=groups)
        if self.is_share:
            pairs = zip(sums.tolist(), counts.tolist(), strict=True)
            return [wilson(hits, rows, critical) for hits, rows in pairs]
        means = sums / counts
        squares = np.bincount(codes, weights=(values - means[codes]) ** 2, minlength=groups)
        halves = critical * np.sqrt(squares / (counts - 1) / counts)
        numbers = zip(means.tolist(), halves.tolist(), strict=True)
        return [Estimate(mean, mean - half, mean + half) for mean, half in numbers]


def _selection(material: Material) -> Rate:
    return _of_all_rows("selection rate", decisions(material) == 1)


def _true_positive(material: Material) -> Rate:
    positives = labels(material) == 1
    return Rate("true positive rate", _numbers(decisions(material) == 1), positives, "positives")


def _false_positive(material: Material) -> Rate:
    negatives = labels(material) == 0
    return Rate("false positive rate", _numbers(decisions(material) == 1), negatives, "negatives")


def _accuracy(material: Material) -> Rate:
    return _of_all_rows("accuracy", decisions(material) == labels(material))


def _mean_prediction(material: Material) -> Rate:
    return _of_all_rows("mean prediction", decisions(material), is_share=False)


def _absolute_error(material: Material) -> Rate:
    error = abs(decisions(material) - labels(material))
    return _of_all_rows("mean absolute error", error, is_share=False)


RATES: Mapping[str, Callable[[Material], Rate]] = {
    "selection": _selection,
    "true_positive": _true_positive,
    "false_positive": _false_positive,
    "accuracy": _accuracy,
    "mean_prediction": _mean_prediction,
    "absolute_error": _absolute_error,
}


def _of_all_rows(name: str, per_row: Any, *, is_share: bool = True) -> Rate:
    import numpy as np

    return Rate(name, _numbers(per_row), np.ones(len(per_row), dtype=bool), is_share=is_share)


def _numbers(values: Any) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)
