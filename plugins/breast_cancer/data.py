"""Rows of the breast_cancer example: scikit-learn's 569 biopsies, spread over a year.

The data has no times of its own. So that windows and holdouts mean something, each row is given a
made-up one, the same on every call: row ``i`` is the ``307 * i modulo 569``-th biopsy of the year, one every
15 hours from 2024-01-01 to 2024-12-21 (UTC). The stride mixes the rows, which the data set lists with
malignant ones first; 569 is prime, so no two rows share a time.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pandas as pd
from sklearn.datasets import load_breast_cancer

FIRST = datetime(2024, 1, 1, tzinfo=timezone.utc)
APART = timedelta(hours=15)
STRIDE = 307
FEATURES = [
    "mean_radius", "mean_texture", "mean_smoothness", "mean_concavity", "mean_symmetry",
    "worst_radius", "worst_texture", "worst_smoothness", "worst_concavity", "worst_symmetry",
]  # fmt: skip


def biopsies(start: datetime, end: datetime) -> pd.DataFrame:
    """Biopsies in ``[start, end)``: ``biopsy_id``, ``taken_at``, ten measurements, ``malignant`` (0 or 1)."""
    data = load_breast_cancer(as_frame=True).frame
    data.columns = [name.replace(" ", "_") for name in data.columns]
    rows = data[FEATURES].astype("float64")
    rows.insert(0, "biopsy_id", [f"biopsy-{number:03d}" for number in range(len(rows))])
    times = pd.date_range(FIRST, freq=APART, periods=len(rows), unit="us")
    rows.insert(1, "taken_at", [times[STRIDE * number % len(rows)] for number in range(len(rows))])
    # scikit-learn's target says 0 for malignant.
    rows["malignant"] = (data["target"] == 0).astype("int64")
    wanted = (rows["taken_at"] >= pd.Timestamp(start)) & (rows["taken_at"] < pd.Timestamp(end))
    return rows[wanted].sort_values("taken_at", ignore_index=True)
