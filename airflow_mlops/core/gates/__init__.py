"""Gates: is a challenger good enough to be registered? Pass, fail or inconclusive, with numbers."""

from airflow_mlops.core.gates.bounds import DecideBy
from airflow_mlops.core.gates.judge import judge, settle
from airflow_mlops.core.gates.rules import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    AgainstChampion,
    Bootstrap,
    Measured,
    Rule,
    Threshold,
    loss,
)

__all__ = [
    "HIGHER_IS_BETTER",
    "LOWER_IS_BETTER",
    "AgainstChampion",
    "Bootstrap",
    "DecideBy",
    "Measured",
    "Rule",
    "Threshold",
    "judge",
    "loss",
    "settle",
]
