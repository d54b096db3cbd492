"""What a model decides about each row, and what was right, as numbers that can be compared."""

from __future__ import annotations

from typing import Any

from airflow_mlops.backends.material import Material
from airflow_mlops.exceptions import DataRefused

# The metrics' own check has refused other labels and answers before any gate measures.


def decisions(material: Material) -> Any:
    """Of two classes 0 or 1, of several the number of the most probable, else the numbers as they are."""
    import numpy as np

    match material.task:
        case "binary_classification":
            return (np.asarray(material.answers).reshape(-1) >= material.decision_threshold).astype(np.int64)
        case "multiclass_classification":
            return np.asarray(material.answers).argmax(axis=1)
        case _:
            return np.asarray(material.answers, dtype=np.float64).reshape(-1)


def labels(material: Material) -> Any:
    """In the numbers that ``decisions`` has. Several classes are numbered in their sorted order, unless they
    are numbers of columns already."""
    import numpy as np

    label = material.label.to_numpy()
    if material.task == "binary_classification":
        return label.astype(np.int64)
    if material.task != "multiclass_classification":
        return label.astype(np.float64)
    classes, codes = np.unique(label, return_inverse=True)
    width = np.asarray(material.answers).shape[1]
    if classes.dtype.kind in "iub" and classes.min() >= 0 and classes.max() < width:
        return label.astype(np.int64)
    if len(classes) != width:
        raise DataRefused(
            f"the holdout has {len(classes)} of {width} classes, which are no numbers of columns"
        )
    return codes
