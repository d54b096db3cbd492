"""Values that are far from the others: the rule is known only when the whole column has been seen."""

from __future__ import annotations

import math

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.aggregates import average, deviation, numbers
from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import NotPushedDown, Steps
from airflow_mlops.backends.pushdown.per_row import share_of_present


def z_scores(args: Arguments) -> Steps:
    """First the mean and the deviation, then how many values are too many of these away. Where there is no
    deviation nothing is far."""
    column, threshold = numbers(args), args.number("threshold")
    double_sided = args.flag("double_sided", default=True)
    if threshold is None:
        raise NotPushedDown("no threshold")
    mean, spread = yield [average(args, column), deviation(args, column)]
    if not spread or not math.isfinite(spread):
        return (yield from share_of_present(args, column, "true"))
    score = f"({column.sql} - {sql.number(mean)}) / {sql.number(spread)}"
    near = (
        f"abs({score}) < {sql.number(abs(threshold))}"
        if double_sided
        else f"{score} < {sql.number(threshold)}"
    )
    return (yield from share_of_present(args, column, near))
