"""What other tools say of one task, and ``execution`` of all tasks of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from airflow_mlops.cli.convert.periods import exact, milliseconds
from airflow_mlops.cli.convert.reading import Node
from airflow_mlops.cli.convert.values import Rule, Said, count, one_line, retries


def _of_every_task(read: Callable[[Node], Said], *more: str) -> Callable[[Node], Said]:
    return lambda node: Said(read(node).value, "; ".join(("of every task", *more)))


def _name(node: Node) -> Said:
    said = one_line(node)
    if len(said.value) > 256:
        raise ValueError("a name of more than 256 characters")
    return said


_RETRIES = Rule("execution.retries", _of_every_task(retries))
_DOUBLES = "it doubles with each retry"
_DELAY = Rule("execution.retry_delay", _of_every_task(exact, _DOUBLES))
_TIMEOUT = Rule("execution.timeout", _of_every_task(exact))

AIRFLOW: Mapping[str, Rule] = {
    "retries": _RETRIES,
    "retry_delay": _DELAY,
    "execution_timeout": _TIMEOUT,
    "pool": Rule("execution.pool", _of_every_task(_name)),
    "pool_slots": Rule("execution.pool_slots", _of_every_task(count)),
    "priority_weight": Rule("execution.priority_weight", _of_every_task(partial(count, most=1_000_000))),
    "queue": Rule("execution.queue", _of_every_task(_name)),
    # As dag-factory had them before 1.0.
    "retry_delay_sec": _DELAY,
    "execution_timeout_secs": _TIMEOUT,
}
DATABRICKS: Mapping[str, Rule] = {
    "max_retries": _RETRIES,
    "min_retry_interval_millis": Rule("execution.retry_delay", _of_every_task(milliseconds, _DOUBLES)),
    "timeout_seconds": _TIMEOUT,
}
