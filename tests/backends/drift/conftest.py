"""Frames as Parquet, and plans for them."""

from __future__ import annotations

import pytest

from airflow_mlops.backends.drift.detector import StreamingDriftDetector
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.core.drift import ColumnPlan, DriftPlan, method_for


@pytest.fixture
def rows(tmp_path):
    """``rows(frame, name)``: the frame as a Parquet file of several row groups."""

    def made(frame, name="current"):
        path = tmp_path / f"{name}.parquet"
        frame.to_parquet(path, index=False, row_group_size=1_500)
        return ParquetRows(name, (path,))

    return made


@pytest.fixture
def plan():
    """``plan({column: kind}, method)``: all columns by one method, 0.1 its threshold."""

    def made(kinds, method="psi", threshold=0.1, **settings):
        columns = (
            ColumnPlan(name, kind, method_for(kind, method), threshold) for name, kind in kinds.items()
        )
        return DriftPlan(tuple(columns), **settings)

    return made


@pytest.fixture
def compare(rows, plan):
    """``compare(reference, current, kinds, ...)``."""

    def made(reference, current, kinds, method="psi", **settings):
        asked, detector = plan(kinds, method, **settings), StreamingDriftDetector()
        known = detector.profile(rows(reference, "reference"), asked)
        return detector.compare(known, rows(current), asked)

    return made
