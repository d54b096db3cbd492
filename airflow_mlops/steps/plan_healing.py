"""Plan healing: whether an earlier champion is put back because this one has decayed."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.healing import WayBack, way_back
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
    found = way_back(
        [item for item in entries if not is_ours(item, run)],
        champion.version,
        decayed=request.performance.summary["outcome"] == "fail",
        fault=request.quality.summary.get("upstream_fault"),
    )
    if found.version is None:
        return None
    reasons = (found.reason, *map(str, request.performance.summary["reasons"]))
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
