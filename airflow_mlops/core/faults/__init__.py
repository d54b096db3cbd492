"""Upstream faults: whether a column changed because its feed broke, and not because the world did."""

from airflow_mlops.core.faults.fault import Fault, FaultKind
from airflow_mlops.core.faults.judge import faults_of
from airflow_mlops.core.faults.rows import RowNames, late_fault, volume_fault
from airflow_mlops.core.faults.summary import (
    LEVELS,
    Categories,
    ColumnSummary,
    Numbers,
    Reference,
    RowHashes,
    TableSummary,
)

__all__ = [
    "LEVELS",
    "Categories",
    "ColumnSummary",
    "Fault",
    "FaultKind",
    "Numbers",
    "Reference",
    "RowHashes",
    "RowNames",
    "TableSummary",
    "faults_of",
    "late_fault",
    "volume_fault",
]
