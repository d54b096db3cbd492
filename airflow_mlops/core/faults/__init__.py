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
from airflow_mlops.core.faults.usual import Counted, Level, Usual, usual

__all__ = [
    "LEVELS",
    "Categories",
    "ColumnSummary",
    "Counted",
    "Fault",
    "FaultKind",
    "Level",
    "Numbers",
    "Reference",
    "RowHashes",
    "RowNames",
    "TableSummary",
    "Usual",
    "faults_of",
    "late_fault",
    "usual",
    "volume_fault",
]
