"""Plan healing: whether an earlier champion is put back because this one has decayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.healing import WayBack, healing_of, left_healing, way_back
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.values import ModelRef
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import HealRequest


def plan_healing(request: HealRequest, backends: Backends) -> WayBack | None:
    """The version that ``healing.roll_back`` allows to be put back, its intent written down before anything
    moves; None where the policy is off or nothing is to be done. ``healed`` is written by the reversal, once
    the version serves.

    A run that ended in between leaves an intent: its retry goes on with it, and so does the next run, unless
    that finds the champion sound, or another version was promoted since. A backfill looks at a past that
    nobody can act on.
    """
    config, run, collected = request.config, request.run, request.collected
    if not (config.healing.enabled and config.healing.roll_back) or request.performance is None:
        return None
    if run.kind == "backfill":
        return None
    entries = backends.ledger.entries(config.model)
    begun = open_reversal(entries)
    if begun is not None and (intent := healing_of(entries, begun)) is not None:
        return WayBack("roll_back", intent.reasons[0], begun.subject)
    champion = backends.tracking.alias(config.model, "champion")
    own = [item for item in entries if item.kind == "healing_intended" and is_ours(item, run)]
    if own:
        return _again(own[-1], champion, entries)
    if champion is None or champion.version != collected.champion.version:
        return None  # another version serves by now: nothing is known of it
    return _planned(request, entries, champion.version, backends)


def _again(intent: Entry, champion: ModelRef | None, entries: Sequence[Entry]) -> WayBack | None:
    """What this run planned in an earlier try, unless others have put the version back or moved on."""
    done = any(item.kind == "reversed" and healing_of([intent], item) is not None for item in entries)
    serving = None if champion is None else champion.version
    goes_on = serving in (None, intent.data["out"]) or (done and serving == intent.subject)
    return WayBack("roll_back", intent.reasons[0], intent.subject) if goes_on else None


def _planned(
    request: HealRequest, entries: Sequence[Entry], champion: str, backends: Backends
) -> WayBack | None:
    if request.performance is None:
        return None
    performance = request.performance.summary
    told = _decay(performance, entries, champion, request)
    found = way_back(
        entries,
        champion,
        decayed=told is not None,
        fault=request.quality.summary.get("upstream_fault"),
    )
    if found.version is None or told is None:
        return None
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            "healing_intended",
            found.version,
            version=found.version,
            reasons=(found.reason, *told),
            evidence=(request.performance.uri,),
            window=request.collected.window,
            data={"out": champion},
        )
    )
    return found


def _decay(
    performance: Mapping[str, Any], entries: Sequence[Entry], champion: str, request: HealRequest
) -> tuple[str, ...] | None:
    """How decay shows: in this window, in an earlier one whose labels have landed, or as it showed to a run
    that ended before it moved anything, where this window cannot tell. None where it does not, or where more
    is known of a later window: what is monitored again says nothing about what serves now."""
    end, newest = _newest_known(entries, champion) or (request.collected.window.end, None)
    if end > request.collected.window.end:
        return None
    if performance["outcome"] == "fail":
        return tuple(map(str, performance["reasons"]))
    if newest and newest.kind == "rescored" and is_ours(newest, request.run) and newest.data["decayed"]:
        return newest.reasons
    left = left_healing(entries, champion)
    return left.reasons[1:] if left is not None and performance["outcome"] == "inconclusive" else None


def _newest_known(entries: Sequence[Entry], version: str) -> tuple[datetime, Entry] | None:
    """The newest window of which it is known whether this version has decayed, by its end. Where labels are
    late, that is an earlier one, which this run may have scored anew."""
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
    end, _, newest = max(known, key=lambda one: one[:2])
    return end, newest
