"""Gates: is a challenger good enough to be registered? Pass, fail or inconclusive, with numbers."""

from airflow_mlops.core.gates.bounds import DecideBy
from airflow_mlops.core.gates.collect import rows_to_decide
from airflow_mlops.core.gates.judge import judge, settle
from airflow_mlops.core.gates.quantile import fewest_for_quantile, quantile
from airflow_mlops.core.gates.rules import (
    AgainstChampion,
    Bootstrap,
    Incompatible,
    Measured,
    Rule,
    Threshold,
    loss,
)

__all__ = [
    "AgainstChampion",
    "Bootstrap",
    "DecideBy",
    "Incompatible",
    "Measured",
    "Rule",
    "Threshold",
    "fewest_for_quantile",
    "judge",
    "loss",
    "quantile",
    "rows_to_decide",
    "settle",
]
