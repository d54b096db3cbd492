"""More holdout rows for a verdict that the last run left open (``gates.on_inconclusive: collect``)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import RunInfo
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.record import is_ours

if TYPE_CHECKING:
    import pandas as pd


class Holdout(NamedTuple):
    """Where the holdout starts, and why not where the YAML says."""

    start: datetime
    lengthened: str | None = None


def holdout(
    times: pd.Series, start: datetime, window: Window, config: ModelConfig, run: RunInfo, backends: Backends
) -> Holdout:
    """``start``, or earlier where the last verdict asked for more rows than are held out since then.

    ``times`` are those of the labelled rows, in order. The holdout takes at most half of the window, leaves
    ``data.minimum_rows`` to train on, and starts no earlier than the champion's own: rows that it was
    trained on would flatter it.
    """
    wanted = _wanted(config, run, backends)
    if wanted is None or int((times >= start).sum()) >= wanted:
        return Holdout(start)
    limits = {
        "half of the window": window.start + (window.end - window.start) / 2,
        "the champion's own holdout": _champions(config, backends) or window.start,
    }
    if len(times) > config.data.minimum_rows:
        limits["data.minimum_rows"] = times.iloc[config.data.minimum_rows].to_pydatetime()
    longest = times.iloc[-min(wanted, len(times))].to_pydatetime()
    bound, earliest = max(limits.items(), key=lambda limit: limit[1])
    chosen = min(start, max(longest, earliest))
    rows = int((times >= chosen).sum())
    told = f"the last verdict was inconclusive and asked for about {wanted:,} holdout rows"
    limited = f", for it is bounded by {bound}" if chosen > longest else ""
    if chosen == start:
        return Holdout(start, f"{told}; the holdout stays at {rows:,}{limited}")
    return Holdout(
        chosen,
        f"{told}: it starts {chosen:%Y-%m-%d %H:%M} and not {start:%Y-%m-%d %H:%M}, with {rows:,}{limited}",
    )


def _wanted(config: ModelConfig, run: RunInfo, backends: Backends) -> int | None:
    """What the last verdict asked for; not of this run, which may be cleared, nor of a backfill."""
    if config.gates.on_inconclusive != "collect" or run.kind == "backfill":
        return None
    verdicts = [
        entry
        for entry in backends.ledger.entries(config.model)
        if entry.kind == "gated" and entry.data.get("run_kind") != "backfill" and not is_ours(entry, run)
    ]
    wanted = verdicts[-1].data.get("rows_wanted") if verdicts else None
    return int(wanted) if wanted is not None else None


def _champions(config: ModelConfig, backends: Backends) -> datetime | None:
    champion = backends.tracking.alias(config.model, "champion")
    if champion is None:
        return None
    told = backends.tracking.tags_of(backends.tracking.run_of(champion).run_id).get("mlops.holdout_start")
    return datetime.fromisoformat(told) if told else None
