"""Plan healing: whether an earlier champion is put back because this one has decayed."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.healing import WayBack, way_back
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import RunInfo
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import HealRequest


def plan_healing(request: HealRequest, backends: Backends) -> WayBack | None:
    """The version that ``healing.roll_back`` allows to be put back, written down before anything moves; None
    where the policy is off or nothing is to be done. A retry finds what its first try planned, unless another
    version was promoted since. A backfill looks at a past that nobody can act on."""
    config, run, collected = request.config, request.run, request.collected
    if not (config.healing.enabled and config.healing.roll_back) or request.performance is None:
        return None
    if run.kind == "backfill":
        return None
    entries = backends.ledger.entries(config.model)
    champion = backends.tracking.alias(config.model, "champion")
    for item in entries:
        if item.kind == "healed" and is_ours(item, run):
            is_so = champion is None or champion.version in (item.subject, item.data["out"])
            return WayBack("roll_back", item.reasons[0], item.subject) if is_so else None
    if champion is None or champion.version != collected.champion.version:
        return None  # another version serves by now: nothing is known of it
    performance = request.performance.summary
    fails, late = performance["outcome"] == "fail", _late_decay(entries, champion.version, run)
    found = way_back(
        [item for item in entries if not is_ours(item, run)],
        champion.version,
        decayed=fails or late is not None,
        fault=request.quality.summary.get("upstream_fault"),
    )
    if found.version is None:
        return None
    told = late.reasons if late is not None and not fails else performance["reasons"]
    reasons = (found.reason, *map(str, told))
    backends.ledger.append(
        entry(
            config,
            run,
            "healed",
            found.version,
            version=found.version,
            reasons=reasons,
            evidence=(request.performance.uri,),
            window=collected.window,
            data={"out": champion.version},
        )
    )
    return found


def _late_decay(entries: Sequence[Entry], version: str, run: RunInfo) -> Entry | None:
    """Where labels are late, decay shows in an earlier window: the newest one of which it is known for this
    version, if this run has scored it anew and found it there."""
    known = [
        (item.window.end, item.at, item)
        for item in entries
        if item.kind in ("monitored", "rescored")
        and item.version == version
        and item.window is not None
        and item.data.get("decayed") is not None
        and not item.data.get("upstream_fault")
    ]
    if not known:
        return None
    newest = max(known, key=lambda one: one[:2])[2]
    is_new = newest.kind == "rescored" and is_ours(newest, run)
    return newest if is_new and newest.data["decayed"] else None
