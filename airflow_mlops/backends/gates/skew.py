"""Whether the saved model, loaded in a process of its own, answers as it did in training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.fresh_process import answers_in_fresh_process
from airflow_mlops.backends.material import ANSWERS_FILE, Material
from airflow_mlops.core.answers import largest_difference
from airflow_mlops.core.values import Estimate, Finding, Measurement, Verdict
from airflow_mlops.exceptions import DataRefused, ModelRefused


def measure(settings: Mapping[str, Any], material: Material) -> Finding:  # noqa: ARG001 (bounds are not ours)
    """The largest difference between the answers that training kept, before the model was saved, and those
    of the saved model in a fresh process on the same rows. A model that cannot be loaded there, or that
    answers something else than numbers, fails."""
    import pandas as pd

    try:
        kept = json.loads(material.tracking.read_file(material.run_id, ANSWERS_FILE))
    except KeyError:
        raise DataRefused(
            f"the training run kept no {ANSWERS_FILE}; it was trained by an earlier release. Train it anew"
        ) from None
    rows = pd.DataFrame(kept["rows"], columns=list(material.columns.features))
    files = material.tracking.files_of(material.model_uri)
    try:
        answers = answers_in_fresh_process(
            files, rows, task=material.task, trusted_types=material.trusted_types
        )
    except ModelRefused as error:
        return Finding("", verdict=Verdict("fail", (str(error),)))
    largest = largest_difference(kept["answers"], answers)
    name = "largest difference between training and a fresh process"
    return Finding("", (Measurement(name, Estimate(largest, largest, largest), rows=len(rows)),))
