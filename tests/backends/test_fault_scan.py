"""The summaries that upstream faults are judged by stay small, whatever the table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from airflow_mlops.backends.faults.table import COUNTED_PATTERNS, TableScan


def test_holes_at_random_in_many_columns_fill_no_memory() -> None:
    random, names = np.random.default_rng(1), [f"c{place}" for place in range(24)]
    scan = TableScan.of(dict.fromkeys(names, "numeric"), time="at", key="id", salt="m")
    for _ in range(3):
        rows = pd.DataFrame(random.random((6_000, 24)), columns=names).mask(random.random((6_000, 24)) < 0.5)
        rows.loc[:999, :] = np.nan
        scan.add(rows)
    assert len(scan.together) <= COUNTED_PATTERNS
    assert scan.summary().missing_together[0] == (tuple(names), 3_000)
