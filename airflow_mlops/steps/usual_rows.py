"""How many rows are usual for a window of the log: one reading of the ledger for every check that asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from math import prod

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.faults import Counted, Fault, RowNames, Usual, usual, volume_fault
from airflow_mlops.steps.requests import Collected


def row_names(config: ModelConfig) -> RowNames:
    """The YAML's own names, by which a person knows the columns and ignores them."""
    return RowNames(key=config.data.key, time=config.data.time_column)


def usual_rows(config: ModelConfig, collected: Collected, backends: Backends) -> Usual:
    """What the window's rows are held against, by the windows that were monitored before it."""
    now = Counted(collected.window, collected.rows)
    return usual(now, _counted(config, backends), config.monitor.drift.volume.windows)


def thin_window(config: ModelConfig, collected: Collected, known: Usual) -> Fault | None:
    """The window's rows as an upstream fault, where these are looked for; it says how to accept them."""
    settings, names = config.validation.upstream_faults, row_names(config)
    if not settings.enabled or names.time in settings.ignore:
        return None
    rows = [one.in_length_of(collected.window) for one in known.windows]
    fault = volume_fault(names, collected.rows, rows)
    if fault is None:
        return None
    accepts = f"{names.time} in validation.upstream_faults.ignore accepts it"
    way_out = (
        f"the third window like it in a row makes a new level, and {accepts} now"
        if collected.rows
        else f"see whether the endpoint is reached and its log is written; {accepts}"
    )
    return replace(fault, said=f"{fault.said}; {way_out}")


def fallen_since(moment: datetime, config: ModelConfig, backends: Backends) -> float:
    """The part of the rows, 0 to 1, that is left at the level to which monitoring has come since."""
    counted = sorted(_counted(config, backends), key=lambda one: one.window.end)
    if not counted:
        return 1.0
    known = usual(counted[-1], counted, config.monitor.drift.volume.windows)
    return min(1.0, prod(one.after / one.before for one in known.levels if one.window.end > moment))


def _counted(config: ModelConfig, backends: Backends) -> Iterator[Counted]:
    """One that was broken in other columns than its times is left out: where rows came twice, their number
    says nothing."""
    of_volume = {config.data.time_column, "event_time"}  # the log's name, by which it was told before
    for item in backends.ledger.entries(config.model, {"monitored"}):
        if item.window is None:
            continue
        rows = item.data.get("rows")
        if isinstance(rows, int) and of_volume.issuperset(item.data.get("fault_columns") or ()):
            yield Counted(item.window, rows)
