"""Imported by each program of an Airflow that finds it on its PYTHONPATH.

The scheduler forks its tasks (LocalExecutor), so what it has imported by then, they have as well: each would
else take seconds for it. The other programs need none of it.
"""

from __future__ import annotations

import sys

LIBRARIES = (
    "mlflow.sklearn",
    "pandas",
    "pyarrow.parquet",
    "sklearn.compose",
    "sklearn.linear_model",
    "sklearn.pipeline",
)

if "scheduler" in sys.argv:
    from importlib import import_module

    from airflow_mlops.backends.catalog import PARTS
    from airflow_mlops.backends.model_skops import quiet_skops
    from airflow_mlops.steps.catalog import STEPS

    quiet_skops()
    ours = {path.partition(":")[0] for path in (*STEPS.values(), *(part.path for part in PARTS.values()))}
    for name in (*LIBRARIES, *sorted(ours)):
        import_module(name)
