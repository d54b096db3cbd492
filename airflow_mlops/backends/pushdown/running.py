"""All translators of a suite at once: what they ask at one time is answered in one scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Query, Scalar, Steps
from airflow_mlops.backends.pushdown.columns import Table
from airflow_mlops.backends.pushdown.rows import ParquetRows
from airflow_mlops.backends.pushdown.translators import TRANSLATORS
from airflow_mlops.core.values import Expectation


@dataclass(frozen=True, slots=True)
class LeftOver:
    """An expectation that was not pushed down, and what stood in the way."""

    reason: str


def run(
    expectations: Mapping[int, Expectation], table: Table, rows: ParquetRows
) -> dict[int, Found | LeftOver]:
    """What became of each expectation, by its place."""
    found: dict[int, Found | LeftOver] = {}
    going: dict[int, tuple[Steps, list[Scalar | Query]]] = {}
    for place, expectation in expectations.items():
        match _begun(expectation, table):
            case (steps, asked):
                going[place] = steps, asked
            case outcome:
                found[place] = outcome
    while going:
        answers = rows.answers(one for _, asked in going.values() for one in asked)
        for place, (steps, asked) in list(going.items()):
            del going[place]
            if any(one not in answers for one in asked):
                found[place] = LeftOver("DuckDB could not compute it")
                continue
            try:
                going[place] = steps, list(steps.send([answers[one] for one in asked]))
            except StopIteration as end:
                found[place] = end.value
            except NotPushedDown as reason:
                found[place] = LeftOver(str(reason))
    return found


def _begun(expectation: Expectation, table: Table) -> tuple[Steps, list[Scalar | Query]] | Found | LeftOver:
    translator = TRANSLATORS.get(expectation.type)
    if translator is None:
        return LeftOver(f"nothing translates {expectation.type}")
    try:
        steps = translator(Arguments(expectation.kwargs, table))
        return steps if isinstance(steps, Found) else (steps, list(next(steps)))
    except NotPushedDown as reason:
        return LeftOver(str(reason))
