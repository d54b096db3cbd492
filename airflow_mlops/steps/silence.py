"""Silence: nothing was asked in a window, and at this time a lot was before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.faults import Fault, volume_fault
from airflow_mlops.core.values import RunInfo
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import Collected
from airflow_mlops.steps.usual_rows import row_names, usual_rows

_WEEK = timedelta(days=7)


def note_silence(config: ModelConfig, run: RunInfo, nothing: Collected, backends: Backends) -> None:
    """Write a window without rows down as one that was monitored, where that is a fault: no later step of the
    run has anything to look at, and yet somebody should be told."""
    fault = _fault(config, nothing, backends)
    if fault is None:
        return
    critical = config.validation.upstream_faults.severity == "critical"
    backends.ledger.append(
        entry(
            config,
            run,
            "monitored",
            nothing.window.end.isoformat(),
            version=nothing.champion.version,
            reasons=(fault.said,),
            window=nothing.window,
            data={
                "rows": 0,
                "drifted": False,
                "decayed": None,
                "action": "keep",
                "upstream_fault": str(fault) if critical else None,
                "fault_columns": list(fault.columns) if critical else [],
                "feed_warnings": [fault.said],
            },
        )
    )


def _fault(config: ModelConfig, nothing: Collected, backends: Backends) -> Fault | None:
    """None also where nobody knows that there should be rows: a window shorter than a week has to have had
    some at its time of the week, for many an endpoint rests at night and on Sundays."""
    settings, names = config.validation.upstream_faults, row_names(config)
    if not settings.enabled or names.time in settings.ignore:
        return None
    window, known = nothing.window, usual_rows(config, nothing, backends).windows
    then = [one for one in known if one.rows and not (window.start - one.window.start) % _WEEK]
    if window.end - window.start < _WEEK and not then:
        return None
    fault = volume_fault(names, 0, [one.in_length_of(window) for one in known])
    if fault is None:
        return None
    return replace(
        fault,
        said=f"{fault.said}: see whether the endpoint is reached and its log is written; {names.time} in "
        "validation.upstream_faults.ignore accepts silence",
    )
