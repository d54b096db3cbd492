"""Silence: nothing was asked in a window, and at this time a lot was before."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import RunInfo
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import Collected
from airflow_mlops.steps.usual_rows import thin_window, usual_rows


def note_silence(config: ModelConfig, run: RunInfo, nothing: Collected, backends: Backends) -> None:
    """Write a window without rows down as one that was monitored, where that is a fault: no later step of the
    run has anything to look at, and yet somebody should be told."""
    known = usual_rows(config, nothing, backends)
    fault = thin_window(config, nothing, known) if known.expects_rows(nothing.window) else None
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
