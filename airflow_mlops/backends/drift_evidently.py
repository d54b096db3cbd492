"""Drift by Evidently: one score per column by a named method, and its own HTML page."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import DriftResult
from airflow_mlops.backends.drift_text import measured, measured_kinds, of_text
from airflow_mlops.core.values import ColumnDrift, ColumnKind
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_SEED = 0


class EvidentlyDriftDetector:
    """Scores are effect sizes, not p-values, which fire on any big sample: ``psi`` (population stability
    index), ``jensenshannon`` (distance, 0 to 1) or ``wasserstein`` (in standard deviations of the
    reference; categorical columns, which have no distances, are scored by Jensen-Shannon).

    Text is not compared value by value: see ``drift_text``.

    A column that has values in one frame only has drifted as far as it can, and one that has none in
    either has not; Evidently can compute neither, so both are settled here and named so in ``method``.
    """

    def compare(
        self,
        reference: pd.DataFrame,
        current: pd.DataFrame,
        columns: Mapping[str, ColumnKind],
        *,
        method: str,
        threshold: float,
        share: float,
        sample_rows: int,
    ) -> DriftResult:
        """Raises ``DataRefused`` where a column is missing or a frame has no rows."""
        for name, frame in (("reference", reference), ("current", current)):
            missing = [column for column in columns if column not in frame]
            if missing or not len(frame):
                what = f"lacks {', '.join(missing)}" if missing else "has no rows"
                raise DataRefused(f"the {name} data {what}: drift cannot be scored")
        reference, current = (_sampled(frame[list(columns)], sample_rows) for frame in (reference, current))
        texts, kinds = [name for name in columns if columns[name] == "text"], measured_kinds(columns)
        reference, current = (_typed(frame, kinds) for frame in measured(reference, current, texts))
        settled = {
            column: found
            for column in kinds
            if (found := _settled(column, reference, current, threshold)) is not None
        }
        comparable = {column: kind for column, kind in kinds.items() if column not in settled}
        scores, html = (
            _evidently(reference, current, comparable, method, threshold, share)
            if comparable
            else ({}, b"<html><p>No column has values to compare.</p></html>")
        )
        scores.update(settled)
        return DriftResult(
            tuple(of_text(name, scores) if name in texts else scores[name] for name in columns), html
        )


def _sampled(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    return frame if len(frame) <= rows else frame.sample(rows, random_state=SAMPLE_SEED)


def _typed(frame: pd.DataFrame, columns: Mapping[str, ColumnKind]) -> pd.DataFrame:
    """Numbers as floats, categories as text: Evidently guesses otherwise, and differently per frame.

    Infinity counts as missing: no bin can hold it, and Evidently fails on it.
    """
    import numpy as np
    import pandas as pd

    changed: dict[str, Any] = {}
    for column, kind in columns.items():
        values = frame[column]
        if kind == "numeric":
            numbers = pd.to_numeric(values, errors="coerce").astype("float64")
            changed[column] = numbers.where(np.isfinite(numbers))
        else:
            changed[column] = values.map(str, na_action="ignore").astype(object)
    return frame.assign(**changed)


def _settled(
    column: str, reference: pd.DataFrame, current: pd.DataFrame, threshold: float
) -> ColumnDrift | None:
    has_reference, has_current = (bool(frame[column].notna().any()) for frame in (reference, current))
    if has_reference and has_current:
        return None
    if has_reference or has_current:
        where = "current" if has_reference else "reference"
        return ColumnDrift(column, f"no values in {where}", max(1.0, threshold), threshold)
    return ColumnDrift(column, "no values", 0.0, threshold)


def _evidently(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Mapping[str, ColumnKind],
    method: str,
    threshold: float,
    share: float,
) -> tuple[dict[str, ColumnDrift], bytes]:
    # Set before the import: Evidently reports its use to its makers otherwise.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    of_kind = {"numeric": method, "categorical": "jensenshannon" if method == "wasserstein" else method}
    definition = DataDefinition(
        numerical_columns=[column for column, kind in columns.items() if kind == "numeric"],
        categorical_columns=[column for column, kind in columns.items() if kind == "categorical"],
    )
    preset = DataDriftPreset(
        columns=list(columns),
        num_method=of_kind["numeric"],
        cat_method=of_kind["categorical"],
        num_threshold=threshold,
        cat_threshold=threshold,
        drift_share=share,
    )
    snapshot = Report([preset]).run(
        Dataset.from_pandas(current[list(columns)], data_definition=definition),
        Dataset.from_pandas(reference[list(columns)], data_definition=definition),
    )
    scores: dict[str, ColumnDrift] = {}
    for metric in json.loads(snapshot.json())["metrics"]:
        if metric["config"]["type"].endswith(":ValueDrift"):
            column = metric["config"]["column"]
            score = _finite(metric["value"], threshold)
            scores[column] = ColumnDrift(column, of_kind[columns[column]], score, threshold)
    return scores, snapshot.get_html_str(as_iframe=False).encode()


def _finite(value: Any, threshold: float) -> float:
    """A distance without bound (no overlap at all) is as far as it can be; XCom takes no infinity."""
    score = float(value) if value is not None else math.inf
    return score if math.isfinite(score) else max(1.0, threshold)
